//! A change of an identity.

use crate::HubError;
use crate::device::DeviceIdentity;
use crate::registry::create::authentication;
use crate::registry::etag::IfMatch;
use crate::registry::request::{DeviceRequest, Fresh};
use crate::registry::scope::scopes;

/// The identity after a full replacement of its mutable fields; its generation stays. Refused if there is none (404
/// whatever the precondition says) or if its ETag is another.
pub fn update(
    existing: Option<&DeviceIdentity>,
    precondition: &IfMatch,
    request: &DeviceRequest,
    fresh: &Fresh,
) -> Result<DeviceIdentity, HubError> {
    request.validate()?;
    let existing =
        existing.ok_or_else(|| HubError::DeviceNotFound(request.id.as_str().to_owned()))?;
    precondition.check(existing)?;
    let status_changed = existing.status != request.status;
    let (device_scope, parent_scopes) = scopes(Some(existing), request, &existing.generation);
    Ok(DeviceIdentity {
        id: existing.id.clone(),
        generation: existing.generation.clone(),
        etag: fresh.etag.clone(),
        status: request.status,
        status_reason: request.status_reason.clone(),
        status_updated: if status_changed { Some(fresh.now) } else { existing.status_updated },
        authentication: authentication(
            Some(&existing.authentication),
            &request.authentication,
            &fresh.keys,
        ),
        iot_edge: request.iot_edge,
        device_scope,
        parent_scopes,
        created: existing.created,
    })
}
