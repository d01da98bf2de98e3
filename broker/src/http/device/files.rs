//! `/devices/{d}/files`: announce an upload, finish it (device-protocols.md 5).

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::body::Body;
use hyper::header::HOST;
use hyper::http::uri::Authority;
use ironhub_domain::HubError;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::time::UnixMs;
use ironhub_domain::upload::{UploadResult, UploadTicket};
use serde::Deserialize;
use serde_json::json;

use super::authenticate;
use crate::blob::{BlobError, BlobName, Storage};
use crate::http::HttpContext;
use crate::http::body::{self, JSON_BODY_BYTES_MAX};
use crate::http::errors::{HttpError, Reply};
use crate::http::handle::wall_clock;
use crate::http::object::Object;
use crate::http::service::request::{identity, json_reply, no_content};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Announcement {
    blob_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Completion {
    correlation_id: Option<String>,
    is_success: bool,
}

/// `POST /devices/{d}/files`: where to upload, and under which correlation id.
pub async fn announce<B>(
    ids: &[String],
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let IdentityId { device, .. } = identity(ids)?;
    authenticate(&device.clone().into(), head, context).await?;
    let text = body::read(body, JSON_BODY_BYTES_MAX).await?;
    let Object(Announcement { blob_name }) = serde_json::from_slice(&text)
        .map_err(|error| HttpError::Json(format!("the body names no blob: {error}")))?;
    let name = BlobName::of_device(device.as_str(), &blob_name)
        .map_err(|error| HubError::InvalidArgument(format!("blobName: {error}")))?;
    let (storage, now) = (storage(context)?, wall_clock());
    let expires = UnixMs(now.0.saturating_add(context.upload_ms));
    let target = storage.upload_target(&name, expires, now).await.map_err(hub_error)?;
    // Letters and digits only: some SDKs put it into a path as it is.
    let correlation_id = format!("{:032x}", rand::random::<u128>());
    let ticket = UploadTicket {
        correlation_id: correlation_id.clone(),
        blob_name: name.as_str().to_owned(),
        expires,
    };
    context.hub()?.open_upload(&device, ticket).await?;
    Ok(json_reply(&json!({
        "correlationId": correlation_id,
        "hostName": reached(target.host_name, context.registry.hub_host(), head),
        "containerName": target.container_name,
        "blobName": target.blob_name,
        "sasToken": target.sas_token,
    })))
}

/// `POST /devices/{d}/files/notifications`, with the correlation id in the body, or behind it in the path.
pub async fn finish<B>(
    ids: &[String],
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let (device, from_path) = match ids {
        [device] => (device, None),
        [device, correlation_id, ..] => (device, Some(correlation_id.clone())),
        [] => return Err(HubError::UploadNotFound(String::new()).into()),
    };
    let device = DeviceId::new(device).map_err(HubError::from)?;
    authenticate(&device.clone().into(), head, context).await?;
    let text = body::read(body, JSON_BODY_BYTES_MAX).await?;
    let Object(Completion { correlation_id, is_success }) = serde_json::from_slice(&text)
        .map_err(|error| HttpError::Json(format!("the body is no completion: {error}")))?;
    let correlation_id = correlation_id
        .filter(|id| !id.is_empty())
        .or(from_path)
        .ok_or_else(|| HubError::UploadNotFound(String::new()))?;
    let hub = context.hub()?;
    let ticket = hub.upload(&device, &correlation_id).await?;
    let result = if is_success { stored(&ticket, context).await? } else { UploadResult::Failed };
    hub.close_upload(&device, &correlation_id, result, context.upload_notifications).await?;
    Ok(no_content())
}

/// What the device says is there must be there.
async fn stored(ticket: &UploadTicket, context: &HttpContext) -> Result<UploadResult, HttpError> {
    let missing =
        || HubError::UploadBlobMissing(format!("there is no blob {:?}", ticket.blob_name));
    let name = BlobName::new(ticket.blob_name.clone()).map_err(|_| missing())?;
    let facts = storage(context)?.stat(&name).await.map_err(hub_error)?.ok_or_else(missing)?;
    Ok(UploadResult::Stored {
        blob_uri: facts.uri,
        bytes: facts.bytes,
        last_updated: facts.last_modified,
    })
}

fn storage(context: &HttpContext) -> Result<&Storage, HttpError> {
    context.blob.as_deref().ok_or(HttpError::NotBuilt("a registry without storage"))
}

/// The hub's own storage with the port that the device reached the hub by, which may be one that stands for ours.
fn reached(host_name: String, hub_host: &str, head: &Parts) -> String {
    let named = || head.headers.get(HOST)?.to_str().ok()?.parse().ok();
    let authority: Option<Authority> = head.uri.authority().cloned().or_else(named);
    match authority.and_then(|authority| authority.port_u16()) {
        Some(port) if port != 443 && host_name == hub_host => format!("{host_name}:{port}"),
        Some(_) | None => host_name,
    }
}

/// A storage that does not answer is no fault of the device.
fn hub_error(error: BlobError) -> HubError {
    HubError::Internal(format!("upload storage: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hubs_own_storage_is_behind_the_port_that_the_device_came_by() {
        let check = |uri: &str, host: &str, storage: &str, expected: &str| {
            let request = hyper::Request::builder().uri(uri).header(HOST, host);
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(reached(storage.into(), "hub.test", &head), expected, "{uri} {host}");
        };
        check("/devices/d/files", "hub.test", "hub.test", "hub.test");
        check("/devices/d/files", "hub.test:443", "hub.test", "hub.test");
        check("/devices/d/files", "hub.test:8443", "hub.test", "hub.test:8443");
        check("/devices/d/files", "127.0.0.1:8443", "hub.test", "hub.test:8443");
        check("https://hub.test:8443/devices/d/files", "other:1", "hub.test", "hub.test:8443");
        check("/devices/d/files", "hub.test:nonsense", "hub.test", "hub.test");
        check("/devices/d/files", "hub.test:8443", "account.test", "account.test");
    }
}
