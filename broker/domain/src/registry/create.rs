//! A new identity.

use crate::HubError;
use crate::auth::SymmetricKeys;
use crate::device::{Authentication, DeviceIdentity};
use crate::registry::request::{AuthenticationRequest, DeviceRequest, Fresh};
use crate::registry::scope::scopes;

/// The identity that a create makes; refused if the id exists.
pub fn create(
    existing: Option<&DeviceIdentity>,
    request: &DeviceRequest,
    fresh: &Fresh,
) -> Result<DeviceIdentity, HubError> {
    request.validate()?;
    if existing.is_some() {
        return Err(HubError::DeviceAlreadyExists(request.id.as_str().to_owned()));
    }
    let (device_scope, parent_scopes) = scopes(None, request, &fresh.generation);
    Ok(DeviceIdentity {
        id: request.id.clone(),
        generation: fresh.generation.clone(),
        etag: fresh.etag.clone(),
        status: request.status,
        status_reason: request.status_reason.clone(),
        status_updated: None,
        authentication: authentication(None, &request.authentication, &fresh.keys),
        iot_edge: request.iot_edge,
        device_scope,
        parent_scopes,
        created: fresh.now,
    })
}

/// What is asked for, with the keys filled in that the request leaves to the hub. An update that says nothing of a key
/// keeps it: Node sends empty keys when it only changes the status, and must not lock the device out.
pub(super) fn authentication(
    current: Option<&Authentication>,
    request: &AuthenticationRequest,
    fresh: &SymmetricKeys,
) -> Authentication {
    let or_else =
        |key: &str, hub: &str| if key.is_empty() { hub.to_owned() } else { key.to_owned() };
    match request {
        AuthenticationRequest::Sas(keys) => {
            let hub = match current {
                Some(Authentication::Sas(keys)) => keys,
                Some(
                    Authentication::SelfSigned(_)
                    | Authentication::CertificateAuthority
                    | Authentication::None,
                )
                | None => fresh,
            };
            Authentication::Sas(SymmetricKeys {
                primary: or_else(&keys.primary, &hub.primary),
                secondary: or_else(&keys.secondary, &hub.secondary),
            })
        }
        AuthenticationRequest::SelfSigned(thumbprints) => {
            Authentication::SelfSigned(thumbprints.clone())
        }
        AuthenticationRequest::CertificateAuthority => Authentication::CertificateAuthority,
        AuthenticationRequest::None => Authentication::None,
    }
}
