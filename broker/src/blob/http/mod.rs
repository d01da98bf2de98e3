//! The HTTP surface of the hub's own blobs: the part of Azure Blob Storage's protocol that uploads need
//! (service-protocols.md 6.4, device-protocols.md 5.2).
//!
//! Everything lies below `/ironhub-uploads/` on the hub's host. A request names a blob, an operation (method and
//! `comp`) and carries a token in its query. Read next: `upload.rs`, `download.rs`, `reply.rs`.

mod download;
mod headers;
mod range;
mod receive;
mod reply;
#[cfg(test)]
mod tests;
mod upload;

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Body;
use hyper::header::EXPECT;
use hyper::{Method, Request, Response};
use ironhub_domain::time::UnixMs;
use tokio::time::Instant;

use super::error::BlobError;
use super::name::BlobName;
use super::sas::{Grant, Permission, Query};
use super::service::{BlobService, CONTAINER};
use crate::metrics::http::answered;

/// The body of an answer; it may stream from disk.
pub type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;
/// A finished answer.
pub type Reply = Response<ReplyBody>;

/// A block list that may be read without waiting for its turn: some 700 blocks, gigabytes with usual blocks.
pub const SHORT_LIST_BYTES: u64 = 64 * 1024;

/// Whether a request target's path belongs to this surface.
pub fn handles(path: &str) -> bool {
    blob_path(path).is_some()
}

/// What follows the container, still encoded.
fn blob_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?.strip_prefix(CONTAINER)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    PutBlob,
    PutBlock,
    PutBlockList,
    GetBlob,
    GetProperties,
    GetBlockList,
    DeleteBlob,
}

impl Operation {
    fn of(method: &Method, query: &Query) -> Result<Self, BlobError> {
        // Both change what a request means: a container's operation, an older state of a blob.
        if let Some(key) = ["restype", "snapshot", "versionid"].iter().find(|key| query.has(key)) {
            return Err(BlobError::QueryValue(key));
        }
        let comp = query.only("comp").map(str::to_ascii_lowercase);
        if comp.is_none() && query.has("comp") {
            return Err(BlobError::QueryValue("comp"));
        }
        match (method.as_str(), comp.as_deref()) {
            ("PUT", None) => Ok(Self::PutBlob),
            ("PUT", Some("block")) => Ok(Self::PutBlock),
            ("PUT", Some("blocklist")) => Ok(Self::PutBlockList),
            ("GET", None) => Ok(Self::GetBlob),
            ("GET", Some("blocklist")) => Ok(Self::GetBlockList),
            ("HEAD", None) => Ok(Self::GetProperties),
            ("DELETE", None) => Ok(Self::DeleteBlob),
            ("PUT" | "GET" | "HEAD" | "DELETE", Some(_)) => Err(BlobError::QueryValue("comp")),
            _ => Err(BlobError::Unsupported),
        }
    }

    fn permission(self) -> Permission {
        match self {
            Self::PutBlob | Self::PutBlock | Self::PutBlockList => Permission::Write,
            Self::GetBlob | Self::GetProperties | Self::GetBlockList => Permission::Read,
            Self::DeleteBlob => Permission::Delete,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::PutBlob => "put_blob",
            Self::PutBlock => "put_block",
            Self::PutBlockList => "put_block_list",
            Self::GetBlob => "get_blob",
            Self::GetProperties => "get_blob_properties",
            Self::GetBlockList => "get_block_list",
            Self::DeleteBlob => "delete_blob",
        }
    }
}

/// A request that may be carried out.
struct Call {
    head: Parts,
    query: Query,
    name: BlobName,
    grant: Grant,
    now: UnixMs,
    begun: Instant,
}

impl Call {
    /// The time now: that of the request's arrival, and what has passed since. A long body takes hours.
    fn now(&self) -> UnixMs {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        UnixMs(self.now.0.saturating_add(passed))
    }
}

/// Answers a request whose path is one that [`handles`] took. `now` is wall time.
pub async fn handle<B>(request: Request<B>, service: &Arc<BlobService>, now: UnixMs) -> Reply
where
    B: Body<Data = Bytes>,
{
    let (head, body) = request.into_parts();
    let mut body = pin!(body);
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let operation = Operation::of(&head.method, &query);
    let label = operation.as_ref().map_or("blob_none", |operation| operation.label());
    let asked = reply::Asked::of(&head);
    // Who asks before sending (`100-continue`) is spared the sending.
    let waits = head.headers.contains_key(EXPECT);
    let outcome = match admit(head, query, operation, service, now) {
        Ok((operation, call)) => act(operation, &call, body.as_mut(), service).await,
        Err(error) => Err(error),
    };
    let reply = match outcome {
        Ok(reply) => asked.answer(reply),
        Err(error) => {
            let gone = matches!(error, BlobError::TooSlow | BlobError::Incomplete);
            if !waits && !gone {
                receive::discard(body).await;
            }
            asked.refuse(&error, now)
        }
    };
    answered(label, reply.status().as_u16());
    reply
}

/// Nothing of a body is read before its sender has shown a good token for this blob and operation.
fn admit(
    head: Parts,
    query: Query,
    operation: Result<Operation, BlobError>,
    service: &BlobService,
    now: UnixMs,
) -> Result<(Operation, Call), BlobError> {
    let operation = operation?;
    let name = BlobName::from_url(blob_path(head.uri.path()).unwrap_or_default())?;
    let grant = service.key.check(CONTAINER, &name, &query, operation.permission(), now)?;
    Ok((operation, Call { head, query, name, grant, now, begun: Instant::now() }))
}

async fn act<B>(
    operation: Operation,
    call: &Call,
    body: Pin<&mut B>,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError>
where
    B: Body<Data = Bytes>,
{
    match operation {
        Operation::PutBlob => upload::put_blob(call, body, service).await,
        Operation::PutBlock => upload::put_block(call, body, service).await,
        Operation::PutBlockList => upload::put_block_list(call, body, service).await,
        Operation::GetBlob => download::get(call, service).await,
        Operation::GetProperties => download::properties(call, service).await,
        Operation::GetBlockList => download::block_list(call, service).await,
        Operation::DeleteBlob => upload::delete(call, service).await,
    }
}
