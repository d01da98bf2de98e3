//! What devices ask over HTTPS (device-protocols.md 4, 5): telemetry, cloud-to-device messages, file uploads.
//!
//! Every request proves anew who sends it, with a token or with the certificate of its connection.

pub mod files;
pub mod messages;
mod properties;
pub mod telemetry;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::request::Parts;
use hyper::header::AUTHORIZATION;
use ironhub_domain::HubError;
use ironhub_domain::auth::PeerCertificate;
use ironhub_domain::ids::IdentityId;

use super::HttpContext;
use super::errors::HttpError;
use crate::router::request::{Connected, Credentials};

/// Proves that the sender of a request is `identity`.
async fn authenticate(
    identity: &IdentityId,
    head: &Parts,
    context: &HttpContext,
) -> Result<Connected, HttpError> {
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let token =
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value.to_str().map_err(|_| {
                HubError::Unauthorized("the Authorization header is not ASCII".into())
            })?),
            (None, _) => None,
            (Some(_), Some(_)) => {
                let why = "the request has two Authorization headers".into();
                return Err(HubError::Unauthorized(why).into());
            }
        };
    let certificate = head.extensions.get::<Arc<PeerCertificate>>().cloned();
    if token.is_none() && certificate.is_none() {
        let why = "the request has no Authorization header and its connection no certificate";
        return Err(HubError::Unauthorized(why.into()).into());
    }
    let credentials = Credentials { token: token.map(str::to_owned), certificate };
    // Whether a device exists is nobody's business without credentials of the hub, but SDKs want to tell an unknown device
    // from a bad token (device-protocols.md 4.5).
    Ok(context.hub()?.authenticate(identity, &credentials).await?)
}
