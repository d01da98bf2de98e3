//! An identity and its twin in one: what a bulk request or an import brings together is never there by halves.

use super::{modules, put_device};
use crate::ids::IdentityId;
use crate::partition::command::{IdentityPut, Outcome, PutWithTwin};
use crate::partition::records::Records;
use crate::registry;
use crate::twin::Twin;

/// The twin is decided first, since a record that was put cannot be taken back.
pub(super) fn put<R: Records + ?Sized>(
    put: PutWithTwin,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let PutWithTwin { identity: put, twin, limits } = put;
    let (identity, created, now) = match &put {
        IdentityPut::Device(put) => {
            let existing = records.device(&put.request.id)?;
            if let Err(refusal) = registry::put(existing.as_ref(), put) {
                return Ok(Outcome::Refused(refusal));
            }
            (put.request.id.clone().into(), existing.map(|device| device.created), put.fresh.now)
        }
        IdentityPut::Module(put) => {
            let device = records.device(&put.request.device)?;
            let modules = records.modules(&put.request.device)?;
            if let Err(refusal) = registry::put_module(device.as_ref(), &modules, put) {
                return Ok(Outcome::Refused(refusal));
            }
            let existing = modules.into_iter().find(|module| module.id == put.request.id);
            let identity = IdentityId::module(put.request.device.clone(), put.request.id.clone());
            (identity, existing.map(|module| module.created), put.fresh.now)
        }
    };
    let change = match created {
        None => twin.create(now, &limits),
        Some(created) => {
            let current = records.twin(&identity)?.unwrap_or_else(|| Twin::new(created));
            twin.update(current, &limits, now)
        }
    };
    let change = match change {
        Ok(change) => Box::new(change),
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let outcome = match &put {
        IdentityPut::Device(put) => put_device(put, records)?,
        IdentityPut::Module(put) => modules::put(put, records)?,
    };
    Ok(match outcome {
        Outcome::Device(device) => {
            records.put_twin(&identity, &change.twin)?;
            Outcome::DeviceWithTwin(device, change)
        }
        Outcome::Module(module) => {
            records.put_twin(&identity, &change.twin)?;
            Outcome::ModuleWithTwin(module, change)
        }
        other => other,
    })
}
