//! `/jobs`: the whole registry to blobs and back (service-protocols.md 2.3, 2.10). Jobs over many devices are
//! `/jobs/v2`.

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::body::Body;
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::job::transfer::{TransferDirection, TransferJob, TransferRequest};
use serde_json::Value;

use super::request::{allow, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::body::{self, JSON_BODY_BYTES_MAX};
use crate::http::errors::{HttpError, Reply};
use crate::http::handle::wall_clock;

/// The keys of all devices go either way (service-protocols.md 1.1).
fn may(head: &Parts, context: &HttpContext) -> Result<(), HubError> {
    let both = Permissions::REGISTRY_READ | Permissions::REGISTRY_WRITE;
    allow(&head.headers, context, both, "jobs")
}

/// `POST /jobs/create`: 200 with the job, which begins by itself.
pub async fn create<B>(
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    may(head, context)?;
    let text = body::read(body, JSON_BODY_BYTES_MAX).await?;
    let request = TransferRequest::parse(&text)?;
    check_containers(&request, context)?;
    let job = context.hub()?.create_transfer(request).await?;
    Ok(json_reply(&job.json()))
}

/// What can be seen at once to open nothing is refused at once.
fn check_containers(request: &TransferRequest, context: &HttpContext) -> Result<(), HttpError> {
    let Some(storage) = &context.blob else {
        return Err(HttpError::NotBuilt("a hub without storage"));
    };
    let containers = match &request.direction {
        TransferDirection::Export { output, .. } => vec![("outputBlobContainerUri", output)],
        TransferDirection::Import { input, output, .. } => {
            vec![("inputBlobContainerUri", input), ("outputBlobContainerUri", output)]
        }
    };
    for (member, container) in containers {
        storage
            .container(container.uri(), wall_clock())
            .map_err(|error| HubError::InvalidArgument(format!("{member}: {error}")))?;
    }
    Ok(())
}

/// `GET /jobs`.
pub async fn list(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    may(head, context)?;
    let jobs = context.hub()?.transfers()?;
    Ok(json_reply(&Value::Array(jobs.iter().map(TransferJob::json).collect())))
}

/// `GET /jobs/{id}`.
pub async fn get(id: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    may(head, context)?;
    Ok(json_reply(&context.hub()?.transfer(id)?.json()))
}

/// `DELETE /jobs/{id}`: what was imported stays; of an export nothing is seen.
pub async fn cancel(id: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    may(head, context)?;
    context.hub()?.cancel_transfer(id).await?;
    Ok(no_content())
}
