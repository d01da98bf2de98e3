//! A TLS connection to the hub, trusted by its own CA or the system's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ClientError;

/// How long connecting and the handshake may take, each.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);

/// Bundles of the systems that people run; the first that exists counts. `SSL_CERT_FILE` names another.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Bytes both ways, however they travel.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What vouches for the hub: its own CA's file if there is one, and the system's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// PEM file with the hub's CA.
    pub ca_file: Option<PathBuf>,
}

/// Where a listener is, and the name its certificate must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The hub's name: SNI and certificate check.
    pub host: String,
    /// `host:port` or `ip:port` to connect to.
    pub connect_to: String,
}

/// Connects and shakes hands. `alpn` may be empty.
pub async fn connect(
    address: &Address,
    trust: &Trust,
    alpn: &[&[u8]],
) -> Result<TlsStream<TcpStream>, ClientError> {
    let config = client_config(trust, alpn)?;
    let name = ServerName::try_from(address.host.clone()).map_err(|_| {
        ClientError::ConnectionString(format!("{:?} is not a host name", address.host))
    })?;
    let timed_out =
        |_| ClientError::Timeout { address: address.connect_to.clone(), waited: CONNECT_TIME_MAX };
    let tcp = timeout(CONNECT_TIME_MAX, TcpStream::connect(&address.connect_to))
        .await
        .map_err(timed_out)?
        .map_err(|source| ClientError::Connect { address: address.connect_to.clone(), source })?;
    // Requests are small and waited for; holding them back to fill a segment only delays them.
    let _ = tcp.set_nodelay(true);
    timeout(CONNECT_TIME_MAX, TlsConnector::from(Arc::new(config)).connect(name, tcp))
        .await
        .map_err(timed_out)?
        .map_err(|error| ClientError::Tls {
            host: address.host.clone(),
            address: address.connect_to.clone(),
            reason: explain(&error),
        })
}

fn client_config(trust: &Trust, alpn: &[&[u8]]) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &trust.ca_file {
        let added = add_pem(&mut roots, path)
            .map_err(|reason| ClientError::Ca { path: path.clone(), reason })?;
        if added == 0 {
            let reason = "no usable certificate in it".to_owned();
            return Err(ClientError::Ca { path: path.clone(), reason });
        }
    }
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let usual = || SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
    if let Some(bundle) = named.or_else(usual) {
        // The hub's own CA may be all that is needed, so a missing system bundle is no error by itself.
        let _ = add_pem(&mut roots, &bundle);
    }
    if roots.is_empty() {
        return Err(ClientError::NoTrust);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls {
            host: String::new(),
            address: String::new(),
            reason: error.to_string(),
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

fn add_pem(roots: &mut RootCertStore, path: &Path) -> Result<usize, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    let (added, _) = roots.add_parsable_certificates(certificates);
    Ok(added)
}

/// What a failed handshake means for the person at the keyboard.
fn explain(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is not signed by an authority trusted here; give the hub's own CA with \
             --ca-file DIR/ca.pem (DIR is the hub's data directory)"
                .to_owned()
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "its certificate is for another name; start the hub with `--hostname` set to the name in the \
               connection string"
            .to_owned(),
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "its certificate has expired".to_owned(),
        Some(rustls::Error::InvalidMessage(_)) => {
            "the other side does not speak TLS; is this the port of the HTTPS listener?".to_owned()
        }
        Some(_) | None => error.to_string(),
    }
}
