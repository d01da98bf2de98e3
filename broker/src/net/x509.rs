//! Certificates read: what a client showed in its handshake, and what an operator uploads as an authority.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use ironhub_domain::auth::PeerCertificate;
use ironhub_domain::limits::AUTHORITY_BYTES_MAX;
use ironhub_domain::time::UnixMs;
use ring::digest::{self, Algorithm};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// Longest upload: the largest certificate in PEM, and that in base64.
const UPLOAD_BYTES_MAX: usize = 2 * AUTHORITY_BYTES_MAX;

/// What a client showed, its own certificate first; `None` when it showed nothing.
pub fn peer_certificate(chain: &[CertificateDer<'_>]) -> Option<PeerCertificate> {
    let own = chain.first()?;
    // The handshake has read it already, so only an odd name is left to fail, and then it is none.
    let common_name = X509Certificate::from_der(own).ok().and_then(|(_, own)| common_name(&own));
    Some(PeerCertificate {
        sha1: thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY, own),
        sha256: thumbprint(&digest::SHA256, own),
        common_name,
        chain: chain.iter().map(|certificate| Bytes::copy_from_slice(certificate)).collect(),
    })
}

/// The most specific common name, as text.
fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let last = certificate.subject().iter_common_name().last()?;
    last.as_str().ok().map(str::to_owned)
}

fn thumbprint(algorithm: &'static Algorithm, der: &[u8]) -> String {
    let hash = digest::digest(algorithm, der);
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Why an upload is no certificate authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// Over [`UPLOAD_BYTES_MAX`] as sent, or over [`AUTHORITY_BYTES_MAX`] in DER.
    #[error("the certificate is larger than {AUTHORITY_BYTES_MAX} bytes")]
    TooLarge,
    /// Neither PEM nor base64 of PEM or DER.
    #[error("the certificate is not PEM, and not base64 of PEM or of DER")]
    Encoding,
    /// Several certificates, or none.
    #[error("{0} certificates in one upload; it takes the authority's own alone")]
    Count(usize),
    /// Not X.509.
    #[error("this is not an X.509 certificate")]
    NotX509,
    /// Nothing says that it may sign others (RFC 5280 4.2.1.9, 4.2.1.3).
    #[error("this certificate may not sign others: it is not a certificate authority's")]
    NotAuthority,
    /// Its time is over.
    #[error("this certificate has expired")]
    Expired,
}

/// An authority's certificate as an operator uploads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedAuthority {
    /// DER.
    pub certificate: Bytes,
    /// The subject, in words: `CN=Plant CA, O=Example`.
    pub subject: String,
    /// SHA-1 of the DER form, 40 upper-case hex digits.
    pub thumbprint: String,
    /// Until when it counts.
    pub expires: UnixMs,
}

impl UploadedAuthority {
    /// Reads PEM, or base64 of PEM or of DER, which is what the various tools send as `certificate`.
    pub fn parse(text: &str, now: UnixMs) -> Result<Self, UploadError> {
        if text.len() > UPLOAD_BYTES_MAX {
            return Err(UploadError::TooLarge);
        }
        let der = der(text)?;
        if der.len() > AUTHORITY_BYTES_MAX {
            return Err(UploadError::TooLarge);
        }
        let (rest, parsed) = X509Certificate::from_der(&der).map_err(|_| UploadError::NotX509)?;
        if !rest.is_empty() {
            return Err(UploadError::NotX509);
        }
        if !may_sign(&parsed) {
            return Err(UploadError::NotAuthority);
        }
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let expires = UnixMs(seconds.saturating_mul(1000));
        if expires <= now {
            return Err(UploadError::Expired);
        }
        let subject = parsed.subject().to_string();
        let thumbprint = thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
        Ok(Self { subject, thumbprint, expires, certificate: der.into() })
    }
}

fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    let is_ca = match certificate.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca,
        Ok(None) | Err(_) => false,
    };
    is_ca
        && match certificate.key_usage() {
            Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
            Err(_) => false,
        }
}

fn der(text: &str) -> Result<Vec<u8>, UploadError> {
    let is_pem = |bytes: &[u8]| bytes.trim_ascii_start().starts_with(b"-----BEGIN ");
    if is_pem(text.as_bytes()) {
        return of_pem(text.as_bytes());
    }
    let text: String = text.split_ascii_whitespace().collect();
    let decoded = BASE64_STANDARD.decode(text).map_err(|_| UploadError::Encoding)?;
    match is_pem(&decoded) {
        true => of_pem(&decoded),
        false => Ok(decoded),
    }
}

fn of_pem(pem: &[u8]) -> Result<Vec<u8>, UploadError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.trim_ascii()).collect();
    match found.map_err(|_| UploadError::Encoding)?.as_slice() {
        [one] => Ok(one.to_vec()),
        several => Err(UploadError::Count(several.len())),
    }
}

#[cfg(test)]
mod tests;
