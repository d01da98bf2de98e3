//! What becomes of the registry by one item.

use crate::HubError;
use crate::ids::{DeviceId, IdentityId, ModuleId};
use crate::limits::TwinLimits;
use crate::registry::{DeviceRequest, IfMatch, ModuleRequest, PutMode};
use crate::time::UnixMs;
use crate::twin::{Object, Twin, TwinChange, TwinUpdate};

/// What an item has of a twin.
#[derive(Clone, Debug, PartialEq)]
pub struct TwinImport {
    /// Of tags and desired properties. Beside a put of the identity whole sections, as an export has them; else merge
    /// patches.
    pub update: TwinUpdate,
    /// If the twin's ETag is still this. It is for twins that were there before: the one of an identity that this item
    /// creates has an ETag that no file can know.
    pub precondition: IfMatch,
    /// The whole of the reported properties. A device that moves from one hub to another keeps what it reported.
    pub reported: Option<Object>,
}

impl TwinImport {
    /// The twin of an identity that is created now. Refused if a member breaks a rule or a section is too large.
    pub fn create(self, now: UnixMs, limits: &TwinLimits) -> Result<TwinChange, HubError> {
        Self { precondition: IfMatch::Any, ..self }.update(Twin::new(now), limits, now)
    }

    /// What becomes of a twin that was there before. Refused if its ETag is another, too.
    pub fn update(
        self,
        twin: Twin,
        limits: &TwinLimits,
        now: UnixMs,
    ) -> Result<TwinChange, HubError> {
        let Self { update, precondition, reported } = self;
        let change = twin.update(update, &precondition, limits, now)?;
        match reported {
            None => Ok(change),
            Some(reported) => {
                let notice = change.notice;
                Ok(TwinChange { notice, ..change.twin.replace_reported(reported, limits, now)? })
            }
        }
    }
}

/// What an item asks for. Whoever carries it out adds what must be random.
#[derive(Clone, Debug, PartialEq)]
pub enum RegistryOperation {
    /// Put a device, and then its twin.
    PutDevice {
        /// When it may happen.
        mode: PutMode,
        /// The device.
        request: DeviceRequest,
        /// Its twin, if the item has anything of it.
        twin: Option<TwinImport>,
    },
    /// Put a module, and then its twin.
    PutModule {
        /// When it may happen.
        mode: PutMode,
        /// The module.
        request: ModuleRequest,
        /// Its twin, if the item has anything of it.
        twin: Option<TwinImport>,
    },
    /// Delete a device and everything of it.
    DeleteDevice {
        /// Which.
        id: DeviceId,
        /// If its ETag is still this.
        precondition: IfMatch,
    },
    /// Delete a module and everything of it.
    DeleteModule {
        /// Of which device.
        device: DeviceId,
        /// Which.
        module: ModuleId,
        /// If its ETag is still this.
        precondition: IfMatch,
    },
    /// Change the twin of an identity that stays as it is.
    UpdateTwin {
        /// Whose.
        identity: IdentityId,
        /// The change.
        twin: TwinImport,
    },
}

impl RegistryOperation {
    /// Of which identity.
    pub fn identity(&self) -> IdentityId {
        match self {
            Self::PutDevice { request, .. } => request.id.clone().into(),
            Self::PutModule { request, .. } => {
                IdentityId::module(request.device.clone(), request.id.clone())
            }
            Self::DeleteDevice { id, .. } => id.clone().into(),
            Self::DeleteModule { device, module, .. } => {
                IdentityId::module(device.clone(), module.clone())
            }
            Self::UpdateTwin { identity, .. } => identity.clone(),
        }
    }
}
