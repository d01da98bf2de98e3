//! Sockets: accepting, TLS, certificates. Knows no protocol.

pub mod accept;
pub mod authorities;
pub mod certificates;
pub mod line;
pub mod peer;
pub mod tls;
pub mod x509;

#[cfg(test)]
mod test_certificates;

pub use line::{Line, OnItsWay};
pub use peer::Peer;
