//! The end of an identity.

use crate::HubError;
use crate::device::DeviceIdentity;
use crate::ids::DeviceId;
use crate::registry::etag::IfMatch;

/// Whether the identity may be deleted now.
pub fn delete(
    existing: Option<&DeviceIdentity>,
    id: &DeviceId,
    precondition: &IfMatch,
) -> Result<(), HubError> {
    let existing = existing.ok_or_else(|| HubError::DeviceNotFound(id.as_str().to_owned()))?;
    precondition.check(existing)
}
