use ironhub_domain::device::DeviceIdentity;

use super::*;

fn id() -> DeviceId {
    DeviceId::new("d1").unwrap()
}

fn check(body: &str, expected: Result<DeviceRequest, &str>) {
    match (read(id(), body.as_bytes()).map_err(|error| error.to_string()), expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{body}"),
        (Err(found), Err(part)) => assert!(found.contains(part), "{body}: {found}"),
        (found, expected) => panic!("{body}: {found:?}, expected {expected:?}"),
    }
}

fn sas(primary: &str, secondary: &str) -> DeviceRequest {
    let keys = SymmetricKeys { primary: primary.into(), secondary: secondary.into() };
    DeviceRequest { authentication: AuthenticationRequest::Sas(keys), ..DeviceRequest::new(id()) }
}

#[test]
fn what_is_absent_or_null_is_the_default() {
    check("{}", Ok(DeviceRequest::new(id())));
    check(r#"{"deviceId":"d1"}"#, Ok(DeviceRequest::new(id())));
    let nulls = r#"{"deviceId":null,"status":null,"statusReason":null,"authentication":null,
        "capabilities":null,"deviceScope":null,"parentScopes":null}"#;
    check(nulls, Ok(DeviceRequest::new(id())));
    let inner = r#"{"authentication":{"type":null,"symmetricKey":{"primaryKey":null},
        "x509Thumbprint":null},"capabilities":{}}"#;
    check(inner, Ok(DeviceRequest::new(id())));
}

#[test]
fn every_field_that_a_client_may_set_is_read() {
    let body = r#"{"deviceId":"d1","status":"disabled","statusReason":"lost",
        "authentication":{"type":"sas","symmetricKey":{"primaryKey":"cA==","secondaryKey":"cw=="}},
        "capabilities":{"iotEdge":true},"deviceScope":"ms-azure-iot-edge://e-1",
        "parentScopes":["a","b"]}"#;
    let expected = DeviceRequest {
        status: DeviceStatus::Disabled,
        status_reason: Some("lost".into()),
        iot_edge: true,
        device_scope: Some("ms-azure-iot-edge://e-1".into()),
        parent_scopes: vec!["a".into(), "b".into()],
        ..sas("cA==", "cw==")
    };
    check(body, Ok(expected));
}

#[test]
fn empty_keys_are_left_to_the_registry() {
    // What Node sends when given only an id (service-protocols.md 2.4).
    let body = r#"{"deviceId":"d1","authentication":{"type":"sas","symmetricKey":
        {"primaryKey":"","secondaryKey":""}}}"#;
    check(body, Ok(sas("", "")));
}

#[test]
fn the_authentication_type_has_no_case_and_may_be_guessed() {
    let with = |authentication| DeviceRequest { authentication, ..DeviceRequest::new(id()) };
    let thumbprints = Thumbprints { primary: Some("AB".into()), secondary: None };
    for body in [
        r#"{"authentication":{"type":"SelfSigned","x509Thumbprint":{"primaryThumbprint":"AB","secondaryThumbprint":""}}}"#,
        r#"{"authentication":{"x509Thumbprint":{"primaryThumbprint":"AB"}}}"#,
    ] {
        check(body, Ok(with(AuthenticationRequest::SelfSigned(thumbprints.clone()))));
    }
    let authority = with(AuthenticationRequest::CertificateAuthority);
    check(r#"{"authentication":{"type":"certificateAuthority"}}"#, Ok(authority));
    check(r#"{"authentication":{"type":"none"}}"#, Ok(with(AuthenticationRequest::None)));
    check(r#"{"authentication":{"type":"x"}}"#, Err("none of sas, selfSigned"));
}

#[test]
fn unknown_fields_are_ignored() {
    let body = r#"{"deviceId":"d1","etag":"x","generationId":7,"connectionState":{},"new":[1]}"#;
    check(body, Ok(DeviceRequest::new(id())));
}

#[test]
fn malformed_json_and_wrong_types_are_refused_with_their_place() {
    for body in [
        "",
        "{",
        "[]",
        "[\"d1\",null,null,null,null,null,null]",
        "null",
        "\"d1\"",
        "{} {}",
        "{\"deviceId\":\"d1\",}",
        "\u{feff}{}",
    ] {
        check(body, Err("the body is not a device in JSON"));
    }
    for (body, part) in [
        (r#"{"deviceId":1}"#, "expected a string"),
        (r#"{"status":true}"#, "expected a string"),
        (r#"{"statusReason":{}}"#, "expected a string"),
        (r#"{"authentication":"sas"}"#, "expected an object"),
        (r#"{"authentication":["sas",null,null]}"#, "expected an object"),
        (r#"{"capabilities":[true]}"#, "expected an object"),
        (r#"{"authentication":{"symmetricKey":{"primaryKey":5}}}"#, "expected a string"),
        (r#"{"capabilities":{"iotEdge":"yes"}}"#, "expected a boolean"),
        (r#"{"parentScopes":"a"}"#, "expected a sequence"),
        (r#"{"parentScopes":[1]}"#, "expected a string"),
        (r#"{"status":"paused"}"#, "neither enabled nor disabled"),
        (r#"{"deviceId":"D1"}"#, "not \"d1\" of the path"),
        (r#"{"deviceId":""}"#, "not \"d1\" of the path"),
    ] {
        check(body, Err(part));
    }
    assert!(read(id(), b"{\"statusReason\":\"\xff\"}").is_err());
    // Nesting never costs us our stack, neither where it is ignored nor where it is looked at.
    let deep = |field| format!(r#"{{"{field}":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    check(&deep("unknown"), Ok(DeviceRequest::new(id())));
    check(&deep("parentScopes"), Err("expected a string"));
}

#[test]
fn an_identity_is_written_with_every_field_of_the_original() {
    let keys = SymmetricKeys { primary: "cA==".into(), secondary: "cw==".into() };
    let identity = DeviceIdentity {
        id: id(),
        generation: "638".into(),
        etag: "MTIz".into(),
        status: DeviceStatus::Enabled,
        status_reason: None,
        status_updated: None,
        authentication: Authentication::Sas(keys),
        iot_edge: false,
        device_scope: None,
        parent_scopes: Vec::new(),
        created: UnixMs(1),
    };
    let expected = json!({
        "deviceId": "d1", "generationId": "638", "etag": "MTIz", "connectionState": "Disconnected",
        "status": "enabled", "statusReason": null,
        "connectionStateUpdatedTime": "0001-01-01T00:00:00Z",
        "statusUpdatedTime": "0001-01-01T00:00:00Z",
        "lastActivityTime": "0001-01-01T00:00:00Z",
        "cloudToDeviceMessageCount": 0,
        "authentication": {
            "symmetricKey": {"primaryKey": "cA==", "secondaryKey": "cw=="},
            "x509Thumbprint": {"primaryThumbprint": null, "secondaryThumbprint": null},
            "type": "sas",
        },
        "capabilities": {"iotEdge": false}, "deviceScope": null, "parentScopes": [],
    });
    assert_eq!(write(&DeviceView::offline(identity.clone())), expected);
    let active = DeviceView {
        identity: DeviceIdentity {
            status_updated: Some(UnixMs(1_795_381_563_004)),
            authentication: Authentication::SelfSigned(Thumbprints {
                primary: Some("AB".into()),
                secondary: None,
            }),
            ..identity
        },
        connected: true,
        last_activity: UnixMs(1_795_381_563_123),
        connection_updated: UnixMs(1_795_381_563_000),
        c2d_count: 0,
    };
    let json = write(&active);
    assert_eq!(json["connectionState"], "Connected");
    assert_eq!(json["lastActivityTime"], "2026-11-22T21:06:03.1230000Z");
    assert_eq!(json["statusUpdatedTime"], "2026-11-22T21:06:03.0040000Z");
    assert_eq!(json["authentication"]["type"], "selfSigned");
    assert_eq!(json["authentication"]["x509Thumbprint"]["primaryThumbprint"], "AB");
    assert_eq!(json["authentication"]["symmetricKey"]["primaryKey"], Value::Null);
}
