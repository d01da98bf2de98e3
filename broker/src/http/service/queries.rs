//! `POST /devices/query` and `/statistics`: what services ask of all devices at once (service-protocols.md 2.7, 2.12).

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use serde_json::{Value, json};

use super::request::{allow, json_reply};
use super::twin_json;
use crate::http::HttpContext;
use crate::http::body::{self, BodyError, JSON_BODY_BYTES_MAX};
use crate::http::errors::{HttpError, JSON, Reply};
use crate::http::presence::Client;
use crate::query::{QueryPage, QueryRow};

/// Most rows that a page is asked to have.
const PAGE_SIZE: HeaderName = HeaderName::from_static("x-ms-max-item-count");
/// Where to go on; of the request and of the answer.
pub(super) const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuation");
/// What the rows of an answer are called.
pub(super) const ITEM_TYPE: HeaderName = HeaderName::from_static("x-ms-item-type");

/// Rows of a page if the request does not say, as in the original.
const PAGE_ROWS: usize = 100;
/// More than these are as many.
const PAGE_ROWS_MAX: usize = 1000;

/// `POST /devices/query`.
pub async fn query<B>(
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, "devices/query")?;
    let (rows_max, continuation) = (page_rows(&head.headers)?, continuation(&head.headers)?);
    let text = text(&body::read(body, JSON_BODY_BYTES_MAX).await?)?;
    let page = context.hub()?.queries().page(&text, rows_max, continuation);
    let Some(client) = head.extensions.get::<Client>() else { return Ok(reply(page.await?)) };
    // A scan may take long: it ends if nobody waits for it.
    tokio::select! {
        page = page => Ok(reply(page?)),
        () = client.gone() => Err(BodyError::Broken.into()),
    }
}

/// `GET /statistics/devices`.
pub async fn devices(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::REGISTRY_READ, "statistics/devices")?;
    let counts = context.hub()?.queries().counts()?;
    Ok(json_reply(&json!({
        "totalDeviceCount": counts.devices,
        "enabledDeviceCount": counts.devices.saturating_sub(counts.disabled),
        "disabledDeviceCount": counts.disabled,
    })))
}

/// `GET /statistics/service`.
pub async fn service(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, "statistics/service")?;
    let counts = context.hub()?.queries().counts()?;
    Ok(json_reply(&json!({"connectedDeviceCount": counts.connected})))
}

/// The rows that a page may have.
pub(super) fn page_rows(headers: &HeaderMap) -> Result<usize, HubError> {
    let Some(value) = headers.get(PAGE_SIZE) else { return Ok(PAGE_ROWS) };
    match value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(0) | None => Err(HubError::InvalidArgument(format!(
            "{PAGE_SIZE} must be a whole number from 1 to {PAGE_ROWS_MAX}"
        ))),
        Some(rows) => Ok(usize::try_from(rows).unwrap_or(PAGE_ROWS_MAX).min(PAGE_ROWS_MAX)),
    }
}

/// The token of the page before; an empty one is none.
pub(super) fn continuation(headers: &HeaderMap) -> Result<Option<&str>, HubError> {
    let Some(value) = headers.get(CONTINUATION) else { return Ok(None) };
    let text = value
        .to_str()
        .map_err(|_| HubError::InvalidArgument(format!("{CONTINUATION} is not ASCII")))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

fn text(body: &[u8]) -> Result<String, HttpError> {
    let wrong =
        |why: String| HttpError::Json(format!("the body must be {{\"query\":\"...\"}}: {why}"));
    let json: Value = serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
    match json.get("query") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong("query is no string".into())),
        None => Err(wrong("it has no query".into())),
    }
}

fn reply(page: QueryPage) -> Reply {
    let mut text = String::from("[");
    for row in page.rows {
        if text.len() > 1 {
            text.push(',');
        }
        let row = match row {
            QueryRow::Twin(view) => twin_json::write(&view),
            QueryRow::Job(row) => row.json(),
            QueryRow::Columns(columns) => Value::Object(columns),
        };
        text.push_str(&row.to_string());
    }
    text.push(']');
    let mut reply = Reply::new(Full::new(text.into()));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ITEM_TYPE, HeaderValue::from_static(page.item_type));
    if let Some(token) = page.continuation.and_then(|token| HeaderValue::try_from(token).ok()) {
        headers.insert(CONTINUATION, token);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_as_many_rows_as_asked_for_up_to_a_bound() {
        for (asked, expected) in [
            (None, Some(100)),
            (Some("1"), Some(1)),
            (Some(" 20 "), Some(20)),
            (Some("1001"), Some(1000)),
            (Some("18446744073709551615"), Some(1000)),
            (Some("0"), None),
            (Some("-1"), None),
            (Some("ten"), None),
            (Some(""), None),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(asked.map(|text| (PAGE_SIZE, HeaderValue::from_static(text))));
            assert_eq!(page_rows(&headers).ok(), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_body_has_a_query() {
        let check =
            |body: &str, expected: Result<&str, &str>| match (text(body.as_bytes()), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{body}: {error}");
                }
                (found, _) => panic!("{body}: {found:?}"),
            };
        check(r#"{"query":"SELECT 1","other":2}"#, Ok("SELECT 1"));
        check("{}", Err("it has no query"));
        check("[]", Err("it has no query"));
        check(r#"{"query":null}"#, Err("no string"));
        check(r#"{"query":"#, Err("EOF"));
        check("", Err("EOF"));
    }
}
