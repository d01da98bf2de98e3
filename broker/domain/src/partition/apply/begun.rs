//! Stored MQTT sessions and file uploads: what a device has begun and not ended.

use crate::device::StoredSession;
use crate::ids::{DeviceId, IdentityId};
use crate::partition::apply::c2d::enabled_owner;
use crate::partition::command::Outcome;
use crate::partition::records::Records;
use crate::time::UnixMs;
use crate::upload::{self, UploadResult, UploadTicket};

pub(super) fn put_session<R: Records + ?Sized>(
    identity: &IdentityId,
    session: Option<&StoredSession>,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let Some(session) = session else {
        records.delete_session(identity);
        if let Some(mut queue) = records.c2d_queue(identity)?
            && queue.forget_sent()
        {
            records.put_c2d_queue(identity, &queue)?;
        }
        return Ok(Outcome::Done);
    };
    Ok(match enabled_owner(identity, records)?.and_then(|_| session.validate()) {
        Ok(()) => {
            records.put_session(identity, session);
            Outcome::Done
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

pub(super) fn open<R: Records + ?Sized>(
    device: &DeviceId,
    ticket: UploadTicket,
    now: UnixMs,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    if let Err(refusal) = enabled_owner(&device.clone().into(), records)? {
        return Ok(Outcome::Refused(refusal));
    }
    Ok(match upload::open(records.uploads(device)?, ticket, now) {
        Ok(tickets) => {
            records.put_uploads(device, &tickets);
            Outcome::Done
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

pub(super) fn close<R: Records + ?Sized>(
    device: &DeviceId,
    correlation_id: &str,
    result: UploadResult,
    notify: bool,
    now: UnixMs,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    if let Err(refusal) = enabled_owner(&device.clone().into(), records)? {
        return Ok(Outcome::Refused(refusal));
    }
    match upload::close(records.uploads(device)?, device, correlation_id, result, now) {
        Ok((tickets, notice)) => {
            records.put_uploads(device, &tickets);
            if let Some(notice) = notice.filter(|_| notify) {
                records.push_notice(&notice)?;
            }
            Ok(Outcome::Done)
        }
        Err(refusal) => Ok(Outcome::Refused(refusal)),
    }
}
