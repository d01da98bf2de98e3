use serde_json::json;

use super::*;
use crate::auth::SymmetricKeys;
use crate::device::{DeviceStatus, Thumbprints};
use crate::ids::{DeviceId, ModuleId};
use crate::limits::{IMPORT_ERROR_CHARS_MAX, IMPORT_LINE_BYTES_MAX};
use crate::registry::{AuthenticationRequest, DeviceRequest, IfMatch, PutMode};
use crate::twin::SectionChange;

fn device() -> DeviceId {
    DeviceId::new("d1").unwrap()
}

fn tag(tag: &str) -> IfMatch {
    IfMatch::Tags(vec![tag.into()])
}

#[test]
fn every_mode_in_any_case_asks_for_its_operation() {
    let put = |mode| RegistryOperation::PutDevice {
        mode,
        request: DeviceRequest::new(device()),
        twin: None,
    };
    let delete = |precondition| RegistryOperation::DeleteDevice { id: device(), precondition };
    let any = IfMatch::Any;
    for (word, expected) in [
        ("create", put(PutMode::Create)),
        ("update", put(PutMode::Update(any.clone()))),
        ("updateIfMatchETag", put(PutMode::Update(tag("E")))),
        ("createOrUpdate", put(PutMode::CreateOrUpdate(any.clone()))),
        ("createOrUpdateIfMatchETag", put(PutMode::CreateOrUpdate(tag("E")))),
        ("delete", delete(any)),
        ("deleteIfMatchETag", delete(tag("E"))),
    ] {
        for written in [word.to_owned(), word.to_uppercase(), word.to_lowercase()] {
            let json = format!(r#"{{"id":"d1","eTag":"E","importMode":"{written}"}}"#);
            let item = item(&json);
            assert_eq!((item.mode.as_str(), &item.operation), (word, &expected), "{json}");
        }
    }
    assert_eq!(item(r#"{"id":"d1"}"#).mode, ImportMode::CreateOrUpdate);
    assert_eq!(item(r#"{"id":"d1","importMode":null}"#).mode, ImportMode::CreateOrUpdate);
}

#[test]
fn without_an_etag_nothing_that_exists_matches() {
    let json = r#"{"id":"d1","importMode":"createOrUpdateIfMatchETag"}"#;
    let RegistryOperation::PutDevice { mode, .. } = item(json).operation else { panic!() };
    assert_eq!(mode, PutMode::CreateOrUpdate(IfMatch::Tags(vec![])));
    for word in ["updateIfMatchETag", "deleteIfMatchETag", "updateTwinIfMatchETag"] {
        let json = format!(r#"{{"id":"d1","importMode":"{word}","tags":{{}},"eTag":""}}"#);
        let fault = fault(&json);
        assert_eq!(fault.error.code().name, "ArgumentInvalid", "{json}");
        assert!(fault.error.to_string().contains("needs an"), "{fault:?}");
    }
}

#[test]
fn a_device_is_read_whole() {
    let json = r#"{"id":"d1","eTag":"E","status":"Disabled","statusReason":"why","Unknown":7,
        "authentication":{"symmetricKey":{"primaryKey":"MDEyMzQ1Njc4OWFiY2RlZg==","secondaryKey":null},
            "x509Thumbprint":{"primaryThumbprint":null},"type":"sas"},
        "capabilities":{"iotEdge":true},"deviceScope":"scope","parentScopes":["a","b"]}"#;
    let RegistryOperation::PutDevice { request, .. } = item(json).operation else { panic!() };
    let keys =
        SymmetricKeys { primary: "MDEyMzQ1Njc4OWFiY2RlZg==".into(), secondary: String::new() };
    let expected = DeviceRequest {
        status: DeviceStatus::Disabled,
        status_reason: Some("why".into()),
        authentication: AuthenticationRequest::Sas(keys),
        iot_edge: true,
        device_scope: Some("scope".into()),
        parent_scopes: vec!["a".into(), "b".into()],
        ..DeviceRequest::new(device())
    };
    assert_eq!(request, expected);
}

#[test]
fn every_way_to_write_an_authentication_is_read() {
    let sha1 = "a".repeat(40);
    let signed = AuthenticationRequest::SelfSigned(Thumbprints {
        primary: Some(sha1.clone()),
        secondary: None,
    });
    let print = |name: &str, kind: &str| {
        format!(r#"{{"{name}":{{"primaryThumbprint":"{sha1}","secondaryThumbprint":""}}{kind}}}"#)
    };
    for (written, expected) in [
        ("null".into(), AuthenticationRequest::default()),
        ("{}".into(), AuthenticationRequest::default()),
        (r#"{"type":"SAS","symmetricKey":null}"#.into(), AuthenticationRequest::default()),
        (r#"{"type":"none"}"#.into(), AuthenticationRequest::None),
        (r#"{"type":"CertificateAuthority"}"#.into(), AuthenticationRequest::CertificateAuthority),
        (print("x509Thumbprint", ""), signed.clone()),
        (print("thumbprint", r#","type":"selfSigned""#), signed),
    ] {
        let json = format!(r#"{{"id":"d1","authentication":{written}}}"#);
        let RegistryOperation::PutDevice { request, .. } = item(&json).operation else { panic!() };
        assert_eq!(request.authentication, expected, "{json}");
    }
}

#[test]
fn a_module_goes_to_the_modules() {
    let json = r#"{"id":"d1","moduleId":"m1","managedBy":"x","status":"enabled"}"#;
    let read = item(json);
    assert_eq!(read.operation.identity().to_string(), "d1/m1");
    let RegistryOperation::PutModule { mode, request, twin } = read.operation else { panic!() };
    assert_eq!((mode, twin), (PutMode::CreateOrUpdate(IfMatch::Any), None));
    assert_eq!((request.id.as_str(), request.managed_by.as_deref()), ("m1", Some("x")));
    let json = r#"{"id":"d1","moduleId":"m1","importMode":"deleteIfMatchETag","etag":"E"}"#;
    let expected = RegistryOperation::DeleteModule {
        device: device(),
        module: ModuleId::new("m1").unwrap(),
        precondition: tag("E"),
    };
    assert_eq!(item(json).operation, expected);
}

#[test]
fn a_twin_beside_an_identity_is_whole_and_alone_it_is_a_patch() {
    let with = |mode: &str| {
        format!(
            r#"{{"id":"d1","eTag":"E","twinETag":"T","importMode":"{mode}","tags":{{"a":1}},
            "properties":{{"desired":{{"b":2,"$version":7,"$metadata":{{"b":{{}}}}}},
                "reported":{{"c":3,"$version":8,"$metadata":{{}}}}}}}}"#
        )
    };
    let object = |json: serde_json::Value| json.as_object().cloned().unwrap();
    let (tags, desired) = (object(json!({"a": 1})), object(json!({"b": 2})));
    for (mode, precondition) in [
        ("create", IfMatch::Any),
        ("createOrUpdate", IfMatch::Any),
        ("updateIfMatchETag", tag("T")),
    ] {
        let RegistryOperation::PutDevice { twin, .. } = item(&with(mode)).operation else {
            panic!()
        };
        let twin = twin.unwrap();
        assert_eq!(twin.precondition, precondition, "{mode}");
        assert_eq!(twin.update.tags, Some(SectionChange::Replace(tags.clone())));
        assert_eq!(twin.update.desired, Some(SectionChange::Replace(desired.clone())));
        assert_eq!(twin.reported, Some(object(json!({"c": 3}))));
    }
    for (mode, precondition) in [("updateTwin", IfMatch::Any), ("updateTwinIfMatchETag", tag("T"))]
    {
        let RegistryOperation::UpdateTwin { identity, twin } = item(&with(mode)).operation else {
            panic!()
        };
        assert_eq!((identity.to_string().as_str(), twin.precondition), ("d1", precondition));
        assert_eq!(twin.update.tags, Some(SectionChange::Patch(tags.clone())));
        assert_eq!(twin.update.desired, Some(SectionChange::Patch(desired.clone())));
        assert_eq!(twin.reported, None);
    }
}

#[test]
fn a_bad_item_says_whose_it_is_and_why() {
    for (json, device, code, why) in [
        ("", "", 400_012, "not JSON"),
        ("[]", "", 400_012, "not a JSON object, in: []"),
        ("{}", "", 400_012, "id is missing"),
        (r#"{"id":7}"#, "", 400_012, "id is no text"),
        (r#"{"id":"a b"}"#, "a b", 400_004, "character"),
        (r#"{"id":"d","moduleId":"a/b"}"#, "d", 400_004, "character"),
        (r#"{"id":"d","importMode":"replace"}"#, "d", 400_012, "importMode \"replace\""),
        (r#"{"id":"d","status":"on"}"#, "d", 400_012, "neither enabled nor disabled"),
        (r#"{"id":"d","authentication":7}"#, "d", 400_012, "authentication is not an object"),
        (r#"{"id":"d","authentication":{"type":"SELF_SIGNED"}}"#, "d", 400_012, "SELF_SIGNED"),
        (r#"{"id":"d","authentication":{"type":"selfSigned"}}"#, "d", 400_004, "thumbprint"),
        (r#"{"id":"d","authentication":{"symmetricKey":{"primaryKey":"x"}}}"#, "d", 400_004, "key"),
        (r#"{"id":"d","capabilities":{"iotEdge":1}}"#, "d", 400_012, "iotEdge"),
        (r#"{"id":"d","parentScopes":[1]}"#, "d", 400_012, "parentScopes"),
        (r#"{"id":"d","tags":7}"#, "d", 400_004, "tags is not an object"),
        (r#"{"id":"d","tags":{"a.b":1}}"#, "d", 400_004, "tags.a.b"),
        (r#"{"id":"d","properties":{"reported":{"a b":1}}}"#, "d", 400_004, "properties.reported"),
        (r#"{"id":"d","tags":{"a":123456789012345678901}}"#, "", 400_012, "too large"),
        (r#"{"id":"d","importMode":"updateTwin"}"#, "d", 400_004, "neither tags nor"),
    ] {
        let fault = fault(json);
        assert_eq!((fault.device.as_str(), fault.error.code().number), (device, code), "{json}");
        assert!(fault.error.to_string().contains(why), "{json}: {}", fault.error);
    }
    let long = fault(&"\u{e4}".repeat(IMPORT_LINE_BYTES_MAX));
    assert!(long.error.to_string().chars().count() < IMPORT_ERROR_CHARS_MAX + 100);
}
