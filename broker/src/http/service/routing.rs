//! `/routing`: routes, endpoints and enrichments (service-protocols.md 4.11). [choice: the original offers this through its
//! management plane only; the JSON is that of its `properties.routing`, the paths are ours, the trials' also the original's,
//! and it takes a policy with every permission, which `iothubowner` is]

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderValue};
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::limits::ROUTING_JSON_BYTES_MAX;
use ironhub_domain::registry::IfMatch;
use ironhub_domain::routing::{Part, Routing, RoutingTable, Trial, TrialRoute};

use super::request::{allow, if_match, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::body;
use crate::http::errors::{HttpError, Reply};
use crate::http::handle::wall_clock;
use crate::http::route::RouteError;

/// How often a change of one part is made again because another change came between.
const TRIES: usize = 8;

/// Which list of the document a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// `routes`
    Route,
    /// `endpoints`
    Endpoint,
    /// `enrichments`
    Enrichment,
}

impl PartKind {
    fn named(self, name: &str) -> Part<'_> {
        match self {
            Self::Route => Part::Route(name),
            Self::Endpoint => Part::Endpoint(name),
            Self::Enrichment => Part::Enrichment(name),
        }
    }
}

/// `GET /routing`: the whole document, its secrets masked.
pub async fn get(head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::ALL, "routing")?;
    let (routing, etag) = context.hub()?.routing()?;
    Ok(tagged(json_reply(&routing.to_json_masked()), &etag))
}

/// `PUT /routing`: the whole document in place of the old one. Secrets that are masked stay.
pub async fn put<B>(
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::ALL, "routing")?;
    let condition = if_match(&head.headers)?;
    let text = body::read(body, ROUTING_JSON_BYTES_MAX).await?;
    let hub = context.hub()?;
    let etag = hub.put_routing(Routing::parse(&text)?, condition).await?;
    let (routing, _) = hub.routing()?;
    Ok(tagged(json_reply(&routing.to_json_masked()), &etag))
}

/// `GET /routing/routes/{name}`, `/routing/endpoints/{name}`, `/routing/enrichments/{key}`.
pub async fn get_part(
    kind: PartKind,
    name: &str,
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::ALL, "routing")?;
    let (routing, etag) = context.hub()?.routing()?;
    let found = routing.part_json(kind.named(name)).ok_or_else(|| nothing(name))?;
    Ok(tagged(json_reply(&found), &etag))
}

/// `PUT` of one part: 201 for a new one, 200 for a changed one. ETags are those of the whole document.
pub async fn put_part<B>(
    kind: PartKind,
    name: &str,
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::ALL, "routing")?;
    let condition = if_match(&head.headers)?;
    let text = body::read(body, ROUTING_JSON_BYTES_MAX).await?;
    let change = |routing: &mut Routing| Ok(routing.put_part(kind.named(name), &text)?);
    let (is_new, etag) = change_routing(context, condition, change).await?;
    let (routing, _) = context.hub()?.routing()?;
    let value = routing.part_json(kind.named(name)).unwrap_or_default();
    let mut reply = tagged(json_reply(&value), &etag);
    if is_new {
        *reply.status_mut() = StatusCode::CREATED;
    }
    Ok(reply)
}

/// `DELETE` of one part. Events that an endpoint did not get rid of go with it.
pub async fn delete_part(
    kind: PartKind,
    name: &str,
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::ALL, "routing")?;
    let condition = if_match(&head.headers)?;
    let remove = |routing: &mut Routing| match routing.remove_part(kind.named(name)) {
        true => Ok(()),
        false => Err(nothing(name)),
    };
    change_routing(context, condition, remove).await?;
    Ok(no_content())
}

/// `GET /routing/endpoints/{name}/health`: how deliveries to an endpoint go.
pub async fn health(name: &str, head: &Parts, context: &HttpContext) -> Result<Reply, HttpError> {
    allow(&head.headers, context, Permissions::ALL, "routing")?;
    let (routing, _) = context.hub()?.routing()?;
    let endpoint = routing.endpoints.iter().find(|e| e.name.eq_ignore_ascii_case(name));
    let endpoint = endpoint.ok_or_else(|| nothing(name))?;
    Ok(json_reply(&context.deliveries.report(&endpoint.name)))
}

/// `POST /routing/testall`: which routes a message would take.
pub async fn test_all<B>(
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::ALL, "routing")?;
    let text = body::read(body, ROUTING_JSON_BYTES_MAX).await?;
    let trial = Trial::parse(&text)?;
    let hub = context.hub()?;
    let host = hub.hub_host();
    let table = RoutingTable::compile(&hub.routing()?.0, host.split('.').next().unwrap_or(host))?;
    Ok(json_reply(&trial.run(&table, wall_clock())))
}

/// `POST /routing/testnew`: whether a message would take a route that need not exist.
pub async fn test_new<B>(
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::ALL, "routing")?;
    let text = body::read(body, ROUTING_JSON_BYTES_MAX).await?;
    Ok(json_reply(&TrialRoute::parse(&text)?.run(wall_clock())))
}

/// Reads the document, changes it and writes it; again, if somebody else wrote it meanwhile and the caller did not ask for
/// the one that was there.
async fn change_routing<T>(
    context: &HttpContext,
    condition: Option<IfMatch>,
    change: impl Fn(&mut Routing) -> Result<T, HttpError>,
) -> Result<(T, String), HttpError> {
    let hub = context.hub()?;
    let mut tries = 0;
    loop {
        tries += 1;
        let (mut routing, etag) = hub.routing()?;
        condition.as_ref().unwrap_or(&IfMatch::Any).check_tag(&etag)?;
        let changed = change(&mut routing)?;
        match hub.put_routing(routing, Some(IfMatch::Tags(vec![etag]))).await {
            Ok(etag) => return Ok((changed, etag)),
            Err(HubError::PreconditionFailed { .. }) if tries < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn nothing(name: &str) -> HttpError {
    RouteError::unknown(name).into()
}

/// With the document's ETag; one that nobody ever changed has none.
fn tagged(mut reply: Reply, etag: &str) -> Reply {
    if let (false, Ok(value)) = (etag.is_empty(), HeaderValue::from_str(&format!("\"{etag}\""))) {
        reply.headers_mut().insert(ETAG, value);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_nobody_changed_has_no_etag() {
        assert!(tagged(no_content(), "").headers().get(ETAG).is_none());
        assert_eq!(tagged(no_content(), "7").headers()[ETAG], "\"7\"");
        assert_eq!(nothing("r").face().status, StatusCode::NOT_FOUND);
    }
}
