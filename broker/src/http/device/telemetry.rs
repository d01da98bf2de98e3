//! `POST /devices/{d}/messages/events`, and a module's: one message, or a batch (device-protocols.md 4.2).

use std::pin::Pin;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use bytes::Bytes;
use http::request::Parts;
use hyper::HeaderMap;
use hyper::body::Body;
use hyper::header::CONTENT_TYPE;
use ironhub_domain::HubError;
use ironhub_domain::event::D2cMessage;
use ironhub_domain::limits::D2C_MESSAGE_BYTES_MAX;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{authenticate, properties};
use crate::http::HttpContext;
use crate::http::body;
use crate::http::errors::{HttpError, Reply};
use crate::http::object::Object;
use crate::http::service::request::{identity, no_content};

/// The media type of a batch.
const BATCH_TYPE: &str = "application/vnd.microsoft.iothub.json";
/// Largest body of a batch: its messages together at most 256 KiB, in base64 and with the names of their members.
const BATCH_BYTES_MAX: usize = 4 * D2C_MESSAGE_BYTES_MAX;
/// Most messages of a batch: each costs memory beside its bytes.
const BATCH_MESSAGES_MAX: usize = 8192;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// Answers 204 when every message is durable.
pub async fn send<B>(
    ids: &[String],
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let identity = identity(ids)?;
    let connected = authenticate(&identity, head, context).await?;
    let messages = if is_batch(&head.headers) {
        batch(&body::read(body, BATCH_BYTES_MAX).await?)?
    } else {
        let mut message = single(&head.headers)?;
        message.body = body::read(body, D2C_MESSAGE_BYTES_MAX).await?;
        vec![message]
    };
    context.hub()?.send_d2c(&identity, connected.auth, messages).await?;
    Ok(no_content())
}

fn is_batch(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(BATCH_TYPE))
}

/// The message that the headers describe, without its body.
pub(super) fn single(headers: &HeaderMap) -> Result<D2cMessage, HubError> {
    let mut message = D2cMessage::default();
    for (name, value) in headers {
        // Values of properties are text: UTF-8 at most, as some clients send it.
        match std::str::from_utf8(value.as_bytes()) {
            Ok(value) => properties::assign(&mut message, name.as_str(), value),
            Err(_) => {
                return Err(HubError::InvalidArgument(format!("the header {name} is no text")));
            }
        }
    }
    Ok(message)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    body: String,
    base64_encoded: Option<bool>,
    properties: Option<Map<String, Value>>,
}

/// The messages of a batch: all or none, together at most 256 KiB.
pub(super) fn batch(text: &[u8]) -> Result<Vec<D2cMessage>, HttpError> {
    let items: Vec<Object<Item>> = serde_json::from_slice(text)
        .map_err(|error| HttpError::Json(format!("the body is no batch of messages: {error}")))?;
    let refuse = |why: String| Err(HubError::InvalidArgument(why).into());
    if items.is_empty() {
        return refuse("the batch has no messages".into());
    }
    if items.len() > BATCH_MESSAGES_MAX {
        return refuse(format!("the batch has more than {BATCH_MESSAGES_MAX} messages"));
    }
    let mut size = 0;
    let mut messages = Vec::with_capacity(items.len());
    for (at, Object(item)) in items.into_iter().enumerate() {
        let message = message(at, item)?;
        size += message.counted_size();
        if size > D2C_MESSAGE_BYTES_MAX {
            return Err(HubError::MessageTooLarge { size, max: D2C_MESSAGE_BYTES_MAX }.into());
        }
        messages.push(message);
    }
    Ok(messages)
}

fn message(at: usize, item: Item) -> Result<D2cMessage, HubError> {
    let mut message = D2cMessage::default();
    for (name, value) in item.properties.unwrap_or_default() {
        let text = match value {
            Value::String(text) => text,
            Value::Null => continue,
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let why = format!("property {name:?} of message {at} is no text");
                return Err(HubError::InvalidArgument(why));
            }
        };
        properties::assign(&mut message, &name, &text);
    }
    let body = item.body;
    message.body = if item.base64_encoded.unwrap_or(true) {
        let decoded = BASE64.decode(&body).map_err(|error| {
            HubError::InvalidArgument(format!("the body of message {at} is no base64: {error}"))
        })?;
        decoded.into()
    } else {
        body.into()
    };
    Ok(message)
}
