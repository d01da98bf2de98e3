//! The `Authorization` header -> a principal (service-protocols.md 1.1 to 1.3).

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ironhub_domain::HubError;
use ironhub_domain::auth::{Permissions, PolicySet, SasToken, authenticate_policy};
use ironhub_domain::time::UnixMs;

/// Whether the request may use `path` with `permission`: it carries a token of one of `policies`, for `hub_host`, not
/// expired, whose scope covers the path. A device's own token never is.
pub fn authorize(
    headers: &HeaderMap,
    hub_host: &str,
    policies: &PolicySet,
    now: UnixMs,
    permission: Permissions,
    path: &str,
) -> Result<(), HubError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = values
        .next()
        .ok_or_else(|| HubError::Unauthorized("the request has no Authorization header".into()))?;
    // Azure IoT Explorer sends the same one twice with a message.
    if values.any(|other| other != header) {
        return Err(HubError::Unauthorized("the request has two Authorization headers".into()));
    }
    let text = header
        .to_str()
        .map_err(|_| HubError::Unauthorized("the Authorization header is not ASCII".into()))?;
    let token = SasToken::parse(text)?;
    authenticate_policy(&token, hub_host, policies, now)?.check(permission, path)
}
