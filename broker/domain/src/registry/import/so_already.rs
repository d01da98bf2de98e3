//! Whether what an item asks for is so already.
//!
//! An import that goes on after its node ended cannot know whether the last items that it had begun were carried out. When
//! such an item is refused now, because the device that it creates exists or the ETag that it names is gone, what counts is
//! whether the registry is as the item wants it.

use super::{RegistryOperation, TwinImport};
use crate::auth::SymmetricKeys;
use crate::device::{DeviceIdentity, ModuleIdentity};
use crate::limits::TwinLimits;
use crate::registry::{Fresh, IfMatch, PutMode, PutModule, put_module, update};
use crate::time::UnixMs;
use crate::twin::Twin;

/// What there is of an item's identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The device, also of a module.
    pub device: Option<DeviceIdentity>,
    /// The module, if the item is about one.
    pub module: Option<ModuleIdentity>,
    /// The twin of the device or module that the item is about.
    pub twin: Option<Twin>,
}

impl RegistryOperation {
    /// Whether carrying it out would change nothing. ETags do not count; neither do keys that the item leaves to the hub.
    pub fn is_so_already(&self, found: &Found, limits: &TwinLimits, now: UnixMs) -> bool {
        let fresh = |etag: &str| Fresh {
            generation: String::new(),
            etag: etag.to_owned(),
            keys: SymmetricKeys::default(),
            now,
        };
        let twin_is_so = |twin: &Option<TwinImport>| {
            twin.as_ref().is_none_or(|twin| twin.is_so_already(found.twin.as_ref(), limits, now))
        };
        match self {
            Self::PutDevice { request, twin, .. } => {
                let Some(device) = &found.device else { return false };
                let after = update(Some(device), &IfMatch::Any, request, &fresh(&device.etag));
                after.is_ok_and(|after| after == *device) && twin_is_so(twin)
            }
            Self::PutModule { request, twin, .. } => {
                let Some(module) = &found.module else { return false };
                let put = PutModule {
                    mode: PutMode::Update(IfMatch::Any),
                    request: request.clone(),
                    fresh: fresh(&module.etag),
                };
                let after = put_module(found.device.as_ref(), std::slice::from_ref(module), &put);
                after.is_ok_and(|after| after == *module) && twin_is_so(twin)
            }
            Self::DeleteDevice { .. } => found.device.is_none(),
            Self::DeleteModule { .. } => found.module.is_none(),
            Self::UpdateTwin { twin, .. } => twin.is_so_already(found.twin.as_ref(), limits, now),
        }
    }
}

impl TwinImport {
    fn is_so_already(&self, found: Option<&Twin>, limits: &TwinLimits, now: UnixMs) -> bool {
        let Some(twin) = found else { return false };
        let change = Self { precondition: IfMatch::Any, ..self.clone() };
        change.update(twin.clone(), limits, now).is_ok_and(|change| {
            change.twin.tags == twin.tags
                && change.twin.desired.values == twin.desired.values
                && change.twin.reported.values == twin.reported.values
        })
    }
}
