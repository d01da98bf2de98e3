//! The JSON form of a device identity (service-protocols.md 2.4), both ways.
//!
//! Reading: null is absent, unknown fields are ignored (clients send whole replies back), a wrong type is an error that
//! names the place. Writing: every field of the original, never-set times as the year 1.

use ironhub_domain::HubError;
use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::device::{Authentication, DeviceStatus, Thumbprints};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::registry::{AuthenticationRequest, DeviceRequest};
use ironhub_domain::time::UnixMs;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::http::errors::HttpError;
use crate::http::object::Object;
use crate::router::request::DeviceView;

/// How "never" is written.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceBody {
    device_id: Option<String>,
    status: Option<String>,
    status_reason: Option<String>,
    authentication: Option<Object<AuthenticationBody>>,
    capabilities: Option<Object<CapabilitiesBody>>,
    device_scope: Option<String>,
    parent_scopes: Option<Vec<String>>,
}

/// `authentication` of a device or module.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthenticationBody {
    r#type: Option<String>,
    symmetric_key: Option<Object<KeysBody>>,
    x509_thumbprint: Option<Object<ThumbprintsBody>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeysBody {
    primary_key: Option<String>,
    secondary_key: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThumbprintsBody {
    primary_thumbprint: Option<String>,
    secondary_thumbprint: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CapabilitiesBody {
    iot_edge: Option<bool>,
}

/// What the body of `PUT /devices/{id}` asks for. The rules of the fields themselves are the registry's.
pub fn read(id: DeviceId, body: &[u8]) -> Result<DeviceRequest, HttpError> {
    let Object(body): Object<DeviceBody> = serde_json::from_slice(body)
        .map_err(|error| HttpError::Json(format!("the body is not a device in JSON: {error}")))?;
    if let Some(named) = &body.device_id
        && named != id.as_str()
    {
        let reason = format!("deviceId {named:?} in the body is not {:?} of the path", id.as_str());
        return Err(HubError::InvalidArgument(reason).into());
    }
    let status = match body.status.as_deref() {
        None => DeviceStatus::default(),
        Some(text) => DeviceStatus::parse(text).ok_or_else(|| {
            HubError::InvalidArgument(format!("status {text:?} is neither enabled nor disabled"))
        })?,
    };
    Ok(DeviceRequest {
        id,
        status,
        status_reason: body.status_reason,
        authentication: authentication(body.authentication.unwrap_or_default().0)?,
        iot_edge: body.capabilities.and_then(|c| c.0.iot_edge).unwrap_or(false),
        device_scope: body.device_scope,
        parent_scopes: body.parent_scopes.unwrap_or_default(),
    })
}

pub(super) fn authentication(body: AuthenticationBody) -> Result<AuthenticationRequest, HubError> {
    let keys = body.symmetric_key.unwrap_or_default().0;
    let keys = SymmetricKeys {
        primary: keys.primary_key.unwrap_or_default(),
        secondary: keys.secondary_key.unwrap_or_default(),
    };
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let thumbprints = body.x509_thumbprint.unwrap_or_default().0;
    let thumbprints = Thumbprints {
        primary: given(thumbprints.primary_thumbprint),
        secondary: given(thumbprints.secondary_thumbprint),
    };
    let Some(kind) = body.r#type else {
        // Clients of the oldest api-versions name no type; what they give says which it is.
        return Ok(if thumbprints == Thumbprints::default() {
            AuthenticationRequest::Sas(keys)
        } else {
            AuthenticationRequest::SelfSigned(thumbprints)
        });
    };
    match kind.to_ascii_lowercase().as_str() {
        "sas" => Ok(AuthenticationRequest::Sas(keys)),
        "selfsigned" => Ok(AuthenticationRequest::SelfSigned(thumbprints)),
        "certificateauthority" => Ok(AuthenticationRequest::CertificateAuthority),
        "none" => Ok(AuthenticationRequest::None),
        _ => Err(HubError::InvalidArgument(format!(
            "authentication.type {kind:?} is none of sas, selfSigned, certificateAuthority, none"
        ))),
    }
}

/// The identity as clients read it.
pub fn write(device: &DeviceView) -> Value {
    let identity = &device.identity;
    json!({
        "deviceId": identity.id.as_str(),
        "generationId": identity.generation,
        "etag": identity.etag,
        "connectionState": if device.connected { "Connected" } else { "Disconnected" },
        "status": identity.status.as_str(),
        "statusReason": identity.status_reason,
        "connectionStateUpdatedTime": moment(device.connection_updated),
        "statusUpdatedTime": moment(identity.status_updated.unwrap_or_default()),
        "lastActivityTime": moment(device.last_activity),
        "cloudToDeviceMessageCount": device.c2d_count,
        "authentication": authentication_json(&identity.authentication),
        "capabilities": {"iotEdge": identity.iot_edge},
        "deviceScope": identity.device_scope,
        "parentScopes": identity.parent_scopes,
    })
}

/// `authentication` of a device or module, keys included.
pub(super) fn authentication_json(authentication: &Authentication) -> Value {
    let (primary_key, secondary_key, thumbprints) = match authentication {
        Authentication::Sas(keys) => {
            (Some(&keys.primary), Some(&keys.secondary), Thumbprints::default())
        }
        Authentication::SelfSigned(thumbprints) => (None, None, thumbprints.clone()),
        Authentication::CertificateAuthority | Authentication::None => {
            (None, None, Thumbprints::default())
        }
    };
    json!({
        "symmetricKey": {"primaryKey": primary_key, "secondaryKey": secondary_key},
        "x509Thumbprint": {
            "primaryThumbprint": thumbprints.primary,
            "secondaryThumbprint": thumbprints.secondary,
        },
        "type": authentication.type_name(),
    })
}

/// ISO 8601, UTC, seven decimals as the original writes them; zero is never.
pub(super) fn moment(at: UnixMs) -> String {
    if at == UnixMs::default() {
        return NEVER.to_owned();
    }
    let nanoseconds = i128::from(at.0) * 1_000_000;
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_else(|| NEVER.to_owned())
}

#[cfg(test)]
mod tests;
