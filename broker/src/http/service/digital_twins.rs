//! `/digitaltwins/{id}`: twins and methods in the words of the model's language (service-protocols.md 2.12).

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderName, HeaderValue, LOCATION};
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::limits::{METHOD_PAYLOAD_BYTES_MAX, TWIN_JSON_BYTES_MAX};
use ironhub_domain::method::MethodCall;
use ironhub_domain::registry::IfMatch;
use ironhub_domain::twin::digital;
use serde_json::value::RawValue;

use super::request::{allow, if_match, json_reply, json_text};
use super::twins::payload as answered;
use crate::http::HttpContext;
use crate::http::body;
use crate::http::errors::{HttpError, Reply};
use crate::http::route::DigitalTwinCall;
use crate::router::request::TwinView;

const COMMAND_STATUS: HeaderName = HeaderName::from_static("x-ms-command-statuscode");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
/// How often a patch is made anew for a twin that others change meanwhile, if the caller asked for no ETag.
const PATCH_TRIES: usize = 3;

/// Carries the call out.
pub async fn act<B>(
    call: DigitalTwinCall,
    ids: &[String],
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let device = DeviceId::new(ids.first().map_or("", String::as_str)).map_err(HubError::from)?;
    let path = format!("digitaltwins/{device}");
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, &path)?;
    let identity = IdentityId::from(device);
    match call {
        DigitalTwinCall::Get => {
            let twin = context.hub()?.twin(&identity).await?;
            let model = twin.model_id.as_deref().unwrap_or_default();
            let mut reply = json_reply(&digital::view(&identity.device, model, &twin.twin).into());
            tag(&mut reply, &twin);
            Ok(reply)
        }
        DigitalTwinCall::Patch => {
            let text = body::read(body, TWIN_JSON_BYTES_MAX).await?;
            let twin = patch(&identity, &text, if_match(&head.headers)?, context).await?;
            let mut reply = Reply::new(Full::default());
            *reply.status_mut() = StatusCode::ACCEPTED;
            tag(&mut reply, &twin);
            if let Ok(place) = HeaderValue::from_str(head.uri.path()) {
                reply.headers_mut().insert(LOCATION, place);
            }
            Ok(reply)
        }
        DigitalTwinCall::Command => {
            let name = ids[1..].join("*");
            let text = body::read(body, METHOD_PAYLOAD_BYTES_MAX).await?;
            invoke(&identity, name, text, head, context).await
        }
    }
}

async fn patch(
    identity: &IdentityId,
    steps: &[u8],
    condition: Option<IfMatch>,
    context: &HttpContext,
) -> Result<TwinView, HttpError> {
    let hub = context.hub()?;
    let mut tries = 0;
    loop {
        let current = hub.twin(identity).await?.twin;
        let update = digital::patch(steps, &current)?;
        let etag = current.etag();
        if let Some(condition) = &condition {
            condition.check_tag(&etag)?;
        }
        tries += 1;
        match hub.update_twin(identity, update, IfMatch::Tags(vec![etag])).await {
            Err(HubError::PreconditionFailed { .. }) if tries < PATCH_TRIES => {}
            outcome => return Ok(outcome?),
        }
    }
}

/// The device's status is in a header, its answer is the body.
async fn invoke(
    identity: &IdentityId,
    name: String,
    payload: Bytes,
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    let payload =
        if payload.trim_ascii().is_empty() { Bytes::from_static(b"null") } else { payload };
    serde_json::from_slice::<&RawValue>(&payload)
        .map_err(|error| HttpError::Json(format!("the body is not JSON: {error}")))?;
    let query = head.uri.query().unwrap_or_default();
    let response = seconds(query, "responseTimeoutInSeconds")?;
    let call = MethodCall {
        name,
        payload,
        response_timeout: response.unwrap_or(MethodCall::RESPONSE_TIMEOUT_DEFAULT),
        connect_timeout: seconds(query, "connectTimeoutInSeconds")?.unwrap_or_default(),
    };
    let hub = context.hub()?;
    call.validate(hub.method_payload_bytes_max().min(METHOD_PAYLOAD_BYTES_MAX))?;
    let answer = hub.invoke_method(identity, call).await?;
    let mut reply = json_text(answered(&answer)?.to_owned());
    let headers = reply.headers_mut();
    headers.insert(COMMAND_STATUS, HeaderValue::from(answer.status));
    let id: u128 = rand::random();
    if let Ok(id) = HeaderValue::from_str(&format!("{id:032x}")) {
        headers.insert(REQUEST_ID, id);
    }
    Ok(reply)
}

fn seconds(query: &str, name: &str) -> Result<Option<Duration>, HubError> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
    let read = |(_, value): (&str, &str)| {
        let wrong = |_| HubError::InvalidArgument(format!("{name} is not a number of seconds"));
        value.parse().map(Duration::from_secs).map_err(wrong)
    };
    found.map(read).transpose()
}

fn tag(reply: &mut Reply, view: &TwinView) {
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", view.twin.etag())) {
        reply.headers_mut().insert(ETAG, etag);
    }
}
