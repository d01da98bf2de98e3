//! Cloud-to-device queues, and the feedback that comes of them.

use crate::HubError;
use crate::c2d::{Delivery, Ended, Holder, LockToken, Queue, Settlement, check_expiry};
use crate::device::DeviceIdentity;
use crate::ids::IdentityId;
use crate::notice::Notice;
use crate::partition::command::{EnqueueC2d, Outcome};
use crate::partition::records::Records;
use crate::registry::module_name;
use crate::time::UnixMs;

/// The device behind an identity, if that is registered.
pub(super) fn owner<R: Records + ?Sized>(
    identity: &IdentityId,
    records: &R,
) -> Result<Result<DeviceIdentity, HubError>, R::Error> {
    let Some(device) = records.device(&identity.device)? else {
        return Ok(Err(HubError::DeviceNotFound(identity.device.to_string())));
    };
    if let Some(module) = &identity.module
        && records.module(&identity.device, module)?.is_none()
    {
        return Ok(Err(HubError::ModuleNotFound(module_name(&identity.device, module))));
    }
    Ok(Ok(device))
}

/// The same for what a device does itself: a disabled one does nothing.
pub(super) fn enabled_owner<R: Records + ?Sized>(
    identity: &IdentityId,
    records: &R,
) -> Result<Result<DeviceIdentity, HubError>, R::Error> {
    Ok(owner(identity, records)?.and_then(|device| {
        let enabled = device.is_enabled();
        enabled.then_some(device).ok_or(HubError::DeviceDisabled(identity.device.to_string()))
    }))
}

/// A message for a disabled device waits for it.
pub(super) fn enqueue<R: Records + ?Sized>(
    enqueue: &EnqueueC2d,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let EnqueueC2d { identity, message, expires, now } = enqueue;
    let device = match owner(identity, records)? {
        Ok(device) => device,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let mut queue = records.c2d_queue(identity)?.unwrap_or_default();
    let accepted = message
        .validate()
        .and_then(|()| check_expiry(*expires, *now))
        .and_then(|()| queue.enqueue(message, *expires, *now));
    let (sequence, ended) = match accepted {
        Ok(accepted) => accepted,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    records.put_c2d_message(identity, sequence, message);
    store(identity, &device, &queue, ended, *now, records)?;
    Ok(Outcome::Enqueued(sequence))
}

pub(super) fn lock<R: Records + ?Sized>(
    identity: &IdentityId,
    tokens: &[LockToken],
    holder: Holder,
    now: UnixMs,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let device = match enabled_owner(identity, records)? {
        Ok(device) => device,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let before = records.c2d_queue(identity)?.unwrap_or_default();
    let mut queue = before.clone();
    let (locked, ended) = queue.lock(tokens, holder, now);
    let mut deliveries = Vec::with_capacity(locked.len());
    for entry in locked {
        let (Some(lock), Some(message)) =
            (entry.lock, records.c2d_message(identity, entry.sequence)?)
        else {
            let lost = format!("message {} of {identity} is not stored", entry.sequence);
            return Ok(Outcome::Refused(HubError::Internal(lost)));
        };
        deliveries.push(Delivery {
            sequence: entry.sequence,
            lock: lock.token,
            locked_until: lock.until,
            delivery_count: entry.delivery_count,
            sent_before: entry.sent,
            enqueued: entry.enqueued,
            expires: entry.expires,
            message,
        });
    }
    if queue != before {
        store(identity, &device, &queue, ended, now, records)?;
    }
    Ok(Outcome::Locked(deliveries))
}

pub(super) fn settle<R: Records + ?Sized>(
    identity: &IdentityId,
    token: LockToken,
    settlement: Settlement,
    deliveries_max: u32,
    now: UnixMs,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let device = match enabled_owner(identity, records)? {
        Ok(device) => device,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let mut queue = records.c2d_queue(identity)?.unwrap_or_default();
    match queue.settle(token, settlement, deliveries_max, now) {
        Ok(ended) => {
            store(identity, &device, &queue, ended.into_iter().collect(), now, records)?;
            Ok(Outcome::Affected(1))
        }
        Err(refusal) => Ok(Outcome::Refused(refusal)),
    }
}

/// What happens to a queue as a whole: so many messages only changed, these ended.
pub(super) fn tend<R: Records + ?Sized>(
    identity: &IdentityId,
    now: UnixMs,
    records: &mut R,
    change: impl FnOnce(&mut Queue) -> (u32, Vec<Ended>),
) -> Result<Outcome, R::Error> {
    // Deleting an identity deletes its queue, so where there is a queue there is a device.
    let (Some(mut queue), Ok(device)) = (records.c2d_queue(identity)?, owner(identity, records)?)
    else {
        return Ok(Outcome::Affected(0));
    };
    let (changed, ended) = change(&mut queue);
    let affected = changed + ended.len() as u32;
    if affected > 0 {
        store(identity, &device, &queue, ended, now, records)?;
    }
    Ok(Outcome::Affected(affected))
}

fn store<R: Records + ?Sized>(
    identity: &IdentityId,
    device: &DeviceIdentity,
    queue: &Queue,
    ended: Vec<Ended>,
    now: UnixMs,
    records: &mut R,
) -> Result<(), R::Error> {
    records.put_c2d_queue(identity, queue)?;
    for message in ended {
        records.delete_c2d_message(identity, message.sequence);
        if let Some(original_message_id) = message.feedback {
            records.push_notice(&Notice::Feedback {
                original_message_id,
                identity: identity.clone(),
                generation: device.generation.clone(),
                status: message.status,
                at: now,
            })?;
        }
    }
    Ok(())
}
