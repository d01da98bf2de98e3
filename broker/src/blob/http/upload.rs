//! Put Blob, Put Block, Put Block List, Delete Blob.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderName, HeaderValue, LAST_MODIFIED};
use hyper::{HeaderMap, StatusCode};
use ironhub_domain::time::UnixMs;

use super::reply::empty;
use super::{BlobCall, Reply, SHORT_LIST_BYTES, headers, receive};
use crate::blob::blocks::{BlockId, LIST_BYTES_MAX, parse_list};
use crate::blob::conditions::{Conditions, http_date};
use crate::blob::error::BlobError;
use crate::blob::filesystem::NewBlob;
use crate::blob::filesystem::manifest::Manifest;
use crate::blob::service::BlobService;

/// Largest content of Put Blob (Azure Blob Storage, versions from 2019-12-12).
pub const PUT_BLOB_BYTES_MAX: u64 = 5000 << 20;
/// Largest block (likewise).
pub const BLOCK_BYTES_MAX: u64 = 4000 << 20;
/// Longest that a block waits for its list (Azure: a week after the last one).
const BLOCK_WAITS_MS_MAX: u64 = 7 * 24 * 3600 * 1000;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// `PUT {blob}`: the whole content in one request.
pub(super) async fn put_blob<B: Body<Data = Bytes>>(
    call: &BlobCall,
    body: Pin<&mut B>,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let asked = &call.head.headers;
    headers::check_refused(asked)?;
    match headers::text(asked, "x-ms-blob-type")? {
        None => return Err(BlobError::HeaderMissing("x-ms-blob-type")),
        Some(kind) if kind.eq_ignore_ascii_case("BlockBlob") => {}
        Some(_) => return Err(BlobError::HeaderValue("x-ms-blob-type".into())),
    }
    let new =
        NewBlob { headers: headers::kept(asked, true)?, md5: None, conditions: conditions(call) };
    check_early(call, &new.conditions, service).await?;
    let mut expected = headers::expected(asked)?;
    if expected.md5.is_none() {
        expected.md5 = headers::text(asked, "x-ms-blob-content-md5")?.map(str::to_owned);
    }
    let max = PUT_BLOB_BYTES_MAX;
    let sink = receive::to_disk(body, max, expected, service, &call.container).await?;
    let stored = sink.store(&call.container, &call.name, new, call.now()).await?;
    let mut reply = written(&stored);
    if let Some(md5) = &stored.md5 {
        set(reply.headers_mut(), CONTENT_MD5, md5);
    }
    Ok(reply)
}

/// `PUT {blob}?comp=block&blockid={id}`: a part, to be named in a list later.
pub(super) async fn put_block<B: Body<Data = Bytes>>(
    call: &BlobCall,
    body: Pin<&mut B>,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let asked = &call.head.headers;
    headers::check_refused(asked)?;
    let id = call.query.only("blockid").ok_or(BlobError::QueryValue("blockid"))?;
    let id = BlockId::parse(id).ok_or(BlobError::QueryValue("blockid"))?;
    let expected = headers::expected(asked)?;
    let max = BLOCK_BYTES_MAX;
    let sink = receive::to_disk(body, max, expected, service, &call.container).await?;
    let (file, md5) = sink.finish().await?;
    let (container, name) = (call.container.clone(), call.name.clone());
    // Nobody comes back for a block after a week, however long the token is good for.
    let until = call.grant.expires.min(UnixMs(call.now().0.saturating_add(BLOCK_WAITS_MS_MAX)));
    service.blocking(move |_| container.store.put_block(&name, &id, file, until)).await?;
    let mut reply = empty(StatusCode::CREATED);
    encrypted(reply.headers_mut());
    set(reply.headers_mut(), CONTENT_MD5, &md5);
    Ok(reply)
}

/// `PUT {blob}?comp=blocklist`: the parts, in order, become the blob.
pub(super) async fn put_block_list<B: Body<Data = Bytes>>(
    call: &BlobCall,
    body: Pin<&mut B>,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let asked = &call.head.headers;
    headers::check_refused(asked)?;
    let md5 = headers::text(asked, "x-ms-blob-content-md5")?.map(str::to_owned);
    let new = NewBlob { headers: headers::kept(asked, false)?, md5, conditions: conditions(call) };
    check_early(call, &new.conditions, service).await?;
    // An unknown length counts as a long one.
    let short = body.size_hint().upper().is_some_and(|bytes| bytes <= SHORT_LIST_BYTES);
    let _turn = if short { None } else { Some(service.long_list().await?) };
    let xml = receive::to_memory(body, LIST_BYTES_MAX, headers::expected(asked)?).await?;
    let (container, name, now) = (call.container.clone(), call.name.clone(), call.now());
    let stored = service
        .blocking(move |_| container.store.commit(&name, &parse_list(&xml)?, new, now))
        .await?;
    Ok(written(&stored))
}

/// `DELETE {blob}`.
pub(super) async fn delete(
    call: &BlobCall,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let (container, name, conditions) =
        (call.container.clone(), call.name.clone(), conditions(call));
    service.blocking(move |_| container.store.delete(&name, &conditions)).await?;
    let mut reply = empty(StatusCode::ACCEPTED);
    reply.headers_mut().insert(
        HeaderName::from_static("x-ms-delete-type-permanent"),
        HeaderValue::from_static("true"),
    );
    Ok(reply)
}

/// What the request demands of the blob as it is.
pub(super) fn conditions(call: &BlobCall) -> Conditions {
    let mut conditions = Conditions::of(&call.head.headers);
    conditions.must_be_new |= call.grant.create_only;
    conditions
}

/// Spares the sending of what will be refused. The write itself checks again, beside nobody.
async fn check_early(
    call: &BlobCall,
    conditions: &Conditions,
    service: &Arc<BlobService>,
) -> Result<(), BlobError> {
    let (container, name, conditions) =
        (call.container.clone(), call.name.clone(), conditions.clone());
    service
        .blocking(move |_| {
            let blob = container.store.read(&name)?;
            conditions.check_write(blob.as_ref().map(Manifest::current))
        })
        .await
}

fn written(blob: &Manifest) -> Reply {
    changed(StatusCode::CREATED, &blob.etag, blob.modified)
}

/// The answer to a change of a blob or container.
pub(super) fn changed(status: StatusCode, etag: &str, modified: u64) -> Reply {
    let mut reply = empty(status);
    let headers = reply.headers_mut();
    set(headers, ETAG, etag);
    set(headers, LAST_MODIFIED, &http_date(UnixMs(modified)));
    encrypted(headers);
    reply
}

/// Clients parse this from the answer to every write (service-protocols.md 6.4).
fn encrypted(headers: &mut HeaderMap) {
    let name = HeaderName::from_static("x-ms-request-server-encrypted");
    headers.insert(name, HeaderValue::from_static("true"));
}

/// Sets a header to a text of ours or one that came in a header before.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
