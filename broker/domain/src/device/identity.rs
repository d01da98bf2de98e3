//! A device's identity record (service-protocols.md 2.4). Whether it is connected is no part of it: that is known to
//! the partition's leader only.

use crate::auth::SymmetricKeys;
use crate::ids::DeviceId;
use crate::time::UnixMs;

/// Whether a device may connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceStatus {
    /// It may.
    #[default]
    Enabled,
    /// It may not, and its connections are cut.
    Disabled,
}

impl DeviceStatus {
    /// `enabled` or `disabled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }

    /// Reads `enabled` or `disabled`, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Enabled, Self::Disabled].into_iter().find(|s| text.eq_ignore_ascii_case(s.as_str()))
    }
}

/// SHA-1 or SHA-256 of the certificates that a device may show, in hex, as registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thumbprints {
    /// Primary.
    pub primary: Option<String>,
    /// Secondary.
    pub secondary: Option<String>,
}

/// How a device proves itself: `authentication.type` and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// `sas`: tokens signed with one of two keys.
    Sas(SymmetricKeys),
    /// `selfSigned`: a certificate with a registered thumbprint.
    SelfSigned(Thumbprints),
    /// `certificateAuthority`: a certificate of a registered authority, with the device id as common name.
    CertificateAuthority,
    /// `none`: it cannot connect by itself.
    None,
}

impl Authentication {
    /// The keys tokens may be signed with: empty ones, which sign nothing, unless it is about tokens.
    pub fn keys(&self) -> SymmetricKeys {
        match self {
            Self::Sas(keys) => keys.clone(),
            Self::SelfSigned(_) | Self::CertificateAuthority | Self::None => {
                SymmetricKeys::default()
            }
        }
    }

    /// The word of the registry's JSON.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Sas(_) => "sas",
            Self::SelfSigned(_) => "selfSigned",
            Self::CertificateAuthority => "certificateAuthority",
            Self::None => "none",
        }
    }
}

/// One device of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// Its id.
    pub id: DeviceId,
    /// Another one whenever the id is deleted and created again.
    pub generation: String,
    /// Another one with every change; without quotes.
    pub etag: String,
    /// Whether it may connect.
    pub status: DeviceStatus,
    /// Why, in the operator's words.
    pub status_reason: Option<String>,
    /// When the status last changed; `None` if it never did.
    pub status_updated: Option<UnixMs>,
    /// How it proves itself.
    pub authentication: Authentication,
    /// `capabilities.iotEdge`
    pub iot_edge: bool,
    /// `deviceScope`
    pub device_scope: Option<String>,
    /// `parentScopes`
    pub parent_scopes: Vec<String>,
    /// When the id was (last) created.
    pub created: UnixMs,
}

impl DeviceIdentity {
    /// The keys its tokens may be signed with: empty ones, which sign nothing, unless it uses tokens.
    pub fn keys(&self) -> SymmetricKeys {
        self.authentication.keys()
    }

    /// Whether it may connect.
    pub fn is_enabled(&self) -> bool {
        self.status == DeviceStatus::Enabled
    }
}
