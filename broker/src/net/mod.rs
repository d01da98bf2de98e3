//! Sockets: accepting, TLS, certificates. Knows no protocol.

pub mod accept;
pub mod certificates;
pub mod tls;
