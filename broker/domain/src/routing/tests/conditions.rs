//! What conditions of routes see of a message.

use super::*;
use crate::query::{Condition, Dialect};

#[track_caller]
fn check_on(message: &D2cMessage, text: &str, expected: bool) {
    let (origin, twin) = (origin(), twin());
    let view = MessageView::new(message, Some(&origin), NOW, Some(&twin));
    let condition =
        Condition::parse(text, Dialect::Routing).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(condition.is_met(&view), expected, "{text}");
}

#[track_caller]
fn check(text: &str, expected: bool) {
    let mut message = message(&[
        ("processingPath", "hot"),
        ("severity", "2"),
        ("my-prop", "x"),
        ("a.b", "dotted"),
        ("$own", "mine"),
        ("$connectionDeviceId", "forged"),
        ("twice", "1"),
        ("Twice", "2"),
    ]);
    message.properties.push(AppProperty { name: "null".into(), value: None });
    check_on(&message, text, expected);
}

#[test]
fn the_examples_of_the_originals_documentation_hold() {
    for text in [
        "$contentEncoding = 'utf-8'",
        "processingPath = 'hot'",
        "$contentEncoding = 'utf-8' AND processingPath = 'hot'",
        "$body.Weather.HistoricalData[0].Month = 'Feb'",
        "$body.Weather.Temperature = 50 AND $body.Weather.IsEnabled",
        "length($body.Weather.Location.State) = 2",
        "$body.Weather.Temperature = 50 AND processingPath = 'hot'",
        "$twin.properties.desired.telemetryConfig.sendFrequency = '5m'",
        "$body.Weather.Temperature = 50 AND $twin.properties.desired.telemetryConfig.sendFrequency = '5m'",
        "$twin.tags.deploymentLocation.floor = '1'",
        "is_defined($body.Weather.Temperature)",
        "as_number(severity) <= 2",
    ] {
        check(text, true);
    }
    check("$body[0] = 'Feb'", false);
    check("processingPath = 'alert'", false);
}

#[test]
fn application_properties_are_texts_named_in_any_case() {
    for (text, expected) in [
        ("PROCESSINGPATH = 'hot'", true),
        ("processingPath = 'HOT'", false),
        ("severity = '2'", true),
        ("severity = 2", false),
        ("my-prop = 'x'", true),
        ("a.b = 'dotted'", true),
        ("twice = '1'", true),
        ("null = null", true),
        ("is_defined(none)", false),
        ("none = 'x'", false),
        ("NOT none = 'x'", false),
        ("severity[0] = '2'", false),
        ("messageId = 'm1'", false),
    ] {
        check(text, expected);
    }
}

#[test]
fn system_properties_come_before_application_properties_of_the_name() {
    for (text, expected) in [
        ("$messageId = 'm1'", true),
        ("$MESSAGEID = 'm1'", true),
        ("$contentType = 'application/json'", true),
        ("$connectionDeviceId = 'd1'", true),
        ("$connectionDeviceId = 'forged'", false),
        ("$connectionModuleId = 'm'", true),
        ("$connectionDeviceGenerationId = '638'", true),
        ("contains($connectionAuthMethod, 'module')", true),
        ("$dt-dataschema = 'dtmi:x;1'", true),
        ("$enqueuedTime = '2026-01-02T03:04:05.6780000Z'", true),
        ("$enqueuedTime > '2026-01-01'", true),
        ("$own = 'mine'", true),
        ("own = 'mine'", false),
        ("is_defined($correlationId) OR is_defined($userId) OR is_defined($dt-subject)", false),
        ("$none = 'x'", false),
    ] {
        check(text, expected);
    }
    let mut message = message(&[]);
    message.system.correlation_id = Some("c".into());
    message.system.user_id = Some("u".into());
    message.system.to = Some("t".into());
    message.system.component_name = Some("s".into());
    message.system.creation_time = Some("2026".into());
    let all = "$correlationId = 'c' AND $userId = 'u' AND $to = 't' AND $dt-subject = 's' \
        AND $creation-time-utc = '2026'";
    check_on(&message, all, true);
}

#[test]
fn twins_have_names_in_any_case_but_the_very_name_comes_first() {
    for (text, expected) in [
        ("$twin.tags.n = 7", true),
        ("$TWIN.Tags.N = 7", true),
        ("$twin.tags.case.inner[0] = 1", true),
        ("$twin.Properties.Reported.BatteryLevel = 55", true),
        ("$twin.properties.desired.$version = 1", true),
        ("$twin.tags.none = 1", false),
        ("$twin.tags.n.m = 1", false),
        ("is_defined($twin)", false),
        ("is_object($twin.tags)", true),
    ] {
        check(text, expected);
    }
    let message = message(&[]);
    let without = MessageView::new(&message, None, NOW, None);
    let condition = Condition::parse("is_defined($twin.tags)", Dialect::Routing).unwrap();
    assert!(!condition.is_met(&without));
    let both = Document(json!({"tags": {"A": 1, "a": 2}}));
    let view = MessageView::new(&message, None, NOW, Some(&both));
    for text in ["$twin.tags.a = 2", "$twin.tags.A = 1"] {
        assert!(Condition::parse(text, Dialect::Routing).unwrap().is_met(&view), "{text}");
    }
}

#[test]
fn a_body_is_json_only_if_the_message_says_so_and_it_is() {
    let utf16 = |text: &str, big: bool| {
        let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    let utf32 = |text: &str, big: bool| {
        let bytes =
            |c: char| if big { u32::from(c).to_be_bytes() } else { u32::from(c).to_le_bytes() };
        text.chars().flat_map(bytes).collect::<Vec<u8>>()
    };
    let json = "{\"t\": \"\u{1f600}\"}";
    let marked = format!("\u{feff}{json}");
    let plain = json.as_bytes().to_vec();
    for (content_type, encoding, body, expected) in [
        (Some("application/json"), Some("utf-8"), plain.clone(), true),
        (Some("Application/JSON; charset=utf-8"), Some("UTF-8"), plain.clone(), true),
        (Some("application/json"), Some("utf-8"), marked.as_bytes().to_vec(), true),
        (Some("application/json"), Some("utf-16"), utf16(json, false), true),
        (Some("application/json"), Some("utf-16"), utf16(&marked, false), true),
        (Some("application/json"), Some("UTF-16"), utf16(&marked, true), true),
        (Some("application/json"), Some("utf-32"), utf32(json, false), true),
        (Some("application/json"), Some("utf-32"), utf32(&marked, true), true),
        (Some("application/json"), Some("utf-16"), plain.clone(), false),
        (Some("application/json"), Some("utf-32"), utf16(json, false), false),
        (Some("application/json"), Some("utf-16"), vec![0xd8], false),
        (Some("application/json"), Some("ascii"), plain.clone(), false),
        (Some("application/json"), None, plain.clone(), false),
        (Some("text/plain"), Some("utf-8"), plain.clone(), false),
        (None, Some("utf-8"), plain, false),
        (Some("application/json"), Some("utf-8"), b"{\"t\": ".to_vec(), false),
        (Some("application/json"), Some("utf-8"), b"[".repeat(200_000), false),
        (Some("application/json"), Some("utf-8"), b"\xff".to_vec(), false),
    ] {
        let system = SystemProperties {
            content_type: content_type.map(Into::into),
            content_encoding: encoding.map(Into::into),
            ..SystemProperties::default()
        };
        let shown = format!("{content_type:?} {encoding:?} {:?}", &body[..body.len().min(8)]);
        let message = D2cMessage { system, properties: Vec::new(), body: body.into() };
        let view = MessageView::new(&message, None, NOW, None);
        let condition = Condition::parse("$body.t = '\u{1f600}'", Dialect::Routing).unwrap();
        assert_eq!(condition.is_met(&view), expected, "{shown}");
    }
}

#[test]
fn the_whole_body_and_an_array_that_it_is_are_undefined() {
    let mut message = message(&[]);
    message.body = b"[{\"a\": 1}]".as_slice().into();
    check_on(&message, "is_defined($body)", false);
    check_on(&message, "$body[0].a = 1", false);
    check_on(&message, "is_defined($body[0])", false);
}
