//! Twin requests and what they are answered with (device-protocols.md 3.10). Pure.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::DesiredNotice;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::{DecodeError, Map, Message, MessageId, Properties, Value};

/// What a device asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TwinRequest {
    /// The whole twin.
    Get,
    /// Changes of the reported properties, if they are of this version.
    Patch { if_version: Option<u64>, patch: Bytes },
    /// To be told of changes of the desired properties.
    Subscribe,
    /// No longer.
    Unsubscribe,
}

const REPORTED: &str = "/properties/reported";
const DESIRED: &str = "/notifications/twin/properties/desired";

/// Reads a request; the error is for its answer.
pub(super) fn request(message: &Message) -> Result<TwinRequest, HubError> {
    let malformed = |error: DecodeError| HubError::InvalidArgument(error.to_string());
    let annotations = message.message_annotations().map_err(malformed)?;
    let resource = annotations.text("resource").unwrap_or_default().trim_end_matches('/');
    let is = |word: &str| resource.eq_ignore_ascii_case(word);
    let operation = annotations.text("operation").unwrap_or_default().to_ascii_uppercase();
    match operation.as_str() {
        "GET" => Ok(TwinRequest::Get),
        "PATCH" if is(REPORTED) => Ok(TwinRequest::Patch {
            if_version: version(&annotations)?,
            patch: message.body().bytes().map_err(malformed)?,
        }),
        "PUT" if is(DESIRED) => Ok(TwinRequest::Subscribe),
        "DELETE" if is(DESIRED) => Ok(TwinRequest::Unsubscribe),
        _ => {
            let text = format!("there is no operation {operation:?} on {resource:?}");
            Err(HubError::InvalidArgument(text))
        }
    }
}

fn version(annotations: &Map) -> Result<Option<u64>, HubError> {
    let invalid = || HubError::InvalidArgument("the version is not a whole number".to_owned());
    match annotations.get("version") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.as_str().parse().map(Some).map_err(|_| invalid()),
        Some(value) => {
            let version = value.as_integer().and_then(|version| u64::try_from(version).ok());
            version.map(Some).ok_or_else(invalid)
        }
    }
}

/// An answer to the request with this correlation id, which comes back as it was.
pub(super) fn answer(
    correlation: Option<MessageId>,
    status: u16,
    version: Option<u64>,
    body: &[u8],
) -> Bytes {
    let properties = Properties { correlation_id: correlation, ..Properties::default() };
    MessageBuilder::with_capacity(256 + body.len())
        .message_annotations(|map| {
            // An int and a long, nothing else: one SDK reads no other types.
            map.symbol("status").value(&Value::Int(status.into()));
            if let Some(version) = version {
                map.symbol("version").long(i64::try_from(version).unwrap_or(i64::MAX));
            }
        })
        .properties(&properties)
        .data(body)
        .finish()
}

/// The answer to a request that failed: its body is JSON, which an SDK parses unseen.
pub(super) fn failure(correlation: Option<MessageId>, error: &HubError, now: UnixMs) -> Bytes {
    let tracking_id = rand::random();
    tracing::debug!(%error, tracking_id = format!("{tracking_id:032x}"), "a twin request failed");
    answer(correlation, error.code().status(), None, &error.body(tracking_id, now))
}

/// Tells of a change of the desired properties: an answer to nothing.
pub(super) fn notice(notice: &DesiredNotice) -> Bytes {
    MessageBuilder::with_capacity(128 + notice.body.len())
        .message_annotations(|map| {
            map.symbol("resource").text("/properties/desired");
            map.symbol("version").long(i64::try_from(notice.version).unwrap_or(i64::MAX));
        })
        .data(&notice.body)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request of these annotations with the body `{}`.
    #[track_caller]
    fn check(annotations: &[(&'static str, Value)], expected: Result<TwinRequest, ()>) {
        let builder = MessageBuilder::default().message_annotations(|map| {
            for (key, value) in annotations {
                map.symbol(key).value(value);
            }
        });
        let message = Message::split(&builder.data(b"{}").finish()).unwrap();
        assert_eq!(request(&message).map_err(|_| ()), expected, "{annotations:?}");
    }

    fn text(text: &'static str) -> Value {
        Value::string(text)
    }

    #[test]
    fn every_operation_is_read_as_the_sdks_write_it() {
        let reported = || ("resource", text("/properties/reported"));
        let desired = || ("resource", text("/notifications/twin/properties/desired"));
        let patch =
            |if_version| Ok(TwinRequest::Patch { if_version, patch: Bytes::from_static(b"{}") });
        check(&[("operation", text("GET"))], Ok(TwinRequest::Get));
        check(&[("operation", text("GET")), ("resource", text("/"))], Ok(TwinRequest::Get));
        check(&[("operation", text("PATCH")), reported()], patch(None));
        check(&[("operation", text("PATCH")), reported(), ("version", Value::Null)], patch(None));
        check(
            &[("operation", text("PATCH")), reported(), ("version", Value::Int(7))],
            patch(Some(7)),
        );
        check(
            &[("operation", text("PATCH")), reported(), ("version", Value::Long(8))],
            patch(Some(8)),
        );
        check(&[("operation", text("PUT")), desired()], Ok(TwinRequest::Subscribe));
        check(&[("operation", text("DELETE")), desired()], Ok(TwinRequest::Unsubscribe));
    }

    #[test]
    fn other_operations_resources_and_versions_are_refused() {
        let reported = || ("resource", text("/properties/reported"));
        check(&[], Err(()));
        check(&[("operation", text("POST")), reported()], Err(()));
        check(&[("operation", text("PATCH"))], Err(()));
        check(&[("operation", text("PATCH")), ("resource", text("/properties/desired"))], Err(()));
        check(&[("operation", text("PUT")), reported()], Err(()));
        check(&[("operation", Value::Int(1)), reported()], Err(()));
        for version in [Value::Long(-1), text("x"), Value::Double(1.0), Value::List(Vec::new())] {
            check(&[("operation", text("PATCH")), reported(), ("version", version)], Err(()));
        }
    }

    #[test]
    fn answers_carry_the_correlation_id_status_and_version_with_their_types() {
        let id = MessageId::Uuid([7; 16]);
        let message = Message::split(&answer(Some(id.clone()), 204, Some(8), b"")).unwrap();
        assert_eq!(message.properties().unwrap().correlation_id, Some(id));
        let annotations = message.message_annotations().unwrap();
        assert_eq!(annotations.get("status"), Some(&Value::Int(204)));
        assert_eq!(annotations.get("version"), Some(&Value::Long(8)));
        assert!(annotations.0.iter().all(|(key, _)| matches!(key, Value::Symbol(_))));

        let error = HubError::InvalidArgument("x".into());
        let message = Message::split(&failure(None, &error, UnixMs(0))).unwrap();
        let annotations = message.message_annotations().unwrap();
        assert_eq!(annotations.get("status"), Some(&Value::Int(400)));
        let body: serde_json::Value =
            serde_json::from_slice(&message.body().bytes().unwrap()).unwrap();
        assert_eq!(body["errorCode"], 400_004);
    }

    #[test]
    fn a_notice_answers_nothing() {
        let body = Bytes::from_static(br#"{"a":1,"$version":5}"#);
        let bytes = notice(&DesiredNotice { version: 5, body: body.clone() });
        let message = Message::split(&bytes).unwrap();
        assert_eq!(message.properties().unwrap().correlation_id, None);
        let annotations = message.message_annotations().unwrap();
        assert_eq!(annotations.get("resource"), Some(&text("/properties/desired")));
        assert_eq!(annotations.get("version"), Some(&Value::Long(5)));
        assert_eq!(message.body().bytes().unwrap(), body);
    }
}
