//! `POST /devices` and `POST /devices/keys/regenerate`: many identities in one request, each with a result of its own
//! (service-protocols.md 2.3, 2.5).

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::HeaderValue;
use ironhub_domain::auth::Permissions;
use ironhub_domain::limits::{BULK_JSON_BYTES_MAX, REGENERATE_JSON_BYTES_MAX};
use ironhub_domain::registry::{RegenerateRequest, bulk};

use super::request::{allow, json_reply};
use crate::http::HttpContext;
use crate::http::body;
use crate::http::errors::{ERROR_CODE, HttpError, Reply};

/// What a request is called of which an item failed: 400013 (service-protocols.md 2.2).
const BULK_FAILED: HeaderValue = HeaderValue::from_static("BulkRegistryOperationFailure");

/// `POST /devices`: 200 if every item was carried out. With any fault 400, and the same body says which and why.
pub async fn registry<B>(
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, "devices")?;
    let text = body::read(body, BULK_JSON_BYTES_MAX).await?;
    let items = bulk::parse(&text)?;
    drop(text);
    let faults = context.hub()?.bulk(items).await;
    let mut reply = json_reply(&bulk::result_json(&faults));
    if !faults.is_empty() {
        *reply.status_mut() = StatusCode::BAD_REQUEST;
        reply.headers_mut().insert(ERROR_CODE, BULK_FAILED);
    }
    Ok(reply)
}

/// `POST /devices/keys/regenerate`: always 200; the body says whose keys are new, and whose are not and why.
pub async fn regenerate_keys<B>(
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, "devices/keys")?;
    let text = body::read(body, REGENERATE_JSON_BYTES_MAX).await?;
    let request = RegenerateRequest::parse(&text)?;
    let (rotated, faults) = context.hub()?.regenerate_keys(&request).await;
    Ok(json_reply(&request.result_json(&rotated, &faults)))
}
