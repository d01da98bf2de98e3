//! `/devices/{id}/modules` and `/devices/{id}/modules/{mid}`: a device's modules (service-protocols.md 2.3, 2.4).

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderValue};
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::registry::PutMode;
use serde_json::Value;

use super::module_json;
use super::request::{allow, identity, if_match, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::body::{self, JSON_BODY_BYTES_MAX};
use crate::http::errors::{HttpError, Reply};
use crate::router::request::ModuleView;

/// `GET /devices/{id}/modules`.
pub async fn list(ids: &[String], head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let IdentityId { device, .. } = identity(ids)?;
    let path = format!("devices/{device}/modules");
    allow(&head.headers, context, Permissions::REGISTRY_READ, &path)?;
    let modules = context.hub()?.modules(&device).await?;
    Ok(json_reply(&Value::Array(modules.iter().map(module_json::write).collect())))
}

/// `GET /devices/{id}/modules/{mid}`.
pub async fn get(ids: &[String], head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let (device, module) = named(ids)?;
    allow(&head.headers, context, Permissions::REGISTRY_READ, &path(&device, &module))?;
    Ok(reply(&context.hub()?.module(&device, &module).await?))
}

/// `PUT /devices/{id}/modules/{mid}`: 201 for a new one, 200 for a changed one.
pub async fn put<B>(
    ids: &[String],
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let (device, module) = named(ids)?;
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, &path(&device, &module))?;
    let (mode, status) = match if_match(&head.headers)? {
        None => (PutMode::Create, StatusCode::CREATED),
        Some(condition) => (PutMode::Update(condition), StatusCode::OK),
    };
    let text = body::read(body, JSON_BODY_BYTES_MAX).await?;
    let wanted = module_json::read(device, module, &text)?;
    let mut reply = reply(&context.hub()?.put_module(mode, wanted).await?);
    *reply.status_mut() = status;
    Ok(reply)
}

/// `DELETE /devices/{id}/modules/{mid}`.
pub async fn delete(
    ids: &[String],
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    let (device, module) = named(ids)?;
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, &path(&device, &module))?;
    let condition = if_match(&head.headers)?;
    context.hub()?.delete_module(&device, &module, condition).await?;
    Ok(no_content())
}

fn named(ids: &[String]) -> Result<(DeviceId, ModuleId), HubError> {
    let IdentityId { device, module } = identity(ids)?;
    let module = module.ok_or_else(|| HubError::InvalidArgument("no module id".into()))?;
    Ok((device, module))
}

fn path(device: &DeviceId, module: &ModuleId) -> String {
    format!("devices/{device}/modules/{module}")
}

fn reply(module: &ModuleView) -> Reply {
    let mut reply = json_reply(&module_json::write(module));
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", module.identity.etag)) {
        reply.headers_mut().insert(ETAG, etag);
    }
    reply
}
