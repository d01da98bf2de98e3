//! Modules of a device (service-protocols.md 2.4).

use crate::ids::{DeviceId, ModuleId};
use crate::registry::PutMode;
use crate::registry::request::{AuthenticationRequest, Fresh};

/// The fields of a module that a client may set. A put replaces them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRequest {
    /// Of which device.
    pub device: DeviceId,
    /// Which module.
    pub id: ModuleId,
    /// `authentication`
    pub authentication: AuthenticationRequest,
    /// `managedBy`
    pub managed_by: Option<String>,
}

/// A put of one module, with all that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutModule {
    /// When it may happen.
    pub mode: PutMode,
    /// What is asked for.
    pub request: ModuleRequest,
    /// What may be needed and must be random.
    pub fresh: Fresh,
}
