//! Twins of devices and modules.

use super::c2d::{enabled_owner, owner};
use crate::HubError;
use crate::device::DeviceIdentity;
use crate::ids::IdentityId;
use crate::partition::command::{Outcome, PatchReported, UpdateTwin};
use crate::partition::records::Records;
use crate::twin::{Twin, TwinChange};

pub(super) fn update<R: Records + ?Sized>(
    command: UpdateTwin,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let UpdateTwin { identity, update, assigned, precondition, limits, now } = command;
    let owner = owner(&identity, records)?;
    change(&identity, owner, records, |twin| {
        let mut change = twin.update(update, &precondition, &limits, now)?;
        if let Some(assigned) = assigned {
            change.twin.assigned = assigned;
        }
        Ok(change)
    })
}

/// What comes from a device is refused while that is disabled.
pub(super) fn patch_reported<R: Records + ?Sized>(
    command: PatchReported,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let PatchReported { identity, patch, if_version, limits, now } = command;
    let owner = enabled_owner(&identity, records)?;
    change(&identity, owner, records, |twin| twin.patch_reported(patch, if_version, &limits, now))
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
        records.put_twin(identity, &twin)?;
    }
    Ok(Outcome::Done)
}

fn change<R: Records + ?Sized>(
    identity: &IdentityId,
    owner: Result<DeviceIdentity, HubError>,
    records: &mut R,
    change: impl FnOnce(Twin) -> Result<TwinChange, HubError>,
) -> Result<Outcome, R::Error> {
    let owner = match owner {
        Ok(owner) => owner,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let twin = match records.twin(identity)? {
        Some(twin) => twin,
        None => first_twin(identity, &owner, records)?,
    };
    let (version, assigned) = (twin.version, twin.assigned.clone());
    Ok(match change(twin) {
        Ok(change) => {
            if change.twin.version != version || change.twin.assigned != assigned {
                records.put_twin(identity, &change.twin)?;
            }
            Outcome::Twin(Box::new(change))
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

/// The twin of an identity that was never changed is as old as that.
fn first_twin<R: Records + ?Sized>(
    identity: &IdentityId,
    owner: &DeviceIdentity,
    records: &R,
) -> Result<Twin, R::Error> {
    let module = match &identity.module {
        Some(module) => records.module(&identity.device, module)?,
        None => None,
    };
    Ok(Twin::new(module.map_or(owner.created, |module| module.created)))
}
