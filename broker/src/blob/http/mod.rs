//! The HTTP surface of the hub's own blobs: the part of Azure Blob Storage's protocol that uploads, checkpoint stores
//! and exports need (service-protocols.md 6.4, device-protocols.md 5.2).
//!
//! Everything lies below `/ironhub-storage/` and `/ironhub-uploads/` on the hub's host. A request names a blob or a
//! container (`target.rs`), an operation (`operation.rs`) and carries a token in its query. Not here: leases, snapshots,
//! tags, append and page blobs, which are refused. Read next: `upload.rs`, `download.rs`, `containers.rs`, `reply.rs`.

mod containers;
mod describe;
mod download;
mod headers;
mod listing;
mod operation;
mod range;
mod receive;
mod reply;
mod target;
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
use hyper::{Request, Response};
use ironhub_domain::time::UnixMs;
use tokio::time::Instant;

use super::error::BlobError;
use super::filesystem::containers::Container;
use super::name::BlobName;
use super::query::Query;
use super::sas::Grant;
use super::service::BlobService;
use crate::metrics::http::answered;
use operation::Operation;
use target::Target;

pub use target::handles;

/// The body of an answer; it may stream from disk.
pub type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;
/// A finished answer.
pub type Reply = Response<ReplyBody>;

/// A block list that may be read without waiting for its turn: some 700 blocks, gigabytes with usual blocks.
pub const SHORT_LIST_BYTES: u64 = 64 * 1024;

/// A request that may be carried out.
struct Call {
    head: Parts,
    query: Query,
    grant: Grant,
    now: UnixMs,
    begun: Instant,
}

/// One about a blob, in a container that is there.
struct BlobCall {
    call: Call,
    container: Arc<Container>,
    name: BlobName,
}

impl std::ops::Deref for BlobCall {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.call
    }
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
        Ok((operation, target, call)) => act(operation, target, call, body.as_mut(), service).await,
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

/// Nothing of a body is read before its sender has shown a good token for this target and operation.
fn admit(
    head: Parts,
    query: Query,
    operation: Result<Operation, BlobError>,
    service: &BlobService,
    now: UnixMs,
) -> Result<(Operation, Target, Call), BlobError> {
    let operation = operation?;
    let target = Target::of(head.uri.path(), operation.of_blob())?;
    let grant = service.key.check(target.resource(), &query, operation.permission(), now)?;
    Ok((operation, target, Call { head, query, grant, now, begun: Instant::now() }))
}

async fn act<B>(
    operation: Operation,
    target: Target,
    call: Call,
    body: Pin<&mut B>,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError>
where
    B: Body<Data = Bytes>,
{
    match target {
        Target::Account => match operation {
            Operation::ListContainers => containers::list(&call, service),
            _ => Err(BlobError::Unsupported),
        },
        Target::Container(name) => match operation {
            Operation::CreateContainer => containers::create(&call, &name, service).await,
            Operation::GetContainer => containers::properties(&name, service),
            Operation::SetContainerMetadata => {
                containers::set_metadata(&call, &name, service).await
            }
            Operation::DeleteContainer => containers::delete(&call, &name, service).await,
            Operation::ListBlobs => containers::list_blobs(&call, &name, service).await,
            _ => Err(BlobError::Unsupported),
        },
        Target::Blob(container, name) => {
            let files = service.containers.get(&container)?;
            let call = BlobCall { call, container: files, name };
            let outcome = act_on_blob(operation, &call, body, service).await;
            // Deleted meanwhile, with the files that were being worked on.
            let lost =
                matches!(&outcome, Err(BlobError::Io(e)) if e.kind() == io::ErrorKind::NotFound);
            let there = service.containers.get(&container);
            if lost && !there.is_ok_and(|there| Arc::ptr_eq(&there, &call.container)) {
                return Err(BlobError::ContainerNotFound);
            }
            outcome
        }
    }
}

async fn act_on_blob<B>(
    operation: Operation,
    call: &BlobCall,
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
        Operation::SetMetadata => describe::set_metadata(call, service).await,
        Operation::SetProperties => describe::set_properties(call, service).await,
        Operation::GetBlob => download::get(call, service).await,
        Operation::GetProperties => download::properties(call, service).await,
        Operation::GetBlockList => download::block_list(call, service).await,
        Operation::DeleteBlob => upload::delete(call, service).await,
        Operation::CreateContainer
        | Operation::GetContainer
        | Operation::SetContainerMetadata
        | Operation::DeleteContainer
        | Operation::ListBlobs
        | Operation::ListContainers => Err(BlobError::Unsupported),
    }
}
