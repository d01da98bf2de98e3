//! The rules of the device API that need no hub.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use ironhub_domain::c2d::{AckMode, C2dMessage, C2dProperties, Delivery, LockToken};
use ironhub_domain::event::{AppProperty, D2cMessage};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::time::UnixMs;

use super::messages::{shown, wants_reject};
use super::telemetry::{batch, single};

fn headers(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = HeaderValue::from_str(value.trim()).unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value);
    }
    headers
}

fn properties(message: &D2cMessage) -> Vec<(&str, &str)> {
    message
        .properties
        .iter()
        .map(|property| (&*property.name, property.value.as_deref().unwrap_or("null")))
        .collect()
}

#[test]
fn headers_are_the_properties_of_a_single_message() {
    let message = single(&headers(
        "IoTHub-MessageId: m1\niothub-correlationid: c1\niothub-userid: u\niothub-to: /x\n\
         iothub-contenttype: application/json\niothub-contentencoding: utf-8\n\
         iothub-expiry: 2030-01-01T00:00:00Z\niothub-creationtimeutc: t\niothub-messageschema: s\n\
         iothub-interface-id: i\ndt-subject: c\niothub-ack: full\niothub-app-k: v\n\
         iothub-app-empty: \nhost: hub\nauthorization: secret\niothub-operation: d2c",
    ))
    .unwrap();
    let system = &message.system;
    let text = |slot: &Option<String>| slot.clone().unwrap_or_default();
    assert_eq!(text(&system.message_id), "m1");
    assert_eq!(text(&system.correlation_id), "c1");
    assert_eq!(text(&system.user_id), "u");
    assert_eq!(text(&system.to), "/x");
    assert_eq!(text(&system.content_type), "application/json");
    assert_eq!(text(&system.content_encoding), "utf-8");
    assert_eq!(text(&system.absolute_expiry_time), "2030-01-01T00:00:00Z");
    assert_eq!(text(&system.creation_time), "t");
    assert_eq!(text(&system.message_schema), "s");
    assert_eq!(text(&system.interface_id), "i");
    assert_eq!(text(&system.component_name), "c");
    assert_eq!(properties(&message), [("iothub-ack", "full"), ("k", "v"), ("empty", "")]);
}

#[test]
fn a_batch_is_base64_unless_it_says_otherwise() {
    let messages = batch(
        br#"[{"body":"aGVsbG8=","properties":{"iothub-app-K":"v","iothub-messageid":"m"}},
             {"body":"plain text","base64Encoded":false},{"body":"aGVsbG8"},{"body":""}]"#,
    )
    .unwrap();
    let bodies: Vec<&[u8]> = messages.iter().map(|message| &*message.body).collect();
    assert_eq!(bodies, [&b"hello"[..], b"plain text", b"hello", b""]);
    assert_eq!(properties(&messages[0]), [("K", "v")]);
    assert_eq!(messages[0].system.message_id.as_deref(), Some("m"));
}

#[test]
fn a_bad_batch_is_refused_as_a_whole() {
    let half = "A".repeat(200_000);
    for (text, status) in [
        ("", 400),
        ("{}", 400),
        ("[]", 400),
        (r#"[{"body":"no base64!"}]"#, 400),
        (r#"[{"body":"aGk="},{"body":7}]"#, 400),
        (r#"[{"body":"","properties":{"iothub-app-x":{}}}]"#, 400),
        (r#"[{"body":"","properties":{"iothub-app-x":7}}]"#, 400),
        (r#"[{"properties":{}}]"#, 400),
        (
            &format!(
                r#"[{{"body":"{half}","base64Encoded":false}},{{"body":"{half}","base64Encoded":false}}]"#
            ),
            413,
        ),
    ] {
        let error = batch(text.as_bytes()).unwrap_err();
        assert_eq!(error.face().status.as_u16(), status, "{error}");
    }
}

#[test]
fn reject_is_known_in_every_spelling() {
    for query in ["reject", "api-version=x&reject", "a=b&%3Freject=true", "reject=", "?reject=1"] {
        assert!(wants_reject(query), "{query}");
    }
    for query in ["", "api-version=x", "rejected=1", "a=reject"] {
        assert!(!wants_reject(query), "{query}");
    }
}

#[test]
fn a_delivery_is_a_body_with_headers_and_a_quoted_lock_token() {
    let delivery = Delivery {
        sequence: 7,
        lock: LockToken([0xab; 16]),
        locked_until: UnixMs(1),
        delivery_count: 2,
        sent_before: false,
        enqueued: UnixMs(1_767_323_045_678),
        expires: UnixMs(1_767_323_045_678),
        message: C2dMessage {
            system: C2dProperties {
                message_id: Some("m".into()),
                content_type: Some("application/json".into()),
                absolute_expiry: Some(UnixMs(1_767_323_045_678)),
                ..C2dProperties::default()
            },
            ack: AckMode::Full,
            properties: vec![AppProperty { name: "k".into(), value: None }],
            body: "hi".into(),
        },
    };
    let reply = shown(&IdentityId::device(DeviceId::new("d").unwrap()), delivery);
    let header = |name: &str| reply.headers().get(name).map_or("-", |v| v.to_str().unwrap());
    assert_eq!(header("etag"), "\"abababab-abab-abab-abab-abababababab\"");
    assert_eq!(header("iothub-messageid"), "m");
    assert_eq!(header("iothub-to"), "/devices/d/messages/devicebound");
    assert_eq!(header("iothub-sequencenumber"), "7");
    assert_eq!(header("iothub-deliverycount"), "2");
    assert_eq!(header("iothub-expiry"), "2026-01-02T03:04:05.678Z");
    assert_eq!(header("iothub-ack"), "full");
    assert_eq!(header("contenttype"), "application/json");
    assert_eq!(header("iothub-app-k"), "");
    assert_eq!(header("iothub-correlationid"), "-");
}
