//! The headers of an upload that stay with the blob, and those that ask for what this surface does not do.

use std::collections::BTreeMap;

use hyper::HeaderMap;

use crate::blob::checksum::Expected;
use crate::blob::error::BlobError;
use crate::blob::filesystem::describe::METADATA;

/// Properties of a blob: the header of an upload that sets it, and the header that every reader gets.
const PROPERTIES: &[(&str, &str)] = &[
    ("x-ms-blob-content-type", "content-type"),
    ("x-ms-blob-content-encoding", "content-encoding"),
    ("x-ms-blob-content-language", "content-language"),
    ("x-ms-blob-content-disposition", "content-disposition"),
    ("x-ms-blob-cache-control", "cache-control"),
];
/// Content type of a blob whose sender named none.
const CONTENT_TYPE_DEFAULT: &str = "application/octet-stream";

/// These would change what the body is or how it is kept. Ignoring them would store something else than was sent.
const REFUSED: &[&str] =
    &["x-ms-copy-source", "x-ms-structured-body", "x-ms-encryption-key", "x-ms-encryption-scope"];

/// Whether the request asks for something that would be silently left out.
pub(super) fn check_refused(headers: &HeaderMap) -> Result<(), BlobError> {
    match REFUSED.iter().find(|name| headers.contains_key(**name)) {
        Some(name) => Err(BlobError::HeaderValue((*name).to_owned())),
        None => Ok(()),
    }
}

/// The text of a header; an error if it is there and not visible ASCII.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, BlobError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    value.to_str().map(Some).map_err(|_| BlobError::HeaderValue(name.to_owned()))
}

/// The headers that every reader of the blob will get. Put Blob may also set them with the plain HTTP headers, whose
/// meaning with Put Block List is another: there they describe the list. Bounded by the longest request head.
pub(super) fn kept(
    headers: &HeaderMap,
    plain_too: bool,
) -> Result<BTreeMap<String, String>, BlobError> {
    let mut kept = BTreeMap::new();
    for (set_by, shown_as) in PROPERTIES {
        let mut value = text(headers, set_by)?;
        if value.is_none() && plain_too {
            value = text(headers, shown_as)?;
        }
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            kept.insert((*shown_as).to_owned(), value.to_owned());
        }
    }
    kept.entry("content-type".into()).or_insert_with(|| CONTENT_TYPE_DEFAULT.into());
    kept.extend(metadata(headers)?);
    Ok(kept)
}

/// What users keep with a blob or a container. Bounded by the longest request head.
pub(super) fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, BlobError> {
    let mut kept = BTreeMap::new();
    for name in headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with(METADATA)) {
        if name.len() == METADATA.len() {
            return Err(BlobError::EmptyMetadataName);
        }
        if let Some(value) = text(headers, name)? {
            kept.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(kept)
}

/// The properties that a request sets: without its metadata.
pub(super) fn properties(headers: &HeaderMap) -> Result<BTreeMap<String, String>, BlobError> {
    let mut kept = kept(headers, false)?;
    kept.retain(|name, _| !name.starts_with(METADATA));
    Ok(kept)
}

/// What the sender says of its body.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected, BlobError> {
    let owned = |name| Ok::<_, BlobError>(text(headers, name)?.map(str::to_owned));
    Ok(Expected { md5: owned("content-md5")?, crc64: owned("x-ms-content-crc64")? })
}
