//! An event as webhooks and blobs get it: the JSON that the original writes to blobs (service-protocols.md 4.11). Pure.
//!
//! ```json
//! {"EnqueuedTimeUtc": "2026-01-02T03:04:05.678Z", "Properties": {"name": "value"},
//!  "SystemProperties": {"connectionDeviceId": "d1", "enqueuedTime": "…", "iothub-message-source": "Telemetry"},
//!  "Body": {"t": 21}}
//! ```
//! A body that its sender calls JSON in UTF-8, UTF-16 or UTF-32, and that is, stands in it as JSON, any other in base64.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ironhub_domain::event::Event;
use ironhub_domain::routing::json_body;
use serde_json::{Map, Value, json};

/// The event as JSON.
pub(super) fn event(event: &Event) -> Value {
    let properties = event.message.properties.iter();
    let properties: Map<String, Value> = properties
        .map(|property| (property.name.clone(), property.value.as_deref().into()))
        .collect();
    let system = system(event).into_iter();
    let system: Map<String, Value> =
        system.map(|(name, value)| (name.to_owned(), value.into())).collect();
    let body = json_body(&event.message.system, &event.message.body)
        .unwrap_or_else(|| BASE64_STANDARD.encode(&event.message.body).into());
    json!({
        "EnqueuedTimeUtc": event.enqueued.iso8601(),
        "Properties": properties,
        "SystemProperties": system,
        "Body": body,
    })
}

/// The event for a webhook: also where it is, by which it is known if it comes twice.
pub(super) fn numbered(partition: u32, source: &Event) -> Value {
    let mut value = event(source);
    value["PartitionId"] = partition.to_string().into();
    value["SequenceNumber"] = source.sequence.into();
    value
}

/// What the sender's message and the hub say beside body and application properties.
pub(super) fn system(event: &Event) -> Vec<(&'static str, String)> {
    let (origin, system) = (&event.origin, &event.message.system);
    let mut all = vec![("connectionDeviceId", origin.device.to_string())];
    all.extend(origin.module.as_ref().map(|module| ("connectionModuleId", module.to_string())));
    all.push(("connectionDeviceGenerationId", origin.generation.clone()));
    all.push(("connectionAuthMethod", origin.auth.json().to_owned()));
    let optional = [
        ("messageId", &system.message_id),
        ("correlationId", &system.correlation_id),
        ("userId", &system.user_id),
        ("to", &system.to),
        ("contentType", &system.content_type),
        ("contentEncoding", &system.content_encoding),
        ("absoluteExpiryTime", &system.absolute_expiry_time),
        ("iothub-creation-time-utc", &system.creation_time),
        ("iothub-interface-id", &system.interface_id),
        ("iothub-message-schema", &system.message_schema),
        ("iothub-outputname", &system.output_name),
        ("dt-subject", &system.component_name),
        ("dt-dataschema", &origin.model_id),
    ];
    all.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    all.push(("iothub-message-source", origin.source.annotation().to_owned()));
    all.push(("enqueuedTime", event.enqueued.iso8601()));
    all
}

#[cfg(test)]
pub(super) mod tests {
    use ironhub_domain::event::{
        AppProperty, AuthMethod, AuthScope, AuthType, D2cMessage, MessageSource, Origin,
        SystemProperties,
    };
    use ironhub_domain::ids::DeviceId;
    use ironhub_domain::time::UnixMs;

    use super::*;

    pub(in crate::delivery) fn sample(sequence: u64, body: &str, is_json: bool) -> Event {
        Event {
            sequence,
            offset: sequence * 100,
            enqueued: UnixMs(1_767_323_045_678 + sequence),
            origin: Origin {
                device: DeviceId::new("d1").unwrap(),
                module: None,
                generation: "7".into(),
                auth: AuthMethod { scope: AuthScope::Device, kind: AuthType::SymmetricKey },
                model_id: None,
                source: MessageSource::Telemetry,
            },
            message: D2cMessage {
                system: SystemProperties {
                    content_type: is_json.then(|| "application/json".into()),
                    content_encoding: is_json.then(|| "utf-8".into()),
                    ..SystemProperties::default()
                },
                properties: vec![
                    AppProperty { name: "level".into(), value: Some("high".into()) },
                    AppProperty { name: "none".into(), value: None },
                ],
                body: body.to_owned().into(),
            },
        }
    }

    #[test]
    fn a_body_is_json_if_its_sender_says_so_and_it_is() {
        let check = |body: &str, is_json: bool, expected: Value| {
            assert_eq!(event(&sample(0, body, is_json))["Body"], expected, "{body} {is_json}");
        };
        check(r#"{"t":1}"#, true, json!({"t": 1}));
        check(r#"{"t":1}"#, false, json!("eyJ0IjoxfQ=="));
        check("no json", true, json!("bm8ganNvbg=="));
    }

    #[test]
    fn an_event_has_the_members_that_the_original_writes() {
        let value = numbered(3, &sample(5, "1", true));
        assert_eq!(value["EnqueuedTimeUtc"], "2026-01-02T03:04:05.683Z");
        assert_eq!(value["Properties"], json!({"level": "high", "none": null}));
        let system = &value["SystemProperties"];
        assert_eq!(system["connectionDeviceId"], "d1");
        assert_eq!(system["contentType"], "application/json");
        assert_eq!(system["iothub-message-source"], "Telemetry");
        assert_eq!(system["enqueuedTime"], value["EnqueuedTimeUtc"]);
        assert_eq!((&value["PartitionId"], &value["SequenceNumber"]), (&json!("3"), &json!(5)));
    }
}
