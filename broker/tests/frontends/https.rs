//! One HTTPS client on blocking sockets, for requests that no HTTP library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use ironhub::client::ServiceConnectionString;
use ironhub::client::sas::{KeyForm, token};

use crate::support::{Hub, PATIENCE};

/// 2100: no test run outlives it.
pub const FAR_FUTURE: u64 = 4_102_444_800;

/// A connection of its own to the hub's HTTPS listener.
pub struct Https(StreamOwned<ClientConnection, TcpStream>);

/// A stream of its own to a TLS listener of the hub; trusts the hub's CA.
pub fn secured(hub: &Hub, listener: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(hub.dir().join("ca.pem")).expect("ca.pem");
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.expect("PEM")).expect("a CA");
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a TLS session");
    let tcp = TcpStream::connect(hub.address(listener)).expect("a connection");
    tcp.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    StreamOwned::new(session, tcp)
}

impl Https {
    /// Connects and trusts the hub's CA.
    pub fn connect(hub: &Hub) -> Self {
        Self(secured(hub, "https"))
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the hub takes it");
        self.0.flush().expect("the hub takes it");
    }

    /// Says that nothing more comes.
    pub fn finish(&mut self) {
        self.0.conn.send_close_notify();
        let _ = self.0.flush();
        let _ = self.0.sock.shutdown(std::net::Shutdown::Write);
    }

    /// Everything until the hub closes; it must close in time.
    pub fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        match self.0.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) => {}
            Err(error) => panic!("the hub does not close: {error}"),
        }
        String::from_utf8(answer).expect("text")
    }
}

/// A token of the policy in `hub.env`, or of another one with its key.
pub fn owner_token(hub: &Hub, resource: &str, policy: &str, expiry: u64) -> String {
    let account = ServiceConnectionString::parse(&hub.env("IRONHUB_SERVICE_CONNECTION_STRING"))
        .expect("a service string");
    token(resource, policy, &account.key, KeyForm::Decoded, expiry).expect("a token")
}

/// The head of a request that closes its connection, without the empty line.
pub fn head(request: &str, authorization: &str, headers: &str) -> String {
    let authorization = match authorization {
        "" => String::new(),
        value => format!("Authorization: {value}\r\n"),
    };
    format!(
        "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{authorization}{headers}"
    )
}

/// One whole request as the hub's owner: status line to body.
pub fn ask(hub: &Hub, request: &str, headers: &str, body: &str) -> String {
    let token = owner_token(hub, "localhost", "iothubowner", FAR_FUTURE);
    let length = format!("Content-Length: {}\r\n{headers}\r\n", body.len());
    let mut client = Https::connect(hub);
    client.send((head(request, &token, &length) + body).as_bytes());
    client.rest()
}

/// Status and, for an error, the name of its code.
pub fn summary(answer: &str) -> String {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let header = |line: &str| line.strip_prefix("iothub-errorcode: ").map(str::to_owned);
    match answer.lines().find_map(header) {
        Some(name) => format!("{status} {name}"),
        None => status.to_owned(),
    }
}
