//! When to stop: a signal, or a failure that leaves the node unable to keep its promises.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Why the node stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM or SIGINT: drain, then exit 0.
    Asked,
    /// The partitions cannot go on, for example after a failed fsync: exit 1 with this text.
    Failed(String),
}

/// Resolves at the first SIGTERM or SIGINT.
pub async fn signalled() -> std::io::Result<()> {
    let (mut term, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Tells every session that the node is stopping; `true` once.
pub fn channel() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    watch::channel(false)
}
