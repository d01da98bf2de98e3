//! Sockets.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Connections closed at once because the node holds as many as it may, or is stopping.
pub const REFUSED: &str = "ironhub.connections.refused.total";
/// TLS handshakes that failed, by reason.
pub const TLS_FAILED: &str = "ironhub.tls.handshakes.failed.total";
/// Connections that exist now.
pub const OPEN: &str = "ironhub.connections.open";

pub(super) fn describe() {
    describe_counter!(
        REFUSED,
        Unit::Count,
        "connections closed at once: the node is full or stopping"
    );
    describe_counter!(TLS_FAILED, Unit::Count, "TLS handshakes that failed");
    describe_gauge!(OPEN, Unit::Count, "connections that exist now, all frontends");
}

pub(crate) fn refused() {
    counter!(REFUSED).increment(1);
}

pub(crate) fn tls_failed(reason: &'static str) {
    counter!(TLS_FAILED, "reason" => reason).increment(1);
}

pub(crate) fn open(count: usize) {
    gauge!(OPEN).set(count as f64);
}
