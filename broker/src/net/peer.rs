//! The other end of an accepted connection.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use ironhub_domain::auth::PeerCertificate;

use super::line::Line;

/// Where a connection comes from, and what its TLS handshake proved.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    /// The certificate that the client showed, if it did.
    pub certificate: Option<Arc<PeerCertificate>>,
    /// The TCP connection below.
    pub line: Line,
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        Self { addr, certificate: None, line: Line::default() }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}
