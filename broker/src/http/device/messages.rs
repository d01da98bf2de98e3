//! `/devices/{d}/messages/devicebound`, and a module's: receive and settle cloud-to-device messages
//! (device-protocols.md 4.3).

use http::request::Parts;
use http_body_util::Full;
use hyper::header::{ETAG, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use ironhub_domain::HubError;
use ironhub_domain::c2d::{Delivery, LockToken, Settlement};
use ironhub_domain::ids::IdentityId;

use super::authenticate;
use crate::http::HttpContext;
use crate::http::errors::{HttpError, Reply};
use crate::http::service::request::{identity, no_content};

/// `GET …/devicebound`: the oldest message that nobody holds, locked; 204 if there is none.
pub async fn receive(
    ids: &[String],
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    let identity = identity(ids)?;
    authenticate(&identity, head, context).await?;
    Ok(match context.hub()?.receive_c2d(&identity).await? {
        Some(delivery) => shown(&identity, delivery),
        None => no_content(),
    })
}

/// `DELETE …/devicebound/{lock}`: complete, or with a parameter `reject` reject.
pub async fn complete_or_reject(
    ids: &[String],
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    let how = match wants_reject(head.uri.query().unwrap_or_default()) {
        true => Settlement::Reject,
        false => Settlement::Complete,
    };
    settle(ids, how, head, context).await
}

/// `POST …/devicebound/{lock}/abandon`.
pub async fn abandon(
    ids: &[String],
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    settle(ids, Settlement::Abandon, head, context).await
}

async fn settle(
    ids: &[String],
    how: Settlement,
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    // The lock token is the last of the path's ids.
    let Some((lock, ids)) = ids.split_last() else { return Err(HubError::LockLost.into()) };
    let identity = identity(ids)?;
    authenticate(&identity, head, context).await?;
    // What is no token was never given out. The `If-Match` header, spelled in many ways, is not looked at.
    let lock = LockToken::parse(lock.trim_matches('"')).ok_or(HubError::LockLost)?;
    context.hub()?.settle_c2d(&identity, lock, how).await?;
    Ok(no_content())
}

/// A parameter named `reject`; Java's name has a `?` of its own, encoded.
pub(super) fn wants_reject(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        let name = name.strip_prefix("%3F").or_else(|| name.strip_prefix("%3f")).unwrap_or(name);
        name.trim_start_matches('?').eq_ignore_ascii_case("reject")
    })
}

pub(super) fn shown(identity: &IdentityId, delivery: Delivery) -> Reply {
    let Delivery { message, .. } = &delivery;
    let system = &message.system;
    let mut reply = Reply::new(Full::new(message.body.clone()));
    *reply.status_mut() = StatusCode::OK;
    let headers = reply.headers_mut();
    put(headers, ETAG.as_str(), Some(&format!("\"{}\"", delivery.lock)));
    let to = format!("/{}/messages/devicebound", identity.path());
    let expiry = system.absolute_expiry.map(|_| delivery.expires.iso8601());
    let created = system.creation_time.map(|at| at.iso8601());
    for (name, value) in [
        ("iothub-messageid", system.message_id.as_deref()),
        ("iothub-correlationid", system.correlation_id.as_deref()),
        ("iothub-userid", system.user_id.as_deref()),
        ("iothub-to", Some(&*to)),
        ("iothub-expiry", expiry.as_deref()),
        ("iothub-creation-time-utc", created.as_deref()),
        ("iothub-ack", message.ack.shown()),
        ("iothub-sequencenumber", Some(&*delivery.sequence.to_string())),
        ("iothub-enqueuedtime", Some(&*delivery.enqueued.iso8601())),
        ("iothub-deliverycount", Some(&*delivery.delivery_count.to_string())),
        // Java and C# read the first pair, C the second.
        ("iothub-contenttype", system.content_type.as_deref()),
        ("iothub-contentencoding", system.content_encoding.as_deref()),
        ("contenttype", system.content_type.as_deref()),
        ("contentencoding", system.content_encoding.as_deref()),
    ] {
        put(headers, name, value);
    }
    for property in &message.properties {
        let name = format!("{}{}", super::properties::APP, property.name);
        put(headers, &name, Some(property.value.as_deref().unwrap_or_default()));
    }
    reply
}

/// A header, if HTTP can carry it: what it cannot was refused when the message was sent.
fn put(headers: &mut HeaderMap, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    if let (Ok(name), Ok(value)) =
        (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes()))
    {
        headers.append(name, value);
    }
}
