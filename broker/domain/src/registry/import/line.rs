//! One identity as a line of an export file (service-protocols.md 2.5, 2.10).

use serde_json::{Value, json};

use crate::auth::SymmetricKeys;
use crate::device::{Authentication, DeviceIdentity, ModuleIdentity, Thumbprints};
use crate::twin::{Object, Twin};

/// A device as a line, without its end. A twin that was never changed has nothing to be moved. Without keys these are
/// null: whoever imports the line gets new ones.
pub fn device_line(device: &DeviceIdentity, twin: Option<&Twin>, without_keys: bool) -> String {
    let mut line = Object::new();
    line.insert("id".into(), device.id.as_str().into());
    line.insert("eTag".into(), device.etag.as_str().into());
    line.insert("status".into(), device.status.as_str().into());
    line.insert("statusReason".into(), json!(device.status_reason));
    line.insert("authentication".into(), authentication(&device.authentication, without_keys));
    add_twin(&mut line, twin);
    line.insert("capabilities".into(), json!({"iotEdge": device.iot_edge}));
    line.insert("deviceScope".into(), json!(device.device_scope));
    line.insert("parentScopes".into(), json!(device.parent_scopes));
    Value::Object(line).to_string()
}

/// A module as a line, without its end. In a file it comes after its device.
pub fn module_line(module: &ModuleIdentity, twin: Option<&Twin>, without_keys: bool) -> String {
    let mut line = Object::new();
    line.insert("id".into(), module.device.as_str().into());
    line.insert("moduleId".into(), module.id.as_str().into());
    line.insert("eTag".into(), module.etag.as_str().into());
    line.insert("authentication".into(), authentication(&module.authentication, without_keys));
    add_twin(&mut line, twin);
    line.insert("managedBy".into(), json!(module.managed_by));
    Value::Object(line).to_string()
}

fn add_twin(line: &mut Object, twin: Option<&Twin>) {
    let Some(twin) = twin else { return };
    let mut view = twin.service_view();
    for (from, to) in [("etag", "twinETag"), ("tags", "tags"), ("properties", "properties")] {
        line.insert(to.into(), view.remove(from).unwrap_or_default());
    }
}

fn authentication(authentication: &Authentication, without_keys: bool) -> Value {
    let none = (None, None);
    let (keys, thumbprints) = match authentication {
        Authentication::Sas(SymmetricKeys { primary, secondary }) if !without_keys => {
            ((Some(primary), Some(secondary)), none)
        }
        Authentication::SelfSigned(Thumbprints { primary, secondary }) => {
            (none, (primary.as_ref(), secondary.as_ref()))
        }
        Authentication::Sas(_) | Authentication::CertificateAuthority | Authentication::None => {
            (none, none)
        }
    };
    json!({
        "symmetricKey": {"primaryKey": keys.0, "secondaryKey": keys.1},
        "x509Thumbprint": {
            "primaryThumbprint": thumbprints.0, "secondaryThumbprint": thumbprints.1,
        },
        "type": authentication.type_name(),
    })
}
