use rustls::client::{ClientConfig, ResolvesClientCert};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{HandshakeKind, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::net::certificates;
use crate::net::test_certificates::{Made, authority, device, self_signed, signed};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// A server of ours in a directory of its own.
struct Server {
    dir: PathBuf,
    config: Arc<ServerConfig>,
}

impl Server {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("ironhub-tls-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let served = certificates::ensure(&dir, "localhost").unwrap();
        let certificate = Certificate::open(&served.cert, &served.key).unwrap();
        let config = server_config(certificate, &[]).unwrap();
        Self { dir, config }
    }

    /// A client that trusts it and shows what `resolver` gives.
    fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        resolver: Option<Arc<dyn ResolvesClientCert>>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.dir.join("ca.pem")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        match resolver {
            Some(resolver) => config.with_client_cert_resolver(resolver),
            None => config.with_no_client_auth(),
        }
    }

    /// Connects, and tells what the server knows then.
    async fn meet(&self, client: &Arc<ClientConfig>) -> std::io::Result<(HandshakeKind, usize)> {
        let (near, far) = duplex(64 * 1024);
        let name = ServerName::try_from("localhost").unwrap();
        let accepting = async {
            let mut stream = TlsAcceptor::from(self.config.clone()).accept(far).await?;
            stream.write_all(b"x").await?;
            stream.flush().await?;
            let session = stream.get_ref().1;
            let shown = session.peer_certificates().map_or(0, <[_]>::len);
            Ok((session.handshake_kind().unwrap(), shown))
        };
        let connecting = async {
            let mut stream = TlsConnector::from(client.clone()).connect(name, near).await?;
            // Tickets come with the first data.
            stream.read_u8().await
        };
        tokio::join!(accepting, connecting).0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Shows this, whether or not it makes sense.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        assert!(hints.is_empty(), "clients would leave out what is not named");
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn shows(chain: &[&Made], key: &Made) -> Option<Arc<dyn ResolvesClientCert>> {
    let key = PrivateKeyDer::try_from(key.key.serialize_der()).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    let chain = chain.iter().map(|made| made.der.clone()).collect();
    Some(Arc::new(Shows(Arc::new(CertifiedKey::new(chain, key)))))
}

#[tokio::test]
async fn a_client_may_show_a_certificate_or_none() {
    let server = Server::new("shown");
    let (root, alone) = (self_signed(authority("CA")), self_signed(device("dev1")));
    let leaf = signed(device("dev1"), &root);
    for version in VERSIONS {
        for (resolver, expected) in
            [(None, 0), (shows(&[&alone], &alone), 1), (shows(&[&leaf, &root], &leaf), 2)]
        {
            let client = Arc::new(server.client(version, resolver));
            let (_, shown) = server.meet(&client).await.unwrap();
            assert_eq!(shown, expected, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_resumed_session_keeps_what_was_shown() {
    let server = Server::new("resumed");
    let own = self_signed(device("dev1"));
    for version in VERSIONS {
        for (resolver, expected) in [(None, 0), (shows(&[&own], &own), 1)] {
            let client = Arc::new(server.client(version, resolver));
            let (first, _) = server.meet(&client).await.unwrap();
            assert_eq!(first, HandshakeKind::Full);
            assert_eq!(server.meet(&client).await.unwrap(), (HandshakeKind::Resumed, expected));
        }
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused() {
    let server = Server::new("forged");
    let (own, other) = (self_signed(device("dev1")), self_signed(device("dev1")));
    for version in VERSIONS {
        let client = Arc::new(server.client(version, shows(&[&own], &other)));
        let error = server.meet(&client).await.unwrap_err();
        assert!(error.to_string().contains("BadSignature"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_certificate_and_endless_chains_are_refused() {
    let server = Server::new("malformed");
    let own = self_signed(device("dev1"));
    let mut broken = self_signed(device("dev1"));
    broken.der = CertificateDer::from(own.der[..50].to_vec());
    for version in VERSIONS {
        let client = Arc::new(server.client(version, shows(&[&broken], &own)));
        assert!(server.meet(&client).await.is_err());
        let many: Vec<_> = [&own; CLIENT_CHAIN_MAX + 1].into();
        let client = Arc::new(server.client(version, shows(&many, &own)));
        let error = server.meet(&client).await.unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        let client = Arc::new(server.client(version, shows(&many[1..], &own)));
        assert_eq!(server.meet(&client).await.unwrap().1, CLIENT_CHAIN_MAX);
    }
}
