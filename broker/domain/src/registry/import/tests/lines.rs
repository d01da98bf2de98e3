use serde_json::{Value, json};

use super::*;
use crate::auth::SymmetricKeys;
use crate::device::{Authentication, DeviceIdentity, DeviceStatus, ModuleIdentity, Thumbprints};
use crate::ids::{DeviceId, ModuleId};
use crate::registry::{AuthenticationRequest, IfMatch};
use crate::time::UnixMs;
use crate::twin::{SectionChange, Twin, TwinUpdate};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";

fn keys() -> Authentication {
    Authentication::Sas(SymmetricKeys { primary: KEY.into(), secondary: KEY.into() })
}

fn device(authentication: Authentication) -> DeviceIdentity {
    DeviceIdentity {
        id: DeviceId::new("d1").unwrap(),
        generation: "1".into(),
        etag: "E".into(),
        status: DeviceStatus::Disabled,
        status_reason: Some("why".into()),
        status_updated: None,
        authentication,
        iot_edge: true,
        device_scope: Some("scope".into()),
        parent_scopes: vec!["a".into()],
        created: UnixMs(0),
    }
}

fn twin() -> Twin {
    let object = |json: Value| json.as_object().cloned().unwrap();
    let mut twin = Twin::new(UnixMs(0));
    twin.tags = object(json!({"a": 1}));
    twin.desired.values = object(json!({"b": {"c": [1.5, null]}}));
    twin.reported.values = object(json!({"d": "\u{e4}\n"}));
    twin
}

#[test]
fn a_device_is_one_line_of_the_originals_form() {
    let line = device_line(&device(keys()), Some(&twin()), false);
    assert!(!line.contains('\n'));
    let stamp = json!({"$lastUpdated": "1970-01-01T00:00:00.000Z"});
    let mut expected = json!({
        "id": "d1", "eTag": "E", "status": "disabled", "statusReason": "why",
        "authentication": {"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY},
            "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null}, "type": "sas"},
        "twinETag": "AAAAAAAAAAE=", "tags": {"a": 1},
        "properties": {
            "desired": {"b": {"c": [1.5, null]}, "$version": 1, "$metadata": stamp},
            "reported": {"d": "\u{e4}\n", "$version": 1, "$metadata": stamp},
        },
        "capabilities": {"iotEdge": true}, "deviceScope": "scope", "parentScopes": ["a"],
    });
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    assert_eq!(read(&line), expected);
    expected["authentication"]["symmetricKey"] = json!({"primaryKey": null, "secondaryKey": null});
    for member in ["twinETag", "tags", "properties"] {
        expected.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(read(&device_line(&device(keys()), None, true)), expected);
}

#[test]
fn what_is_exported_can_be_imported() {
    let prints = Thumbprints { primary: Some("b".repeat(64)), secondary: None };
    for authentication in [
        keys(),
        Authentication::SelfSigned(prints),
        Authentication::CertificateAuthority,
        Authentication::None,
    ] {
        let device = device(authentication.clone());
        let imported = item(&device_line(&device, Some(&twin()), false)).operation;
        let RegistryOperation::PutDevice { request, twin: moved, .. } = imported else { panic!() };
        assert_eq!((&request.id, request.status), (&device.id, device.status));
        assert_eq!((&request.status_reason, request.iot_edge), (&device.status_reason, true));
        assert_eq!(request.device_scope, device.device_scope);
        assert_eq!(request.parent_scopes, device.parent_scopes);
        match (&request.authentication, &authentication) {
            (AuthenticationRequest::Sas(keys), Authentication::Sas(expected)) => {
                assert!(keys == expected);
            }
            (AuthenticationRequest::SelfSigned(prints), Authentication::SelfSigned(expected)) => {
                assert_eq!(prints, expected);
            }
            (AuthenticationRequest::None, Authentication::None)
            | (AuthenticationRequest::CertificateAuthority, Authentication::CertificateAuthority) =>
                {}
            other => panic!("{other:?}"),
        }
        let expected = TwinImport {
            update: TwinUpdate {
                tags: Some(SectionChange::Replace(twin().tags)),
                desired: Some(SectionChange::Replace(twin().desired.values)),
            },
            precondition: IfMatch::Any,
            reported: Some(twin().reported.values),
        };
        assert_eq!(moved, Some(expected));
    }
}

#[test]
fn a_module_is_a_line_that_can_be_imported() {
    let module = ModuleIdentity {
        device: DeviceId::new("d1").unwrap(),
        id: ModuleId::new("m1").unwrap(),
        generation: "1".into(),
        etag: "E".into(),
        authentication: keys(),
        managed_by: Some("x".into()),
        created: UnixMs(0),
    };
    let line = module_line(&module, Some(&twin()), true);
    assert!(!line.contains(KEY), "{line}");
    let RegistryOperation::PutModule { request, twin: moved, .. } = item(&line).operation else {
        panic!("{line}")
    };
    assert_eq!((request.device, request.id), (module.device, module.id));
    assert_eq!(request.managed_by, module.managed_by);
    assert_eq!(request.authentication, AuthenticationRequest::default());
    assert_eq!(moved.unwrap().reported, Some(twin().reported.values));
}

#[test]
fn the_log_of_an_import_has_a_line_for_each_fault() {
    let exists = ItemFault::of(
        &item(r#"{"id":"d1","moduleId":"m1"}"#),
        HubError::ModuleAlreadyExists("d1/m1".into()),
    );
    let log = r#"{"deviceId":"d1","moduleId":"m1","line":7,"errorCode":409301,"errorStatus":"module \"d1/m1\" already exists"}"#;
    assert_eq!(
        serde_json::from_str::<Value>(&exists.log_line(7)).unwrap(),
        serde_json::from_str::<Value>(log).unwrap()
    );
    let unread: Value = serde_json::from_str(&fault("{\"id\n").log_line(7)).unwrap();
    assert_eq!((unread["errorCode"].as_u64(), unread.get("deviceId")), (Some(400_012), None));
    assert!(unread["errorStatus"].as_str().unwrap().ends_with("in: {\"id\n"));
    let internal = ItemFault { error: HubError::Internal("/secret".into()), ..exists };
    assert!(!internal.log_line(7).contains("secret"));
}
