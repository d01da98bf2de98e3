//! `/configurations`, `/configurations/{id}` and `/devices/{id}/applyConfigurationContent` (service-protocols.md 2.11).
//!
//! PUT without `If-Match` creates, with it changes.

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderValue};
use ironhub_domain::auth::Permissions;
use ironhub_domain::configuration::{
    Configuration, ConfigurationId, ConfigurationRequest, DirectContent, MetricResults,
    TrialRequest,
};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::limits::CONFIGURATION_JSON_BYTES_MAX;

use super::devices::top;
use super::request::{allow, if_match, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::body;
use crate::http::errors::{HttpError, Reply};
use crate::http::route::ConfigurationCall;

/// Carries the call out.
pub async fn act<B>(
    call: ConfigurationCall,
    id: &str,
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    match call {
        ConfigurationCall::List => list(head, context).await,
        ConfigurationCall::Get => get(id, head, context).await,
        ConfigurationCall::Put => put(id, head, body, context).await,
        ConfigurationCall::Delete => delete(id, head, context).await,
        ConfigurationCall::Test => test(head, body, context).await,
        ConfigurationCall::Apply => apply(id, head, body, context).await,
    }
}

/// `GET /configurations?top=N`: the first N by id with what was counted of them, all without N.
async fn list(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::REGISTRY_READ, "configurations")?;
    let top = top(head.uri.query().unwrap_or_default())?;
    let hub = context.hub()?;
    let mut all = hub.configurations()?;
    all.truncate(top);
    let results = all.iter().map(|configuration| hub.configuration_results(configuration));
    let results = futures_util::future::join_all(results).await;
    let shown = all.iter().zip(&results).map(|(one, results)| one.json(results));
    Ok(json_reply(&shown.collect()))
}

/// `GET /configurations/{id}`.
async fn get(id: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let id = ConfigurationId::new(id)?;
    allow(&head.headers, context, Permissions::REGISTRY_READ, &path(&id))?;
    let hub = context.hub()?;
    let configuration = hub.configuration(&id)?;
    let results = hub.configuration_results(&configuration).await;
    Ok(reply(&configuration, &results))
}

/// `PUT /configurations/{id}`. What it answers has not been counted yet.
async fn put<B>(
    id: &str,
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let id = ConfigurationId::new(id)?;
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, &path(&id))?;
    let condition = if_match(&head.headers)?;
    let text = body::read(body, CONFIGURATION_JSON_BYTES_MAX).await?;
    let request = ConfigurationRequest::parse(id, &text)?;
    let configuration = context.hub()?.put_configuration(request, condition.as_ref()).await?;
    let mut reply = reply(&configuration, &MetricResults::default());
    if condition.is_none() {
        *reply.status_mut() = StatusCode::CREATED;
    }
    Ok(reply)
}

/// `DELETE /configurations/{id}`.
async fn delete(id: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    let id = ConfigurationId::new(id)?;
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, &path(&id))?;
    let condition = if_match(&head.headers)?;
    context.hub()?.delete_configuration(&id, condition.as_ref()).await?;
    Ok(no_content())
}

/// `POST /configurations/testQueries`: says what is wrong with a condition and with metrics.
async fn test<B>(head: &Parts, body: Pin<&mut B>, context: &HttpContext) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::REGISTRY_READ, "configurations/testQueries")?;
    let text = body::read(body, CONFIGURATION_JSON_BYTES_MAX).await?;
    let trial = TrialRequest::parse(&text)?;
    Ok(json_reply(&context.hub()?.try_configuration(&trial)))
}

/// `POST /devices/{id}/applyConfigurationContent`.
async fn apply<B>(
    id: &str,
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let id = DeviceId::new(id).map_err(ironhub_domain::HubError::from)?;
    let path = format!("devices/{id}");
    allow(&head.headers, context, Permissions::REGISTRY_WRITE, &path)?;
    let text = body::read(body, CONFIGURATION_JSON_BYTES_MAX).await?;
    let content = DirectContent::parse(&text)?;
    context.hub()?.apply_configuration_content(&id, content).await?;
    Ok(no_content())
}

/// The resource that a token's scope must cover.
fn path(id: &ConfigurationId) -> String {
    format!("configurations/{id}")
}

fn reply(configuration: &Configuration, results: &MetricResults) -> Reply {
    let mut reply = json_reply(&configuration.json(results));
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", configuration.etag())) {
        reply.headers_mut().insert(ETAG, etag);
    }
    reply
}
