//! The rules of the identity registry: what a request asks for, and what becomes of the identity
//! (service-protocols.md 2.1, 2.4).
//!
//! Pure: random values and the time are in [`Fresh`], which whoever proposes the change fills once, so that every replica
//! comes to the same record.

pub mod bulk;
pub mod create;
pub mod delete;
pub mod etag;
pub mod import;
pub mod module;
pub mod regenerate;
pub mod request;
mod scope;
#[cfg(test)]
mod tests;
pub mod update;

use crate::HubError;
use crate::device::DeviceIdentity;

pub use create::create;
pub use delete::delete;
pub use etag::IfMatch;
pub use import::{Found, ImportItem, ImportMode, ItemFault, RegistryOperation, TwinImport};
pub use module::{ModuleRequest, PutModule, module_name, put_module};
pub use regenerate::{PolicyKey, RegenerateRequest, RotatedKeys};
pub use request::{AuthenticationRequest, DeviceRequest, Fresh};
pub use update::update;

/// When a put may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Only if the id is new: PUT without If-Match.
    Create,
    /// Only if the id exists, with this ETag: PUT with If-Match.
    Update(IfMatch),
    /// Either way: a bulk import's default.
    CreateOrUpdate(IfMatch),
}

/// A put of one identity, with all that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutDevice {
    /// When it may happen.
    pub mode: PutMode,
    /// What is asked for.
    pub request: DeviceRequest,
    /// What may be needed and must be random.
    pub fresh: Fresh,
}

/// The identity after a put, or why it stays as it is.
pub fn put(existing: Option<&DeviceIdentity>, put: &PutDevice) -> Result<DeviceIdentity, HubError> {
    let PutDevice { mode, request, fresh } = put;
    match (mode, existing) {
        (PutMode::Create, _) | (PutMode::CreateOrUpdate(_), None) => {
            create(existing, request, fresh)
        }
        (PutMode::Update(precondition), _) | (PutMode::CreateOrUpdate(precondition), Some(_)) => {
            update(existing, precondition, request, fresh)
        }
    }
}
