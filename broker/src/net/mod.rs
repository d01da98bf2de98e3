//! Sockets: accepting, TLS, certificates. Knows no protocol.

pub mod accept;
pub mod certificates;
pub mod peer;
pub mod tls;

pub use peer::Peer;
