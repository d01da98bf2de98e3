//! Certificates: what a client showed in its TLS handshake, and the authorities that the hub trusts for devices
//! (device-protocols.md 1.5).

use bytes::Bytes;

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
