//! What a put asks for, checked before it is proposed.

use crate::HubError;
use crate::auth::SymmetricKeys;
use crate::device::{DeviceStatus, Thumbprints};
use crate::ids::DeviceId;
use crate::limits::{PARENT_SCOPES_MAX, RECORD_TEXT_BYTES_MAX, STATUS_REASON_CHARS_MAX};
use crate::time::UnixMs;

/// `authentication` as the request has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthenticationRequest {
    /// `sas`, or nothing said. An empty key asks for the hub to choose one: the current one if there is one.
    Sas(SymmetricKeys),
    /// `selfSigned`
    SelfSigned(Thumbprints),
    /// `certificateAuthority`
    CertificateAuthority,
    /// `none`
    None,
}

impl AuthenticationRequest {
    /// Whether keys and thumbprints are any.
    pub fn validate(&self) -> Result<(), HubError> {
        match self {
            Self::Sas(keys) => [&keys.primary, &keys.secondary]
                .into_iter()
                .filter(|key| !key.is_empty())
                .try_for_each(|key| SymmetricKeys::check_key(key)),
            Self::SelfSigned(Thumbprints { primary: None, secondary: None }) => {
                Err(HubError::InvalidArgument("selfSigned without a thumbprint".into()))
            }
            Self::SelfSigned(Thumbprints { primary, secondary }) => {
                primary.iter().chain(secondary).try_for_each(|text| check_thumbprint(text))
            }
            Self::CertificateAuthority | Self::None => Ok(()),
        }
    }
}

impl Default for AuthenticationRequest {
    fn default() -> Self {
        Self::Sas(SymmetricKeys::default())
    }
}

/// The fields of an identity that a client may set. A put replaces them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Which device.
    pub id: DeviceId,
    /// `status`; enabled if absent.
    pub status: DeviceStatus,
    /// `statusReason`
    pub status_reason: Option<String>,
    /// `authentication`
    pub authentication: AuthenticationRequest,
    /// `capabilities.iotEdge`
    pub iot_edge: bool,
    /// `deviceScope`
    pub device_scope: Option<String>,
    /// `parentScopes`
    pub parent_scopes: Vec<String>,
}

impl DeviceRequest {
    /// The request that says only an id: an enabled device with keys of the hub's choice.
    pub fn new(id: DeviceId) -> Self {
        Self {
            id,
            status: DeviceStatus::Enabled,
            status_reason: None,
            authentication: AuthenticationRequest::default(),
            iot_edge: false,
            device_scope: None,
            parent_scopes: Vec::new(),
        }
    }

    /// Whether the fields keep their rules.
    pub fn validate(&self) -> Result<(), HubError> {
        let refuse = |why: String| Err(HubError::InvalidArgument(why));
        let reason = self.status_reason.as_deref().unwrap_or_default();
        if reason.chars().count() > STATUS_REASON_CHARS_MAX {
            return refuse(format!(
                "statusReason has more than {STATUS_REASON_CHARS_MAX} characters"
            ));
        }
        if self.parent_scopes.len() > PARENT_SCOPES_MAX {
            return refuse(format!("more than {PARENT_SCOPES_MAX} parentScopes"));
        }
        if self
            .parent_scopes
            .iter()
            .chain(&self.device_scope)
            .any(|scope| scope.len() > RECORD_TEXT_BYTES_MAX)
        {
            return refuse(format!("a scope has more than {RECORD_TEXT_BYTES_MAX} bytes"));
        }
        self.authentication.validate()
    }
}

/// A SHA-1 or a SHA-256 in hex.
fn check_thumbprint(text: &str) -> Result<(), HubError> {
    if matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(HubError::InvalidArgument("a thumbprint is not 40 or 64 hex digits".into()))
}

/// What a put may need and must not make up itself: chosen once by whoever proposes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Becomes the generation id of a new identity.
    pub generation: String,
    /// Becomes the ETag.
    pub etag: String,
    /// Take the place of keys that the request leaves empty.
    pub keys: SymmetricKeys,
    /// Now.
    pub now: UnixMs,
}
