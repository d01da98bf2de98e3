//! Cloud-to-device messages over HTTPS: send one, purge a queue (service-protocols.md 2.12, 6.2).

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::HeaderMap;
use hyper::body::Body;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::c2d::{AckMode, C2dMessage, C2dProperties};
use ironhub_domain::event::AppProperty;
use ironhub_domain::limits::C2D_MESSAGE_BYTES_MAX;
use ironhub_domain::time::UnixMs;
use serde_json::json;

use super::request::{allow, identity, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::body;
use crate::http::errors::{HttpError, Reply};

/// Before the name of an application property.
const APP: &str = "iothub-app-";

/// `POST /devices/{id}/messages/deviceBound`: the body is the message's.
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
    let path = format!("{}/messages/devicebound", identity.path());
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path)?;
    let mut message = message(&head.headers)?;
    message.body = body::read(body, C2D_MESSAGE_BYTES_MAX).await?;
    context.hub()?.send_c2d(&identity, message).await?;
    Ok(no_content())
}

/// `DELETE /devices/{id}/commands`, and the same of a module.
pub async fn purge(
    ids: &[String],
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    let identity = identity(ids)?;
    let path = format!("{}/commands", identity.path());
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path)?;
    let purged = context.hub()?.purge_c2d(&identity).await?;
    Ok(json_reply(&json!({
        "totalMessagesPurged": purged,
        "deviceId": identity.device.as_str(),
        "moduleId": identity.module.as_ref().map_or("", |module| module.as_str()),
    })))
}

fn message(headers: &HeaderMap) -> Result<C2dMessage, HubError> {
    let text = |name: &str| -> Result<Option<String>, HubError> {
        let Some(value) = headers.get(name) else { return Ok(None) };
        match value.to_str() {
            Ok("") => Ok(None),
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(HubError::InvalidArgument(format!("the header {name} is not ASCII"))),
        }
    };
    let time = |name: &str| -> Result<Option<UnixMs>, HubError> {
        let Some(given) = text(name)? else { return Ok(None) };
        let parsed = UnixMs::parse_iso8601(&given);
        parsed.map(Some).ok_or_else(|| {
            HubError::InvalidArgument(format!("the header {name} is no time: {given:?}"))
        })
    };
    let ack = match text("iothub-ack")? {
        None => AckMode::default(),
        Some(word) => AckMode::parse(&word).ok_or_else(|| {
            HubError::InvalidArgument(format!(
                "iothub-ack {word:?} is none of none, positive, negative, full"
            ))
        })?,
    };
    // The message's own type; what HTTP says of its body is the next best.
    let content_type = match text("iothub-contenttype")? {
        None => text(CONTENT_TYPE.as_str())?,
        own => own,
    };
    let content_encoding = match text("iothub-contentencoding")? {
        None => text(CONTENT_ENCODING.as_str())?,
        own => own,
    };
    let mut properties = Vec::new();
    for name in headers.keys() {
        if let Some(property) = name.as_str().strip_prefix(APP) {
            let value = Some(text(name.as_str())?.unwrap_or_default());
            properties.push(AppProperty { name: property.to_owned(), value });
        }
    }
    Ok(C2dMessage {
        system: C2dProperties {
            message_id: text("iothub-messageid")?,
            correlation_id: text("iothub-correlationid")?,
            user_id: text("iothub-userid")?,
            content_type,
            content_encoding,
            creation_time: time("iothub-creation-time-utc")?,
            absolute_expiry: time("iothub-expiry")?,
        },
        ack,
        properties,
        body: Bytes::new(),
    })
}
