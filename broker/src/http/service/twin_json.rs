//! The JSON form of a twin (service-protocols.md 2.6).

use ironhub_domain::device::{Authentication, Thumbprints};
use serde_json::{Value, json};

use super::device_json::moment;
use crate::router::request::TwinView;

/// The whole document, identity fields included.
pub fn write(view: &TwinView) -> Value {
    let device = &view.device.identity;
    let (etag, authentication) = match &view.module {
        Some(module) => (&module.etag, &module.authentication),
        None => (&device.etag, &device.authentication),
    };
    let thumbprints = match authentication {
        Authentication::SelfSigned(thumbprints) => thumbprints.clone(),
        Authentication::Sas(_) | Authentication::CertificateAuthority | Authentication::None => {
            Thumbprints::default()
        }
    };
    let mut document = json!({
        "deviceId": device.id.as_str(),
        "etag": view.twin.etag(),
        "deviceEtag": etag,
        "status": device.status.as_str(),
        "statusReason": device.status_reason,
        "statusUpdateTime": moment(device.status_updated.unwrap_or_default()),
        "connectionState": if view.device.connected { "Connected" } else { "Disconnected" },
        "lastActivityTime": moment(view.device.last_activity),
        "cloudToDeviceMessageCount": view.c2d_count,
        "authenticationType": authentication.type_name(),
        "x509Thumbprint": {
            "primaryThumbprint": thumbprints.primary,
            "secondaryThumbprint": thumbprints.secondary,
        },
        "modelId": view.model_id.as_deref().unwrap_or_default(),
        "version": view.twin.version,
        "capabilities": {"iotEdge": device.iot_edge},
    });
    if let Value::Object(document) = &mut document {
        if let Some(module) = &view.module {
            document.insert("moduleId".into(), module.id.as_str().into());
        } else {
            if let Some(scope) = &device.device_scope {
                document.insert("deviceScope".into(), scope.as_str().into());
            }
            if !device.parent_scopes.is_empty() {
                document.insert("parentScopes".into(), json!(device.parent_scopes));
            }
        }
        document.extend(view.twin.service_view());
    }
    document
}
