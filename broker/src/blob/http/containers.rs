//! Create, Get Properties of, Set Metadata of and Delete Container; List Blobs, List Containers.

use std::sync::Arc;

use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::{Response, StatusCode};

use super::reply::{XML, with_body};
use super::upload::{changed, set};
use super::{Call, Reply, headers, listing};
use crate::blob::conditions::Conditions;
use crate::blob::container::{ContainerFacts, ContainerName};
use crate::blob::error::BlobError;
use crate::blob::filesystem::listing::{PAGE_ENTRIES_MAX, Wanted};
use crate::blob::service::BlobService;

/// `PUT {container}?restype=container`.
pub(super) async fn create(
    call: &Call,
    name: &ContainerName,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    // Everything needs a token here, whatever a client wishes.
    if call.head.headers.contains_key("x-ms-blob-public-access") {
        return Err(BlobError::HeaderValue("x-ms-blob-public-access".into()));
    }
    service.check_room(0)?;
    let metadata = headers::metadata(&call.head.headers)?;
    let (name, now) = (name.clone(), call.now());
    let made = service
        .blocking(move |service| Ok(service.containers.create(&name, metadata, now)?.facts()))
        .await?;
    Ok(changed(StatusCode::CREATED, &made.etag, made.modified))
}

/// `GET|HEAD {container}?restype=container[&comp=metadata]`.
pub(super) fn properties(name: &ContainerName, service: &BlobService) -> Result<Reply, BlobError> {
    let facts = service.containers.get(name)?.facts();
    let mut reply = changed(StatusCode::OK, &facts.etag, facts.modified);
    describe(&mut reply, &facts);
    Ok(reply)
}

fn describe(reply: &mut Response<super::ReplyBody>, facts: &ContainerFacts) {
    let headers = reply.headers_mut();
    headers.remove("x-ms-request-server-encrypted");
    for (name, value) in [
        ("x-ms-lease-status", "unlocked"),
        ("x-ms-lease-state", "available"),
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "false"),
        ("x-ms-default-encryption-scope", "$account-encryption-key"),
        ("x-ms-deny-encryption-scope-override", "false"),
    ] {
        set(headers, HeaderName::from_static(name), value);
    }
    for (name, value) in &facts.metadata {
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            set(headers, name, value);
        }
    }
}

/// `PUT {container}?restype=container&comp=metadata`.
pub(super) async fn set_metadata(
    call: &Call,
    name: &ContainerName,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let metadata = headers::metadata(&call.head.headers)?;
    let container = service.containers.get(name)?;
    let (conditions, now) = (Conditions::of(&call.head.headers), call.now());
    let facts =
        service.blocking(move |_| container.set_metadata(metadata, &conditions, now)).await?;
    Ok(changed(StatusCode::OK, &facts.etag, facts.modified))
}

/// `DELETE {container}?restype=container`.
pub(super) async fn delete(
    call: &Call,
    name: &ContainerName,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let (name, conditions) = (name.clone(), Conditions::of(&call.head.headers));
    let gone =
        service.blocking(move |service| service.containers.delete(&name, &conditions)).await?;
    // Nobody waits for a million files to go; a start removes what is left.
    tokio::task::spawn_blocking(move || std::fs::remove_dir_all(gone));
    Ok(super::reply::empty(StatusCode::ACCEPTED))
}

/// `GET {container}?restype=container&comp=list[&prefix=&delimiter=&marker=&maxresults=&include=metadata]`.
pub(super) async fn list_blobs(
    call: &Call,
    name: &ContainerName,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let container = service.containers.get(name)?;
    let asked = listing::Asked::of(&call.query, PAGE_ENTRIES_MAX)?;
    let wanted = Wanted {
        prefix: asked.prefix.clone(),
        delimiter: asked.delimiter.clone(),
        from: asked.from()?,
        max: asked.max,
    };
    // A page is in memory as a whole: few at a time.
    let _turn = service.long_list().await?;
    let account = listing::account_url(&call.head);
    let name = name.clone();
    let xml = service
        .blocking(move |_| {
            let page = container.store.list(&wanted)?;
            Ok(listing::blobs(&account, &name, &asked, &page))
        })
        .await?;
    Ok(xml_reply(xml))
}

/// `GET /?comp=list[&prefix=&marker=&maxresults=&include=metadata]`.
pub(super) fn list(call: &Call, service: &BlobService) -> Result<Reply, BlobError> {
    let asked = listing::Asked::of(&call.query, PAGE_ENTRIES_MAX)?;
    let (page, next) = service.containers.list(&asked.prefix, &asked.from()?, asked.max);
    let account = listing::account_url(&call.head);
    let next = next.as_ref().map(ContainerName::as_str);
    Ok(xml_reply(listing::containers(&account, &asked, &page, next)))
}

fn xml_reply(xml: String) -> Reply {
    let mut reply = with_body(StatusCode::OK, xml);
    reply.headers_mut().insert(CONTENT_TYPE, XML);
    reply
}
