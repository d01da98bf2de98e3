//! `/twins/{id}` and `/twins/{id}/modules/{mid}`: read, patch and replace twins, call direct methods
//! (service-protocols.md 2.6, 2.8).

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderValue};
use ironhub_domain::auth::Permissions;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::limits::{METHOD_PAYLOAD_BYTES_MAX, TWIN_JSON_BYTES_MAX};
use ironhub_domain::method::{MethodAnswer, MethodCall};
use ironhub_domain::registry::IfMatch;
use ironhub_domain::twin::TwinUpdate;
use serde_json::value::RawValue;

use super::request::{allow, identity, if_match, json_reply, json_text};
use super::twin_json;
use crate::http::HttpContext;
use crate::http::body;
use crate::http::errors::{HttpError, Reply};
use crate::router::request::TwinView;

/// Around a method's payload: its name and its timeouts.
const METHOD_BODY_BYTES_MAX: usize = METHOD_PAYLOAD_BYTES_MAX + 4096;

/// Patch or replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `PATCH`: JSON merge patch.
    Patch,
    /// `PUT`: the sections that the body has, anew.
    Replace,
}

/// `GET /twins/…`.
pub async fn get(ids: &[String], head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let identity = identity(ids)?;
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path(&identity))?;
    Ok(reply(&context.hub()?.twin(&identity).await?))
}

/// `PATCH` and `PUT /twins/…`. Without `If-Match` whatever the ETag is.
pub async fn change<B>(
    how: Change,
    ids: &[String],
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let identity = identity(ids)?;
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path(&identity))?;
    let condition = if_match(&head.headers)?.unwrap_or(IfMatch::Any);
    let text = body::read(body, TWIN_JSON_BYTES_MAX).await?;
    let update = match how {
        Change::Patch => TwinUpdate::parse_patch(&text)?,
        Change::Replace => TwinUpdate::parse_replace(&text)?,
    };
    Ok(reply(&context.hub()?.update_twin(&identity, update, condition).await?))
}

/// `POST /twins/…/methods`. The HTTP status is about the hub; the device's own is in the body.
pub async fn invoke<B>(
    ids: &[String],
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let identity = identity(ids)?;
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path(&identity))?;
    let text = body::read(body, METHOD_BODY_BYTES_MAX).await?;
    let call = MethodCall::parse(&text, METHOD_PAYLOAD_BYTES_MAX)?;
    let answer = context.hub()?.invoke_method(&identity, call).await?;
    let payload = payload(&answer)?;
    Ok(json_text(format!(r#"{{"status":{},"payload":{payload}}}"#, answer.status)))
}

/// What the device answered, exactly as it did; nothing is null (service-protocols.md 2.8).
pub(super) fn payload(answer: &MethodAnswer) -> Result<&str, HttpError> {
    match answer.payload.trim_ascii() {
        [] => Ok("null"),
        json => serde_json::from_slice::<&RawValue>(json)
            .map(RawValue::get)
            .map_err(|_| HttpError::BadDeviceResponse),
    }
}

/// The resource that a token's scope must cover.
fn path(identity: &IdentityId) -> String {
    match &identity.module {
        Some(module) => format!("twins/{}/modules/{module}", identity.device),
        None => format!("twins/{}", identity.device),
    }
}

fn reply(view: &TwinView) -> Reply {
    let mut reply = json_reply(&twin_json::write(view));
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", view.twin.etag())) {
        reply.headers_mut().insert(ETAG, etag);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_answered_is_shown_as_it_wrote_it() {
        let check = |answered: &'static str, expected: Option<&str>| {
            let answer = MethodAnswer { status: 200, payload: answered.into() };
            assert_eq!(payload(&answer).ok(), expected, "{answered}");
        };
        let large = r#"{"n":12345678901234567890123,"f":1.10,"a":1,"a":2}"#;
        check(large, Some(large));
        check(" [1, 2]\n", Some("[1, 2]"));
        check("", Some("null"));
        check(" \n", Some("null"));
        check("nope", None);
        check("{} {}", None);
    }
}
