//! The TLS server side: ring, TLS 1.2 and 1.3, a certificate that is reloaded when its files change, and clients' own
//! certificates.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

/// How often the certificate files are looked at. Secrets mounted by an orchestrator are links that change, so
/// modification times are polled rather than watched.
const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// The serving certificate; a swap affects later handshakes only.
#[derive(Debug)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// Reads the chain and key.
    pub fn open(cert: &Path, key: &Path) -> anyhow::Result<Arc<Self>> {
        let current = ArcSwap::from_pointee(load(cert, key)?);
        Ok(Arc::new(Self { cert: cert.into(), key: key.into(), current }))
    }

    /// Reloads whenever a file's modification time changes; never returns.
    pub async fn watch(self: Arc<Self>) {
        let mut seen = self.modified();
        loop {
            tokio::time::sleep(RELOAD_EVERY).await;
            let now = self.modified();
            if now == seen {
                continue;
            }
            match load(&self.cert, &self.key) {
                Ok(key) => {
                    self.current.store(Arc::new(key));
                    seen = now;
                    tracing::info!(cert = %self.cert.display(), "server certificate reloaded");
                }
                // Half-written pairs are normal while someone replaces them: keep the old one and look again.
                Err(error) => {
                    tracing::warn!(%error, "new server certificate cannot be used, the old one stays")
                }
            }
        }
    }

    fn modified(&self) -> [Option<SystemTime>; 2] {
        [&self.cert, &self.key].map(|path| fs::metadata(path).and_then(|m| m.modified()).ok())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn load(cert: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("{} is not a PEM certificate chain", cert.display()))?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", cert.display());
    let secret = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("{} is not a PEM private key", key.display()))?;
    let certified = CertifiedKey::from_der(chain, secret, &ring::default_provider())
        .context("certificate and key do not belong together")?;
    Ok(certified)
}

/// Longest chain that a client may show.
const CLIENT_CHAIN_MAX: usize = 10;

/// Asks each client for a certificate, which it may leave out, and takes any that it proves to hold the key of. Whose it
/// is and whether it counts is found out when the client names a device (device-protocols.md 0.1 and 1.5): by thumbprint
/// a certificate may be self-signed, and authorities come and go. Resumed sessions keep what the first handshake proved.
#[derive(Debug)]
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    fn new() -> Self {
        Self { algorithms: ring::default_provider().signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client then sends what it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if others.len() >= CLIENT_CHAIN_MAX {
            return Err(rustls::Error::General("the client's chain is too long".into()));
        }
        ParsedCertificate::try_from(own)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, own, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, own, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What one listener offers. `alpn` is empty where the protocol has none.
pub fn server_config(
    certificate: Arc<Certificate>,
    alpn: &[&[u8]],
) -> anyhow::Result<Arc<ServerConfig>> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_client_cert_verifier(Arc::new(AnyClient::new()))
        .with_cert_resolver(certificate);
    config.ticketer = ring::Ticketer::new().context("TLS tickets")?;
    // One ticket resumes one connection; a second only costs bytes and memory of each idle session.
    config.send_tls13_tickets = 1;
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
