//! Get Blob, Get Blob Properties, Get Block List.

use std::io;
use std::sync::Arc;

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED,
};
use hyper::{HeaderMap, Response, StatusCode};
use ironhub_domain::time::UnixMs;

use super::reply::{XML, empty, with_body};
use super::upload::set;
use super::{BlobCall, Reply, headers, range};
use crate::blob::blocks::write_lists;
use crate::blob::conditions::{Conditions, http_date};
use crate::blob::error::BlobError;
use crate::blob::filesystem::manifest::Manifest;
use crate::blob::reading::Reading;
use crate::blob::service::BlobService;

/// Largest range whose MD5 may be asked for (Azure: Get Blob).
const RANGE_MD5_BYTES_MAX: u64 = 4 << 20;

/// `GET {blob}`: the content or a range of it.
pub(super) async fn get(call: &BlobCall, service: &Arc<BlobService>) -> Result<Reply, BlobError> {
    let blob = find(call, service).await?;
    let asked = &call.head.headers;
    let wanted = range::asked(asked, blob.bytes)?;
    let part = wanted.is_some();
    let wanted = wanted.unwrap_or(0..blob.bytes);
    let length = wanted.end - wanted.start;
    let place = service.transfer()?;
    let mut reply = described(&blob, part);
    if part {
        *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
        let shown = format!("bytes {}-{}/{}", wanted.start, wanted.end - 1, blob.bytes);
        set(reply.headers_mut(), CONTENT_RANGE, &shown);
    }
    set(reply.headers_mut(), CONTENT_LENGTH, &length.to_string());
    let range_md5 = headers::text(asked, "x-ms-range-get-content-md5")?;
    let (container, name) = (call.container.clone(), call.name.clone());
    let mut reading = Reading::new(container, name, blob.segments, wanted, place);
    if part && range_md5.is_some_and(|wish| wish.eq_ignore_ascii_case("true")) {
        if length > RANGE_MD5_BYTES_MAX {
            return Err(BlobError::HeaderValue("x-ms-range-get-content-md5".into()));
        }
        // Read twice: the MD5 stands before the content, which is not gathered in memory for it.
        let (again, md5) =
            service.blocking(move |_| reading.md5().map_err(BlobError::from)).await?;
        reading = again;
        set(reply.headers_mut(), HeaderName::from_static("content-md5"), &md5);
    }
    let (head, _) = reply.into_parts();
    let frames = stream::try_unfold(reading, |reading| async {
        let (read, reading) = reading.next_off_thread().await?;
        Ok::<_, io::Error>(read.map(|bytes| (Frame::data(bytes), reading)))
    });
    Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
}

/// `HEAD {blob}`.
pub(super) async fn properties(
    call: &BlobCall,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let blob = find(call, service).await?;
    let mut reply = described(&blob, false);
    set(reply.headers_mut(), CONTENT_LENGTH, &blob.bytes.to_string());
    Ok(reply)
}

/// `GET {blob}?comp=blocklist&blocklisttype=committed|uncommitted|all`.
pub(super) async fn block_list(
    call: &BlobCall,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let kind = call.query.only("blocklisttype").unwrap_or("committed").to_ascii_lowercase();
    let (with_committed, with_waiting) = match kind.as_str() {
        "committed" => (true, false),
        "uncommitted" => (false, true),
        "all" => (true, true),
        _ => return Err(BlobError::QueryValue("blocklisttype")),
    };
    let _place = service.transfer()?;
    let _turn = service.long_list().await?;
    let (container, name) = (call.container.clone(), call.name.clone());
    let (committed, waiting) = service.blocking(move |_| container.store.blocks(&name)).await?;
    let bytes: u64 = committed.iter().map(|(_, bytes)| bytes).sum();
    let xml = write_lists(
        with_committed.then_some(committed.as_slice()),
        with_waiting.then_some(waiting.as_slice()),
    );
    let mut reply = with_body(StatusCode::OK, xml);
    reply.headers_mut().insert(CONTENT_TYPE, XML);
    let name = HeaderName::from_static("x-ms-blob-content-length");
    set(reply.headers_mut(), name, &bytes.to_string());
    Ok(reply)
}

async fn find(call: &BlobCall, service: &Arc<BlobService>) -> Result<Manifest, BlobError> {
    let (container, name) = (call.container.clone(), call.name.clone());
    let blob = service.blocking(move |_| Ok(container.store.read(&name)?)).await?;
    let conditions = Conditions::of(&call.head.headers);
    let blob = blob.ok_or(BlobError::NotFound)?;
    conditions.check_read(Some(blob.current()))?;
    Ok(blob)
}

/// Everything that is said of a blob beside its bytes. With a part, the MD5 of the whole has another name.
fn described(blob: &Manifest, part: bool) -> Reply {
    let mut reply = empty(StatusCode::OK);
    let headers: &mut HeaderMap = reply.headers_mut();
    for (name, value) in &blob.headers {
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            set(headers, name, value);
        }
    }
    set(headers, ETAG, &blob.etag);
    set(headers, LAST_MODIFIED, &http_date(UnixMs(blob.modified)));
    set(headers, ACCEPT_RANGES, "bytes");
    if let Some(md5) = &blob.md5 {
        let name = if part { "x-ms-blob-content-md5" } else { "content-md5" };
        set(headers, HeaderName::from_static(name), md5);
    }
    for (name, value) in [
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-lease-state", "available"),
        ("x-ms-server-encrypted", "true"),
        // What a device sent is data, whatever it calls it.
        ("x-content-type-options", "nosniff"),
    ] {
        set(headers, HeaderName::from_static(name), value);
    }
    let created = http_date(UnixMs(blob.created));
    set(headers, HeaderName::from_static("x-ms-creation-time"), &created);
    reply
}
