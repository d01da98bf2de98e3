//! Twins of devices and modules.

use super::modules::find_module;
use crate::HubError;
use crate::ids::IdentityId;
use crate::partition::command::{Outcome, PatchReported, UpdateTwin};
use crate::partition::records::Records;
use crate::time::UnixMs;
use crate::twin::{Twin, TwinChange};

pub(super) fn update<R: Records + ?Sized>(
    command: UpdateTwin,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let UpdateTwin { identity, update, precondition, limits, now } = command;
    change(&identity, records, |twin| twin.update(update, &precondition, &limits, now))
}

pub(super) fn patch_reported<R: Records + ?Sized>(
    command: PatchReported,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let PatchReported { identity, patch, if_version, limits, now } = command;
    change(&identity, records, |twin| twin.patch_reported(patch, if_version, &limits, now))
}

/// Of an identity that is gone, or whose twin was never changed, there is nothing to note.
pub(super) fn see_desired<R: Records + ?Sized>(
    identity: &IdentityId,
    version: u64,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    if let Some(mut twin) = records.twin(identity)?
        && twin.see_desired(version)
    {
        records.put_twin(identity, &twin);
    }
    Ok(Outcome::Done)
}

fn change<R: Records + ?Sized>(
    identity: &IdentityId,
    records: &mut R,
    change: impl FnOnce(Twin) -> Result<TwinChange, HubError>,
) -> Result<Outcome, R::Error> {
    let created = match created(identity, records)? {
        Ok(created) => created,
        Err(missing) => return Ok(Outcome::Refused(missing)),
    };
    let twin = records.twin(identity)?.unwrap_or_else(|| Twin::new(created));
    let version = twin.version;
    Ok(match change(twin) {
        Ok(change) => {
            if change.twin.version != version {
                records.put_twin(identity, &change.twin);
            }
            Outcome::Twin(Box::new(change))
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

/// When the identity was created, or that it is not there.
fn created<R: Records + ?Sized>(
    identity: &IdentityId,
    records: &R,
) -> Result<Result<UnixMs, HubError>, R::Error> {
    let IdentityId { device, module } = identity;
    Ok(match module {
        Some(module) => find_module(device, module, records)?.map(|module| module.created),
        None => match records.device(device)? {
            Some(device) => Ok(device.created),
            None => Err(HubError::DeviceNotFound(device.as_str().to_owned())),
        },
    })
}
