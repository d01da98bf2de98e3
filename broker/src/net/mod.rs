//! Sockets: accepting, TLS, certificates. Knows no protocol.

pub mod accept;
pub mod authorities;
pub mod certificates;
pub mod peer;
pub mod tls;
pub mod x509;

#[cfg(test)]
mod test_certificates;

pub use peer::Peer;
