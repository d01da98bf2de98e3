//! The JSON form of a module identity (service-protocols.md 2.4), both ways.

use ironhub_domain::HubError;
use ironhub_domain::ids::{DeviceId, ModuleId};
use ironhub_domain::registry::ModuleRequest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::device_json::{AuthenticationBody, authentication, authentication_json, moment};
use crate::http::errors::HttpError;
use crate::http::object::Object;
use crate::router::request::ModuleView;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModuleBody {
    device_id: Option<String>,
    module_id: Option<String>,
    authentication: Option<Object<AuthenticationBody>>,
    managed_by: Option<String>,
}

/// What the body of `PUT /devices/{id}/modules/{mid}` asks for.
pub fn read(device: DeviceId, module: ModuleId, body: &[u8]) -> Result<ModuleRequest, HttpError> {
    let Object(body): Object<ModuleBody> = serde_json::from_slice(body)
        .map_err(|error| HttpError::Json(format!("the body is not a module in JSON: {error}")))?;
    let named = [
        ("deviceId", body.device_id, device.as_str()),
        ("moduleId", body.module_id, module.as_str()),
    ];
    for (field, named, path) in named {
        if named.as_deref().is_some_and(|named| named != path) {
            let reason = format!("{field} in the body is not {path:?} of the path");
            return Err(HubError::InvalidArgument(reason).into());
        }
    }
    Ok(ModuleRequest {
        device,
        id: module,
        authentication: authentication(body.authentication.unwrap_or_default().0)?,
        managed_by: body.managed_by,
    })
}

/// The module as clients read it.
pub fn write(module: &ModuleView) -> Value {
    let identity = &module.identity;
    json!({
        "moduleId": identity.id.as_str(),
        "deviceId": identity.device.as_str(),
        "managedBy": identity.managed_by,
        "generationId": identity.generation,
        "etag": identity.etag,
        "connectionState": if module.connected { "Connected" } else { "Disconnected" },
        "connectionStateUpdatedTime": moment(module.connection_updated),
        "lastActivityTime": moment(module.last_activity),
        "cloudToDeviceMessageCount": module.c2d_count,
        "authentication": authentication_json(&identity.authentication),
    })
}
