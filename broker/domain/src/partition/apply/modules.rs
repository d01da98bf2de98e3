//! Modules, and what goes with an identity that is deleted.

use crate::HubError;
use crate::ids::{DeviceId, IdentityId, ModuleId};
use crate::partition::command::Outcome;
use crate::partition::records::Records;
use crate::registry::{self, IfMatch, PutModule};

pub(super) fn put<R: Records + ?Sized>(
    put: &PutModule,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let device = records.device(&put.request.device)?;
    let modules = records.modules(&put.request.device)?;
    Ok(match registry::put_module(device.as_ref(), &modules, put) {
        Ok(module) => {
            records.put_module(&module);
            Outcome::Module(Box::new(module))
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

pub(super) fn delete<R: Records + ?Sized>(
    device: &DeviceId,
    module: &ModuleId,
    precondition: &IfMatch,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let Some(existing) = records.module(device, module)? else {
        return Ok(Outcome::Refused(match records.device(device)? {
            Some(_) => HubError::ModuleNotFound(registry::module_name(device, module)),
            None => HubError::DeviceNotFound(device.as_str().to_owned()),
        }));
    };
    if let Err(refusal) = precondition.check_tag(&existing.etag) {
        return Ok(Outcome::Refused(refusal));
    }
    records.delete_module(device, module);
    forget(&IdentityId::module(device.clone(), module.clone()), records)?;
    Ok(Outcome::Deleted)
}

/// Removes all that a deleted device leaves: its modules, what is theirs and its own, open uploads, and feedback that
/// nobody has got yet (service-protocols.md 2.4, device-protocols.md 7.4).
pub(super) fn forget_device<R: Records + ?Sized>(
    device: &DeviceId,
    records: &mut R,
) -> Result<(), R::Error> {
    for module in records.modules(device)? {
        records.delete_module(device, &module.id);
        forget(&IdentityId::module(device.clone(), module.id), records)?;
    }
    forget(&IdentityId::device(device.clone()), records)?;
    records.put_uploads(device, &[]);
    records.drop_feedback_of(device)
}

/// Removes the twin, the queue with its messages, and the session of an identity.
fn forget<R: Records + ?Sized>(identity: &IdentityId, records: &mut R) -> Result<(), R::Error> {
    records.delete_twin(identity)?;
    records.delete_presence(identity)?;
    records.delete_session(identity);
    let Some(queue) = records.c2d_queue(identity)? else {
        return Ok(());
    };
    for entry in &queue.entries {
        records.delete_c2d_message(identity, entry.sequence);
    }
    records.delete_c2d_queue(identity)
}
