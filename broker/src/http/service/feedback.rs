//! `/messages/serviceBound/feedback`: what became of cloud-to-device messages, a locked batch at a time
//! (service-protocols.md 2.3, 3.5). Competes with AMQP receivers for one queue.

use http::request::Parts;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderValue};
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::notice::{FEEDBACK_TYPE, Notice, NoticeKind};
use serde_json::Value;

use super::request::{allow, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::errors::{HttpError, Reply};
use crate::http::handle::wall_clock;
use crate::router::NoticeBatch;

/// The resource that a token's scope must cover.
const PATH: &str = "messages/servicebound/feedback";

/// `GET …/feedback`: the next batch, locked, its token quoted in `ETag`; 204 if there is none, or not yet.
pub async fn receive(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, PATH)?;
    let batch = context.hub()?.notices().take(NoticeKind::Feedback, wall_clock());
    Ok(batch.map_or_else(no_content, |batch| shown(&batch)))
}

/// `DELETE …/feedback/{lock}`: it was read, or is not wanted; either way it is gone.
pub async fn complete(lock: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    settle(lock, Settlement::Complete, head, context).await
}

/// `POST …/feedback/{lock}/abandon`: somebody else may have it.
pub async fn abandon(lock: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    settle(lock, Settlement::Abandon, head, context).await
}

async fn settle(
    lock: &str,
    how: Settlement,
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::SERVICE_CONNECT, PATH)?;
    // What is no token was never given out.
    let lock = LockToken::parse(lock.trim_matches('"')).ok_or(HubError::LockLost)?;
    context.hub()?.notices().settle(NoticeKind::Feedback, lock, how, wall_clock()).await?;
    Ok(no_content())
}

fn shown(batch: &NoticeBatch) -> Reply {
    let mut reply = json_reply(&Value::Array(batch.notices.iter().map(Notice::json).collect()));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FEEDBACK_TYPE));
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", batch.lock)) {
        headers.insert(ETAG, etag);
    }
    reply
}
