//! `/devices` and `/devices/{id}`: create, read, update, list and delete identities (service-protocols.md 2.3, 2.4).
//!
//! Each call: check the id, then the caller, then the body, then ask the registry. PUT without `If-Match` creates, with it
//! updates; the registry decides about conflicts and stale ETags, atomically with the change.

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderValue};
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::limits::DEVICE_LIST_MAX;
use serde_json::Value;

use super::device_json;
use super::request::{allow, if_match, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::body::{self, JSON_BODY_BYTES_MAX};
use crate::http::errors::{HttpError, Reply};
use crate::router::request::DeviceView;

/// `GET /devices?top=N`: up to N identities, 1000 without N and at most.
pub async fn list(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::REGISTRY_READ, "devices")?;
    let top = top(head.uri.query().unwrap_or_default())?;
    let devices = context.registry.list_identities(top).await?;
    let list = devices.iter().map(device_json::write).collect();
    Ok(json_reply(&Value::Array(list)))
}

/// `GET /devices/{id}`.
pub async fn get(id: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let id = device_id(id)?;
    allow(&head.headers, context, Permissions::REGISTRY_READ, &path(&id))?;
    Ok(device_reply(&context.registry.identity(&id).await?))
}

/// `PUT /devices/{id}`.
pub async fn put<B>(
    id: &str,
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let id = device_id(id)?;
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, &path(&id))?;
    let condition = if_match(&head.headers)?;
    let text = body::read(body, JSON_BODY_BYTES_MAX).await?;
    let wanted = device_json::read(id, &text)?;
    let device = match condition {
        None => context.registry.create_identity(wanted).await?,
        Some(condition) => context.registry.update_identity(wanted, condition).await?,
    };
    Ok(device_reply(&device))
}

/// `DELETE /devices/{id}`.
pub async fn delete(id: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let id = device_id(id)?;
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, &path(&id))?;
    let condition = if_match(&head.headers)?;
    context.registry.delete_identity(&id, condition).await?;
    Ok(no_content())
}

fn device_id(text: &str) -> Result<DeviceId, HubError> {
    Ok(DeviceId::new(text)?)
}

/// The resource that a token's scope must cover.
fn path(id: &DeviceId) -> String {
    format!("devices/{id}")
}

/// `top` of the query string; more than the most is the most.
pub(super) fn top(query: &str) -> Result<usize, HubError> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let Some((_, value)) = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("top"))
    else {
        return Ok(DEVICE_LIST_MAX);
    };
    match value.parse::<u64>() {
        Ok(top) if top > 0 => {
            Ok(usize::try_from(top).map_or(DEVICE_LIST_MAX, |top| top.min(DEVICE_LIST_MAX)))
        }
        Ok(_) | Err(_) => {
            Err(HubError::InvalidArgument("top must be a whole number from 1 to 1000".into()))
        }
    }
}

fn device_reply(device: &DeviceView) -> Reply {
    let mut reply = json_reply(&device_json::write(device));
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", device.identity.etag)) {
        reply.headers_mut().insert(ETAG, etag);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_is_capped_and_must_be_a_number() {
        for (query, expected) in [
            ("", Some(1000)),
            ("api-version=2021-04-12", Some(1000)),
            ("top=7", Some(7)),
            ("api-version=x&TOP=7", Some(7)),
            ("top=1001", Some(1000)),
            ("top=18446744073709551615", Some(1000)),
            ("top=0", None),
            ("top=-1", None),
            ("top=", None),
            ("top=ten", None),
            ("top=99999999999999999999999", None),
        ] {
            assert_eq!(top(query).ok(), expected, "{query}");
        }
    }
}
