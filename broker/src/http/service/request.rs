//! What the service calls have in common: who may, for which identity, under which condition; and their answers.

use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, IF_MATCH};
use hyper::{HeaderMap, StatusCode};
use ironhub_domain::HubError;
use ironhub_domain::auth::Permissions;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::registry::IfMatch;
use serde_json::Value;

use crate::http::HttpContext;
use crate::http::authorize::authorize;
use crate::http::errors::{JSON, Reply};
use crate::http::handle::wall_clock;

/// Whether the request's token allows this on that path.
pub(super) fn allow(
    headers: &HeaderMap,
    context: &HttpContext,
    permission: Permissions,
    path: &str,
) -> Result<(), HubError> {
    let registry = &context.registry;
    authorize(headers, registry.hub_host(), &registry.policies(), wall_clock(), permission, path)
}

/// The device, or module, that a path names by one id or two.
pub(in crate::http) fn identity(ids: &[String]) -> Result<IdentityId, HubError> {
    // The routing table gives each operation its ids; the empty id of a missing one breaks the grammar and is refused.
    let device = DeviceId::new(ids.first().map_or("", String::as_str))?;
    let module = ids.get(1).map(|id| ModuleId::new(id)).transpose()?;
    Ok(IdentityId { device, module })
}

/// The condition of the request, if it has one.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, HubError> {
    let mut tags = Vec::new();
    for value in headers.get_all(IF_MATCH) {
        let text = value
            .to_str()
            .map_err(|_| HubError::InvalidArgument("the If-Match header is not ASCII".into()))?;
        tags.push(text);
    }
    Ok((!tags.is_empty()).then(|| IfMatch::parse(&tags.join(","))))
}

/// 200 with a JSON body.
pub(in crate::http) fn json_reply(body: &Value) -> Reply {
    json_text(body.to_string())
}

/// 200 with a body that is JSON already.
pub(super) fn json_text(body: String) -> Reply {
    let mut reply = Reply::new(Full::new(body.into()));
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

/// 204.
pub(in crate::http) fn no_content() -> Reply {
    let mut reply = Reply::new(Full::default());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}
