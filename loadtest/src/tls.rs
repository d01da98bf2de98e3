//! TLS as a device does it: the hub's certificate is always checked, against one file of CA certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Why no TLS client could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or is not PEM.
    #[error("cannot read CA certificates from {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        cause: rustls::pki_types::pem::Error,
    },
    /// The file holds no certificate.
    #[error("{0} holds no CERTIFICATE block")]
    Empty(PathBuf),
    /// A certificate or the protocol set is not usable.
    #[error("TLS set-up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// A connector that trusts the CA certificates of `ca` (PEM) and nothing else.
///
/// Sessions are never resumed: each connection pays a full handshake, as a fleet's first connect does.
pub fn connector(ca: &Path) -> Result<TlsConnector, TlsError> {
    let read = |cause| TlsError::Read { path: ca.to_owned(), cause };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(read)? {
        roots.add(certificate.map_err(read)?)?;
    }
    if roots.is_empty() {
        return Err(TlsError::Empty(ca.to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}
