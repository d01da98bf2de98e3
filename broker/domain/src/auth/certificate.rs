//! Certificates: what a client showed in its TLS handshake, and the authorities that the hub trusts for devices
//! (device-protocols.md 1.5).

use bytes::Bytes;

use crate::HubError;
use crate::limits::{AUTHORITY_BYTES_MAX, RECORD_TEXT_BYTES_MAX};
use crate::time::UnixMs;

/// The certificate that a client proved to hold the key of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-1 of its DER form, 40 upper-case hex digits.
    pub sha1: String,
    /// SHA-256 of its DER form, 64 upper-case hex digits.
    pub sha256: String,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// DER, the client's own first, then what it sent along.
    pub chain: Vec<Bytes>,
}

/// A certificate authority that devices may be certified by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Name, as the operator gave it; case-insensitive.
    pub name: String,
    /// The certificate, DER.
    pub certificate: Bytes,
    /// The subject, in words.
    pub subject: String,
    /// SHA-1 of the DER form, 40 upper-case hex digits.
    pub thumbprint: String,
    /// Until when it counts.
    pub expires: UnixMs,
    /// Its owner's possession was proved, or vouched for by `isVerified`; only then devices can use it.
    pub verified: bool,
    /// Another one with every change; without quotes.
    pub etag: String,
    /// When it was registered.
    pub created: UnixMs,
    /// When it was last changed.
    pub updated: UnixMs,
}

impl Authority {
    /// Whether it has this name, in any letter case.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it has a name and is no larger than a record should be. What is in the certificate is for whoever read it.
    pub fn validate(&self) -> Result<(), HubError> {
        let wrong = |why: String| Err(HubError::InvalidArgument(why));
        if self.name.is_empty() || self.name.len() > RECORD_TEXT_BYTES_MAX {
            return wrong(format!(
                "a certificate's name has 1 to {RECORD_TEXT_BYTES_MAX} characters"
            ));
        }
        if self.certificate.len().max(self.subject.len()) > AUTHORITY_BYTES_MAX {
            return wrong(format!("the certificate has more than {AUTHORITY_BYTES_MAX} bytes"));
        }
        Ok(())
    }
}
