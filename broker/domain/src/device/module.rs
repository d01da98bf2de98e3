//! A module's identity record (service-protocols.md 2.4).

use crate::auth::SymmetricKeys;
use crate::device::Authentication;
use crate::ids::{DeviceId, ModuleId};
use crate::time::UnixMs;

/// One module of a device. It has no status of its own: it may connect while its device is enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleIdentity {
    /// Its device.
    pub device: DeviceId,
    /// Its id.
    pub id: ModuleId,
    /// Another one whenever the id is deleted and created again.
    pub generation: String,
    /// Another one with every change; without quotes.
    pub etag: String,
    /// How it proves itself.
    pub authentication: Authentication,
    /// `managedBy`
    pub managed_by: Option<String>,
    /// When the id was (last) created.
    pub created: UnixMs,
}

impl ModuleIdentity {
    /// The keys its tokens may be signed with: empty ones, which sign nothing, unless it uses tokens.
    pub fn keys(&self) -> SymmetricKeys {
        self.authentication.keys()
    }
}
