//! An event as a message (service-protocols.md 4.7, 4.8). Pure.

use bytes::Bytes;
use ironhub_domain::event::{Event, MessageSource};
use ironhub_domain::partition::EventLog;
use ironhub_domain::time::UnixMs;
use ironhub_wire::amqp::codec::Compound;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::{MessageId, Properties, Symbol, Text};

/// Room for what stands around body and properties, so that most messages are written without growing.
const AROUND_BYTES: usize = 640;

/// The message, encoded. `metrics` is for receivers that asked for them: the partition's counters, and when they were
/// read.
pub(super) fn render(event: &Event, metrics: Option<(&EventLog, UnixMs)>) -> Bytes {
    let message = &event.message;
    let properties: usize = message.properties.iter().map(|p| p.name.len() + 40).sum();
    let mut builder = MessageBuilder::with_capacity(AROUND_BYTES + properties + message.body.len());
    if let Some((log, read_at)) = metrics {
        builder = builder.delivery_annotations(|map| runtime_metrics(map, log, read_at));
    }
    builder =
        builder.message_annotations(|map| annotations(map, event)).properties(&standard(event));
    if !message.properties.is_empty() {
        builder = builder.application_properties(|map| {
            for property in &message.properties {
                map.text(&property.name).text_or_null(property.value.as_deref());
            }
        });
    }
    builder.data(&message.body).finish()
}

/// Offset of the newest event, as clients write it.
pub(super) fn last_offset(log: &EventLog) -> String {
    if log.next_sequence == 0 { "-1".to_owned() } else { log.last_offset.to_string() }
}

/// Number of the newest event; -1 before the first.
pub(super) fn last_sequence(log: &EventLog) -> i64 {
    long(log.next_sequence) - 1
}

/// Unsigned numbers of the log are far below the limit of a long; one that is not is shown as the limit.
pub(super) fn long(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn runtime_metrics(map: &mut Compound<'_>, log: &EventLog, read_at: UnixMs) {
    map.symbol("last_enqueued_sequence_number").long(last_sequence(log));
    map.symbol("last_enqueued_offset").text(&last_offset(log));
    map.symbol("last_enqueued_time_utc").timestamp(long(log.last_enqueued.0));
    map.symbol("runtime_info_retrieval_time_utc").timestamp(long(read_at.0));
}

fn annotations(map: &mut Compound<'_>, event: &Event) {
    let (origin, system) = (&event.origin, &event.message.system);
    let enqueued = long(event.enqueued.0);
    map.symbol("x-opt-sequence-number").long(long(event.sequence));
    map.symbol("x-opt-offset").text(&event.offset.to_string());
    map.symbol("x-opt-enqueued-time").timestamp(enqueued);
    map.symbol("x-opt-partition-key").text(origin.device.as_str());
    // A job is no device; its name only says where it is told of.
    if origin.source != MessageSource::JobLifecycle {
        map.symbol("iothub-connection-device-id").text(origin.device.as_str());
    }
    if let Some(module) = &origin.module {
        map.symbol("iothub-connection-module-id").text(module.as_str());
    }
    // The hub's own events are nobody's whose credentials could be told.
    if origin.source == MessageSource::Telemetry {
        map.symbol("iothub-connection-auth-generation-id").text(&origin.generation);
        map.symbol("iothub-connection-auth-method").text(origin.auth.json());
    }
    map.symbol("iothub-enqueuedtime").timestamp(enqueued);
    map.symbol("iothub-message-source").text(origin.source.annotation());
    let texts = [
        ("dt-dataschema", &origin.model_id),
        ("dt-subject", &system.component_name),
        ("iothub-interface-id", &system.interface_id),
        ("iothub-message-schema", &system.message_schema),
        ("iothub-outputname", &system.output_name),
        ("iothub-creation-time-utc", &system.creation_time),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            map.symbol(key).text(text);
        }
    }
}

fn standard(event: &Event) -> Properties {
    let (system, device) = (&event.message.system, &event.origin.device);
    let is_sent = event.origin.source == MessageSource::Telemetry;
    let text = |text: &Option<String>| text.as_deref().map(Text::from);
    let symbol = |text: &Option<String>| text.as_deref().map(Symbol::lossy);
    Properties {
        message_id: text(&system.message_id).map(MessageId::String),
        user_id: system.user_id.as_deref().map(|id| Bytes::copy_from_slice(id.as_bytes())),
        to: is_sent.then(|| Text::from(format!("/devices/{device}/messages/events"))),
        correlation_id: text(&system.correlation_id).map(MessageId::String),
        content_type: symbol(&system.content_type),
        content_encoding: symbol(&system.content_encoding),
        absolute_expiry_time: system.absolute_expiry_time.as_deref().and_then(milliseconds),
        ..Properties::default()
    }
}

/// ISO 8601 to milliseconds since 1970; text of another form is not carried as a time.
fn milliseconds(text: &str) -> Option<i64> {
    i64::try_from(UnixMs::parse_iso8601(text)?.0).ok()
}

#[cfg(test)]
mod tests {
    use ironhub_domain::event::{AppProperty, AuthMethod, AuthScope, AuthType, D2cMessage, Origin};
    use ironhub_domain::ids::DeviceId;
    use ironhub_wire::amqp::{Message, Value};

    use super::*;

    fn event() -> Event {
        let property = |name: &str, value: Option<&str>| AppProperty {
            name: name.into(),
            value: value.map(Into::into),
        };
        Event {
            sequence: 7,
            offset: 4096,
            enqueued: UnixMs(1_767_323_045_678),
            origin: Origin {
                device: DeviceId::new("dev1").expect("an id"),
                module: None,
                generation: "638987654321098765".into(),
                auth: AuthMethod { scope: AuthScope::Device, kind: AuthType::SymmetricKey },
                model_id: Some("dtmi:x;1".into()),
                source: MessageSource::Telemetry,
            },
            message: D2cMessage {
                system: ironhub_domain::event::SystemProperties {
                    message_id: Some("m1".into()),
                    content_type: Some("application/json".into()),
                    creation_time: Some("2026-01-02T03:04:05.678Z".into()),
                    absolute_expiry_time: Some("tomorrow".into()),
                    user_id: Some("u".into()),
                    ..Default::default()
                },
                properties: vec![property("k", Some("v")), property("n", None)],
                body: Bytes::from_static(b"{}"),
            },
        }
    }

    #[test]
    fn every_annotation_has_its_type() {
        let bytes = render(&event(), None);
        let message = Message::split(&bytes).expect("splits");
        let got = message.message_annotations().expect("annotations");
        let string = |text: &'static str| Value::string(text);
        let auth =
            r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#;
        for (key, value) in [
            ("x-opt-sequence-number", Value::Long(7)),
            ("x-opt-offset", string("4096")),
            ("x-opt-enqueued-time", Value::Timestamp(1_767_323_045_678)),
            ("x-opt-partition-key", string("dev1")),
            ("iothub-connection-device-id", string("dev1")),
            ("iothub-connection-auth-generation-id", string("638987654321098765")),
            ("iothub-connection-auth-method", string(auth)),
            ("iothub-enqueuedtime", Value::Timestamp(1_767_323_045_678)),
            ("iothub-message-source", string("Telemetry")),
            ("dt-dataschema", string("dtmi:x;1")),
            ("iothub-creation-time-utc", string("2026-01-02T03:04:05.678Z")),
        ] {
            assert_eq!(got.get(key), Some(&value), "{key}");
        }
        assert_eq!(got.0.len(), 11);
        assert!(got.0.iter().all(|(key, _)| matches!(key, Value::Symbol(_))));
    }

    #[test]
    fn properties_body_and_application_properties_are_the_devices() {
        let bytes = render(&event(), None);
        let message = Message::split(&bytes).expect("splits");
        let properties = message.properties().expect("properties");
        assert_eq!(properties.message_id, Some(MessageId::String("m1".into())));
        assert_eq!(properties.content_type, Some(Symbol::from_static("application/json")));
        assert_eq!(properties.user_id, Some(Bytes::from_static(b"u")));
        assert_eq!(properties.to, Some("/devices/dev1/messages/events".into()));
        assert_eq!(properties.absolute_expiry_time, None, "no time at all");
        let application = message.application_properties().expect("application properties");
        assert_eq!(application.get("k"), Some(&Value::string("v")));
        assert_eq!(application.get("n"), Some(&Value::Null));
        assert_eq!(message.body().bytes().expect("data"), Bytes::from_static(b"{}"));
        assert_eq!(message.delivery_annotations().expect("none").0, []);
    }

    #[test]
    fn an_expiry_is_a_time_with_or_without_zone() {
        assert_eq!(milliseconds("2026-01-02T03:04:05.678Z"), Some(1_767_323_045_678));
        assert_eq!(milliseconds("2026-01-02T04:04:05.678+01:00"), Some(1_767_323_045_678));
        assert_eq!(milliseconds("2026-01-02T03:04:05"), Some(1_767_323_045_000));
        assert_eq!(milliseconds("2026-01-02"), None);
    }

    #[test]
    fn runtime_metrics_come_as_delivery_annotations() {
        let log = EventLog {
            next_sequence: 10,
            last_offset: 5000,
            last_enqueued: UnixMs(9),
            ..EventLog::default()
        };
        let bytes = render(&event(), Some((&log, UnixMs(11))));
        let got = Message::split(&bytes).expect("splits").delivery_annotations().expect("map");
        for (key, value) in [
            ("last_enqueued_sequence_number", Value::Long(9)),
            ("last_enqueued_offset", Value::string("5000")),
            ("last_enqueued_time_utc", Value::Timestamp(9)),
            ("runtime_info_retrieval_time_utc", Value::Timestamp(11)),
        ] {
            assert_eq!(got.get(key), Some(&value), "{key}");
        }
    }

    #[test]
    fn sections_stand_in_the_order_that_fixed_readers_expect() {
        let mut bytes = &render(&event(), Some((&EventLog::default(), UnixMs(0))))[..];
        let mut sections = Vec::new();
        while let [0x00, 0x53, code, ctor, rest @ ..] = bytes {
            sections.push(*code);
            let size = match ctor {
                0xd0 | 0xd1 => 4 + u32::from_be_bytes(rest[..4].try_into().expect("four")) as usize,
                0xa0 => 1 + usize::from(rest[0]),
                other => panic!("constructor {other:02x}"),
            };
            bytes = &rest[size..];
        }
        assert_eq!(sections, [0x71, 0x72, 0x73, 0x74, 0x75]);
    }
}
