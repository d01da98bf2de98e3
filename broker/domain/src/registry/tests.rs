use super::*;
use crate::auth::SymmetricKeys;
use crate::device::{Authentication, DeviceStatus, Thumbprints};
use crate::ids::DeviceId;
use crate::time::UnixMs;

/// 16 and 64 bytes: the shortest and the longest key.
const KEY_16: &str = "MDEyMzQ1Njc4OWFiY2RlZg==";
const KEY_64: &str =
    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==";

fn keys(primary: &str, secondary: &str) -> SymmetricKeys {
    SymmetricKeys { primary: primary.into(), secondary: secondary.into() }
}

fn request() -> DeviceRequest {
    DeviceRequest::new(DeviceId::new("dev1").unwrap())
}

fn fresh(n: u64) -> Fresh {
    Fresh {
        generation: format!("generation{n}"),
        etag: format!("etag{n}"),
        keys: keys(&format!("primary{n}"), &format!("secondary{n}")),
        now: UnixMs(n),
    }
}

fn existing() -> DeviceIdentity {
    create(None, &request(), &fresh(1)).unwrap()
}

#[test]
fn a_create_of_an_id_alone_is_an_enabled_device_with_keys_of_the_hub() {
    let device = existing();
    assert_eq!(device.authentication, Authentication::Sas(keys("primary1", "secondary1")));
    assert_eq!((device.generation.as_str(), device.etag.as_str()), ("generation1", "etag1"));
    assert!(device.is_enabled());
    assert_eq!(device.status_updated, None);
    assert_eq!(device.created, UnixMs(1));
}

#[test]
fn only_the_keys_left_empty_are_the_hubs() {
    for (given, expected) in [
        (keys("", ""), keys("primary1", "secondary1")),
        (keys(KEY_16, ""), keys(KEY_16, "secondary1")),
        (keys("", KEY_64), keys("primary1", KEY_64)),
        (keys(KEY_16, KEY_64), keys(KEY_16, KEY_64)),
    ] {
        let request =
            DeviceRequest { authentication: AuthenticationRequest::Sas(given), ..request() };
        assert_eq!(create(None, &request, &fresh(1)).unwrap().keys(), expected);
    }
}

#[test]
fn every_put_mode_meets_every_state_of_the_id() {
    let device = existing();
    let tag = |tag: &str| IfMatch::parse(tag);
    let conflict = Err(HubError::DeviceAlreadyExists("dev1".into()));
    let missing = Err(HubError::DeviceNotFound("dev1".into()));
    let stale = Err(HubError::PreconditionFailed { current: "etag1".into() });
    let done = Ok("etag2".to_owned());
    for (mode, exists, expected) in [
        (PutMode::Create, false, &done),
        (PutMode::Create, true, &conflict),
        (PutMode::Update(tag("*")), true, &done),
        (PutMode::Update(tag("\"*\"")), true, &done),
        (PutMode::Update(tag("\"etag1\"")), true, &done),
        (PutMode::Update(tag("etag1")), true, &done),
        (PutMode::Update(tag("W/\"etag1\"")), true, &done),
        (PutMode::Update(tag("\"other\", \"etag1\"")), true, &done),
        (PutMode::Update(tag("\"etag0\"")), true, &stale),
        (PutMode::Update(tag("")), true, &stale),
        (PutMode::Update(tag("\"\"")), true, &stale),
        (PutMode::Update(tag("*")), false, &missing),
        (PutMode::Update(tag("\"etag1\"")), false, &missing),
        (PutMode::CreateOrUpdate(tag("*")), false, &done),
        (PutMode::CreateOrUpdate(tag("*")), true, &done),
        (PutMode::CreateOrUpdate(tag("\"etag0\"")), true, &stale),
    ] {
        let change = PutDevice { mode, request: request(), fresh: fresh(2) };
        let result = put(exists.then_some(&device), &change).map(|device| device.etag);
        assert_eq!(&result, expected, "{:?} exists: {exists}", change.mode);
    }
}

#[test]
fn delete_needs_the_id_and_its_etag() {
    let device = existing();
    let check = |exists: bool, tag: &str| {
        delete(exists.then_some(&device), &device.id, &IfMatch::parse(tag))
    };
    assert_eq!(check(true, "\"*\""), Ok(()));
    assert_eq!(check(true, "\"etag1\""), Ok(()));
    assert_eq!(
        check(true, "\"etag0\""),
        Err(HubError::PreconditionFailed { current: "etag1".into() })
    );
    assert_eq!(check(false, "*"), Err(HubError::DeviceNotFound("dev1".into())));
}

#[test]
fn an_update_replaces_the_mutable_fields_and_keeps_the_rest() {
    let device = existing();
    let request = DeviceRequest {
        status: DeviceStatus::Disabled,
        status_reason: Some("stolen".into()),
        iot_edge: true,
        device_scope: Some("ms-azure-iot-edge://dev1-1".into()),
        ..request()
    };
    let updated = update(Some(&device), &IfMatch::Any, &request, &fresh(2)).unwrap();
    assert_eq!(
        updated,
        DeviceIdentity {
            etag: "etag2".into(),
            status: DeviceStatus::Disabled,
            status_reason: Some("stolen".into()),
            status_updated: Some(UnixMs(2)),
            iot_edge: true,
            device_scope: Some("ms-azure-iot-edge://dev1-1".into()),
            ..device.clone()
        },
        "keys that the update does not name stay"
    );
    let again = update(Some(&updated), &IfMatch::Any, &request, &fresh(3)).unwrap();
    assert_eq!(again.status_updated, Some(UnixMs(2)), "the status did not change");
}

#[test]
fn keys_go_with_the_authentication_type_and_come_anew_with_it() {
    let thumbprints = Thumbprints { primary: Some("ab".repeat(20)), secondary: None };
    let with =
        |authentication: AuthenticationRequest| DeviceRequest { authentication, ..request() };
    let selfsigned = with(AuthenticationRequest::SelfSigned(thumbprints.clone()));
    let device = update(Some(&existing()), &IfMatch::Any, &selfsigned, &fresh(2)).unwrap();
    assert_eq!(device.authentication, Authentication::SelfSigned(thumbprints));
    assert_eq!(device.keys(), SymmetricKeys::default());
    let device = update(Some(&device), &IfMatch::Any, &request(), &fresh(3)).unwrap();
    assert_eq!(device.keys(), keys("primary3", "secondary3"));
}

#[test]
fn fields_that_break_a_rule_are_refused() {
    let sas = |key: &str| AuthenticationRequest::Sas(keys(key, ""));
    let thumbprint = |text: &str| {
        AuthenticationRequest::SelfSigned(Thumbprints {
            primary: None,
            secondary: Some(text.into()),
        })
    };
    let cases = [
        (DeviceRequest { status_reason: Some("r".repeat(128)), ..request() }, true),
        (DeviceRequest { status_reason: Some("r".repeat(129)), ..request() }, false),
        (DeviceRequest { device_scope: Some("s".repeat(256)), ..request() }, true),
        (DeviceRequest { device_scope: Some("s".repeat(257)), ..request() }, false),
        (DeviceRequest { parent_scopes: vec!["s".into(); 16], ..request() }, true),
        (DeviceRequest { parent_scopes: vec!["s".into(); 17], ..request() }, false),
        (DeviceRequest { parent_scopes: vec!["s".repeat(257)], ..request() }, false),
        (DeviceRequest { authentication: sas(KEY_16), ..request() }, true),
        (DeviceRequest { authentication: sas(KEY_64), ..request() }, true),
        (DeviceRequest { authentication: sas("MDEyMzQ1Njc4OWFiY2Rl"), ..request() }, false),
        (DeviceRequest { authentication: sas(&format!("AAAA{KEY_64}")), ..request() }, false),
        (DeviceRequest { authentication: sas("not base64 at all"), ..request() }, false),
        (DeviceRequest { authentication: thumbprint(&"0a".repeat(20)), ..request() }, true),
        (DeviceRequest { authentication: thumbprint(&"0A".repeat(32)), ..request() }, true),
        (DeviceRequest { authentication: thumbprint(&"0g".repeat(20)), ..request() }, false),
        (DeviceRequest { authentication: thumbprint("00"), ..request() }, false),
        (
            DeviceRequest {
                authentication: AuthenticationRequest::SelfSigned(Thumbprints::default()),
                ..request()
            },
            false,
        ),
    ];
    for (request, good) in cases {
        assert_eq!(create(None, &request, &fresh(1)).is_ok(), good, "{request:?}");
        let updated = update(Some(&existing()), &IfMatch::Any, &request, &fresh(2));
        assert_eq!(updated.is_ok(), good, "{request:?}");
    }
}
