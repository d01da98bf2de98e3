//! An event as text: a line for people, a JSON object for programs.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use ironhub_wire::amqp::{DecodeError, Map, Message, MessageId, Properties, Text, Value};
use serde_json::{Map as Json, Value as JsonValue, json};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cli::output::escaped;

/// Bytes of a binary body that a line shows.
const BINARY_BYTES_SHOWN: usize = 32;

/// What of an event is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    partition: u32,
    annotations: Map,
    properties: Properties,
    application: Map,
    body: Bytes,
}

impl Shown {
    /// Reads a received message.
    pub(super) fn read(partition: u32, message: &Message) -> Result<Self, DecodeError> {
        Ok(Self {
            partition,
            annotations: message.message_annotations()?,
            properties: message.properties()?,
            application: message.application_properties()?,
            body: message.body().bytes()?,
        })
    }

    /// For people: time, partition and number, device, body, properties.
    pub(super) fn line(&self, coloured: bool) -> String {
        let paint = |code: &str, text: &str| match coloured {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let time = self.enqueued().unwrap_or_default();
        let place = format!("{}/{}", self.partition, self.sequence().unwrap_or_default());
        let mut line = format!("{}  {}  ", paint("2", &time), paint("2", &place));
        line += &paint("1;36", &escaped(&self.device()));
        line += "  ";
        line += &match std::str::from_utf8(&self.body) {
            Ok(text) => escaped(text),
            Err(_) => binary(&self.body),
        };
        for (key, value) in &self.application.0 {
            let (key, value) = (key.as_text().unwrap_or_default(), value.as_text());
            let pair = value.map_or_else(|| key.to_owned(), |value| format!("{key}={value}"));
            line += "  ";
            line += &paint("33", &escaped(&pair));
        }
        line
    }

    /// For programs. A body is JSON if it says so and is, else text if it is, else `bodyBase64`.
    pub(super) fn json(&self) -> JsonValue {
        let mut event = Json::new();
        let mut put = |key: &str, value: JsonValue| {
            if !value.is_null() {
                event.insert(key.to_owned(), value);
            }
        };
        put("partition", json!(self.partition));
        put("sequenceNumber", json!(self.sequence()));
        put("offset", json!(self.annotations.text("x-opt-offset")));
        put("enqueuedTime", json!(self.enqueued()));
        put("deviceId", json!(self.device()));
        put("moduleId", json!(self.annotations.text("iothub-connection-module-id")));
        put("systemProperties", JsonValue::Object(self.system()));
        put("properties", object(&self.application));
        match std::str::from_utf8(&self.body) {
            Ok(text) => put("body", self.json_body(text).unwrap_or_else(|| json!(text))),
            Err(_) => put("bodyBase64", json!(BASE64_STANDARD.encode(&self.body))),
        }
        JsonValue::Object(event)
    }

    fn json_body(&self, text: &str) -> Option<JsonValue> {
        let kind = self.properties.content_type.as_ref()?.as_str();
        let is_json = kind.split(';').next()?.trim().eq_ignore_ascii_case("application/json");
        // A body that is null would be left out: as text it is kept.
        let value = is_json.then(|| serde_json::from_str(text).ok()).flatten()?;
        (value != JsonValue::Null).then_some(value)
    }

    /// Properties under their AMQP names, then annotations apart from those that have a place of their own.
    fn system(&self) -> Json<String, JsonValue> {
        let p = &self.properties;
        let id = |id: &Option<MessageId>| id.as_ref().map(|id| scalar(&id.to_value()));
        let time = |ms: Option<i64>| ms.and_then(moment).map(JsonValue::from);
        let symbol = |text: Option<&str>| text.map(JsonValue::from);
        let mut system = Json::new();
        for (name, value) in [
            ("message-id", id(&p.message_id)),
            ("correlation-id", id(&p.correlation_id)),
            ("user-id", p.user_id.as_ref().map(|id| json!(String::from_utf8_lossy(id)))),
            ("to", symbol(p.to.as_ref().map(Text::as_str))),
            ("content-type", symbol(p.content_type.as_ref().map(|s| s.as_str()))),
            ("content-encoding", symbol(p.content_encoding.as_ref().map(|s| s.as_str()))),
            ("absolute-expiry-time", time(p.absolute_expiry_time)),
        ] {
            if let Some(value) = value {
                system.insert(name.to_owned(), value);
            }
        }
        for (key, value) in &self.annotations.0 {
            let key = key.as_text().unwrap_or_default();
            if !key.starts_with("x-opt-") {
                system.insert(key.to_owned(), scalar(value));
            }
        }
        system
    }

    fn device(&self) -> String {
        self.annotations.text("iothub-connection-device-id").unwrap_or_default().to_owned()
    }

    fn sequence(&self) -> Option<i64> {
        self.annotations.get("x-opt-sequence-number").and_then(Value::as_integer)
    }

    fn enqueued(&self) -> Option<String> {
        self.annotations.get("x-opt-enqueued-time").and_then(Value::as_integer).and_then(moment)
    }
}

/// ISO 8601, UTC, milliseconds.
fn moment(ms: i64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.format(form).ok()
}

fn object(map: &Map) -> JsonValue {
    let entry = |(key, value): &(Value, Value)| {
        (key.as_text().unwrap_or_default().to_owned(), scalar(value))
    };
    JsonValue::Object(map.0.iter().map(entry).collect())
}

fn scalar(value: &Value) -> JsonValue {
    match value {
        Value::Timestamp(ms) => json!(moment(*ms)),
        Value::Bool(flag) => json!(flag),
        Value::Ulong(n) => json!(n),
        Value::Float(n) => json!(n),
        Value::Double(n) => json!(n),
        other => match (other.as_text(), other.as_integer()) {
            (Some(text), _) => json!(text),
            (None, Some(n)) => json!(n),
            (None, None) => JsonValue::Null,
        },
    }
}

fn binary(bytes: &[u8]) -> String {
    let shown: Vec<String> =
        bytes.iter().take(BINARY_BYTES_SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > BINARY_BYTES_SHOWN { " …" } else { "" };
    format!("<{} bytes: {}{more}>", bytes.len(), shown.join(" "))
}

#[cfg(test)]
mod tests {
    use ironhub_wire::amqp::Symbol;
    use ironhub_wire::amqp::message::MessageBuilder;

    use super::*;

    fn shown(body: &[u8], content_type: Option<&'static str>) -> Shown {
        let message = MessageBuilder::default()
            .message_annotations(|map| {
                map.symbol("x-opt-sequence-number").long(7).symbol("x-opt-offset").text("4096");
                map.symbol("x-opt-enqueued-time").timestamp(1_767_323_045_678);
                map.symbol("iothub-connection-device-id").text("dev1");
            })
            .properties(&Properties {
                message_id: Some(MessageId::String("m1".into())),
                content_type: content_type.map(Symbol::from_static),
                ..Properties::default()
            })
            .application_properties(|map| {
                map.text("room").text("kitchen").text("flag").null();
            })
            .data(body)
            .finish();
        Shown::read(3, &Message::split(&message).expect("splits")).expect("reads")
    }

    #[test]
    fn a_line_says_when_where_who_and_what() {
        assert_eq!(
            shown(b"21.5", None).line(false),
            "2026-01-02T03:04:05.678Z  3/7  dev1  21.5  room=kitchen  flag"
        );
        assert!(shown(b"21.5", None).line(true).contains("\x1b[1;36mdev1\x1b[0m"));
    }

    #[test]
    fn what_a_device_sends_cannot_control_the_terminal() {
        let line = shown(b"a\x1b[2Jb\nc\r", None).line(false);
        assert!(line.contains(r"a\u{1b}[2Jb\nc\r  "), "{line}");
        let line = shown(&[0xff; 40], None).line(false);
        assert!(line.contains("<40 bytes: ff ff") && line.contains(" …>"), "{line}");
    }

    #[test]
    fn an_object_has_everything_under_fixed_names() {
        assert_eq!(
            shown(br#"{"t":1}"#, Some("application/json; charset=utf-8")).json(),
            json!({
                "partition": 3, "sequenceNumber": 7, "offset": "4096", "enqueuedTime": "2026-01-02T03:04:05.678Z",
                "deviceId": "dev1", "body": {"t": 1},
                "systemProperties": {
                    "message-id": "m1", "content-type": "application/json; charset=utf-8",
                    "iothub-connection-device-id": "dev1",
                },
                "properties": {"room": "kitchen", "flag": null},
            })
        );
    }

    #[test]
    fn a_body_is_json_only_if_it_says_so_and_is() {
        assert_eq!(shown(b"{}", None).json()["body"], json!("{}"));
        assert_eq!(shown(b"{", Some("application/json")).json()["body"], json!("{"));
        assert_eq!(shown(b"null", Some("application/json")).json()["body"], json!("null"));
        assert_eq!(shown(b"", None).json()["body"], json!(""));
        let binary = shown(&[0xff, 0], None).json();
        assert_eq!((&binary["bodyBase64"], &binary["body"]), (&json!("/wA="), &JsonValue::Null));
    }
}
