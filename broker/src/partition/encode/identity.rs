//! Names of devices and modules.

use ironhub_domain::HubError;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_proto as proto;

pub(super) fn to_proto(identity: &IdentityId) -> proto::Identity {
    proto::Identity {
        device_id: identity.device.as_str().to_owned(),
        module_id: identity.module.as_ref().map(|module| module.as_str().to_owned()),
    }
}

/// None at all is refused as an empty id is.
pub(super) fn from_proto(identity: Option<proto::Identity>) -> Result<IdentityId, HubError> {
    let proto::Identity { device_id, module_id } = identity.unwrap_or_default();
    Ok(IdentityId {
        device: DeviceId::new(&device_id)?,
        module: module_id.as_deref().map(ModuleId::new).transpose()?,
    })
}
