//! The messages of a device's links (device-protocols.md 3.3, 3.8 to 3.11).

use bytes::Bytes;
use ironhub_wire::amqp::message::{MessageBuilder, Properties};
use ironhub_wire::amqp::{DecodeError, Map, Message, MessageId, Symbol, Text, Value};
use serde_json::Value as Json;

use crate::cli::simulate::happening::Happening;
use crate::cli::simulate::transport::Identity;

/// What can be asked about the twin.
pub(super) enum Request<'a> {
    Get,
    Patch(&'a Json),
    Subscribe,
}

/// What came on the twin's link.
#[derive(Debug, PartialEq)]
pub(super) enum Twin {
    /// Desired properties will be told from now on.
    Subscribed,
    /// Something happened.
    Happening(Happening),
}

/// How ids of requests begin, so that the answer says what it answers.
const GET: &str = "get-";
const PATCH: &str = "patch-";
const SUBSCRIBE: &str = "put-";

pub(super) fn put_token(audience: &str, token: &str) -> Bytes {
    MessageBuilder::default()
        .application_properties(|keys| {
            keys.text("operation").text("put-token");
            keys.text("type").text("servicebus.windows.net:sastoken");
            keys.text("name").text(audience);
        })
        .value(&Value::String(Text::from(token)))
        .finish()
}

pub(super) fn telemetry(identity: &Identity, number: u64, body: &[u8]) -> Bytes {
    let properties = Properties {
        message_id: Some(MessageId::String(Text::from(number.to_string()))),
        content_type: identity.content_type.map(Symbol::from_static),
        content_encoding: identity.content_type.map(|_| Symbol::from_static("utf-8")),
        ..Properties::default()
    };
    MessageBuilder::with_capacity(body.len() + 512)
        .properties(&properties)
        .application_properties(|keys| {
            for (name, value) in &identity.properties {
                keys.text(name).text(value);
            }
        })
        .data(body)
        .finish()
}

pub(super) fn twin_request(request: &Request<'_>, number: u64) -> Bytes {
    const REPORTED: &str = "/properties/reported";
    const DESIRED: &str = "/notifications/twin/properties/desired";
    let (kind, operation, resource) = match request {
        Request::Get => (GET, "GET", None),
        Request::Patch(_) => (PATCH, "PATCH", Some(REPORTED)),
        Request::Subscribe => (SUBSCRIBE, "PUT", Some(DESIRED)),
    };
    let body = match request {
        Request::Patch(patch) => patch.to_string(),
        Request::Get | Request::Subscribe => " ".to_owned(),
    };
    MessageBuilder::default()
        .message_annotations(|keys| {
            keys.symbol("operation").text(operation);
            if let Some(resource) = resource {
                keys.symbol("resource").text(resource);
            }
        })
        .properties(&correlated(MessageId::String(Text::from(format!("{kind}{number}")))))
        .data(body.as_bytes())
        .finish()
}

pub(super) fn answer(correlation: MessageId, status: i32, payload: &[u8]) -> Bytes {
    MessageBuilder::default()
        .properties(&correlated(correlation))
        .application_properties(|keys| {
            keys.text("IoThub-status").value(&Value::Int(status));
        })
        .data(payload)
        .finish()
}

fn correlated(id: MessageId) -> Properties {
    Properties { correlation_id: Some(id), ..Properties::default() }
}

/// A status among the application properties.
pub(super) fn status(message: &Message, name: &str) -> Option<i64> {
    message.application_properties().ok()?.get(name)?.as_integer()
}

/// Id, application properties and body of a cloud-to-device message.
#[expect(clippy::type_complexity, reason = "three parts of one message, taken apart at once")]
pub(super) fn command(
    message: &Message,
) -> Result<(Option<String>, Vec<(String, Option<String>)>, Bytes), DecodeError> {
    let id = match message.properties()?.message_id {
        Some(MessageId::String(text)) => Some(text.as_str().to_owned()),
        Some(MessageId::Ulong(number)) => Some(number.to_string()),
        Some(MessageId::Uuid(_) | MessageId::Binary(_)) | None => None,
    };
    let Map(entries) = message.application_properties()?;
    let entries = entries.iter().filter_map(|(name, value)| {
        let name = name.as_text().filter(|name| !name.starts_with("iothub-"))?;
        Some((name.to_owned(), value.as_text().map(str::to_owned)))
    });
    Ok((id, entries.collect(), message.body().bytes()?))
}

/// Correlation, name and payload of a method call.
pub(super) fn call(message: &Message) -> Result<([u8; 16], String, Bytes), DecodeError> {
    let Some(MessageId::Uuid(correlation)) = message.properties()?.correlation_id else {
        return Err(DecodeError::Missing("correlation-id"));
    };
    let keys = message.application_properties()?;
    let name = keys.text("IoThub-methodname").ok_or(DecodeError::Missing("IoThub-methodname"))?;
    Ok((correlation, name.to_owned(), message.body().bytes()?))
}

/// An answer about the twin, or a change of it.
pub(super) fn twin(message: &Message) -> Result<Twin, DecodeError> {
    let keys = message.message_annotations()?;
    let number = |name: &str| keys.get(name).and_then(Value::as_integer);
    let version = || {
        let version = number("version").and_then(|version| u64::try_from(version).ok());
        version.ok_or(DecodeError::Missing("version"))
    };
    let body = message.body().bytes()?;
    let json = || serde_json::from_slice(&body).map_err(|_| DecodeError::Expected("JSON"));
    let correlation = match message.properties()?.correlation_id {
        Some(MessageId::String(text)) => text,
        Some(_) => return Err(DecodeError::Expected("the request's own correlation-id")),
        None => {
            let happening = Happening::Desired { version: version()?, patch: json()? };
            return Ok(Twin::Happening(happening));
        }
    };
    let status = number("status").and_then(|status| u16::try_from(status).ok());
    let kind = correlation.as_str();
    Ok(Twin::Happening(match status.ok_or(DecodeError::Missing("status"))? {
        200..=299 if kind.starts_with(SUBSCRIBE) => return Ok(Twin::Subscribed),
        200..=299 if kind.starts_with(GET) => Happening::Twin(json()?),
        200..=299 => Happening::Reported { version: version()? },
        status => {
            Happening::TwinRefused { status, why: String::from_utf8_lossy(&body).into_owned() }
        }
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer_to(correlation: Option<&str>, status: i32, version: i64, body: &str) -> Twin {
        let properties = Properties {
            correlation_id: correlation.map(|id| MessageId::String(Text::from(id))),
            ..Properties::default()
        };
        let bytes = MessageBuilder::default()
            .message_annotations(|keys| {
                keys.symbol("status").value(&Value::Int(status));
                keys.symbol("version").long(version);
            })
            .properties(&properties)
            .data(body.as_bytes())
            .finish();
        twin(&Message::split(&bytes).unwrap()).unwrap()
    }

    #[test]
    fn an_answer_is_known_by_the_id_of_its_request() {
        let happened = |happening| Twin::Happening(happening);
        assert_eq!(answer_to(Some("put-1"), 200, 0, ""), Twin::Subscribed);
        let document = json!({"desired": {"$version": 1}});
        let found = answer_to(Some("get-2"), 200, 0, &document.to_string());
        assert_eq!(found, happened(Happening::Twin(document)));
        let reported = happened(Happening::Reported { version: 8 });
        assert_eq!(answer_to(Some("patch-3"), 204, 8, ""), reported);
        let refused = Happening::TwinRefused { status: 429, why: "{}".into() };
        assert_eq!(answer_to(Some("patch-4"), 429, 0, "{}"), happened(refused));
        let desired = Happening::Desired { version: 5, patch: json!({"a": 1}) };
        assert_eq!(answer_to(None, 0, 5, r#"{"a":1}"#), happened(desired));
    }

    #[test]
    fn a_call_and_its_answer_have_the_same_correlation() {
        let bytes = MessageBuilder::default()
            .properties(&correlated(MessageId::Uuid([7; 16])))
            .application_properties(|keys| {
                keys.text("IoThub-methodname").text("reboot");
            })
            .data(b"{}")
            .finish();
        let (correlation, name, payload) = call(&Message::split(&bytes).unwrap()).unwrap();
        assert_eq!((correlation, name.as_str(), &payload[..]), ([7; 16], "reboot", &b"{}"[..]));
        let bytes = answer(MessageId::Uuid(correlation), 200, &payload);
        let answer = Message::split(&bytes).unwrap();
        assert_eq!(status(&answer, "IoThub-status"), Some(200));
        assert_eq!(answer.properties().unwrap().correlation_id, Some(MessageId::Uuid([7; 16])));
        assert_eq!(answer.body().bytes().unwrap(), payload);
    }
}
