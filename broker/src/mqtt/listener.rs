//! One accepted connection from its first byte to its end.

use std::future::Future;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::Peer;

use super::{MqttContext, connect, metrics};

/// Serves one connection until either side ends it. `stream` is already decrypted. What a client does wrong ends its own
/// connection only, with a log line at debug level and a metric.
///
/// Each phase is a box of its own, so that the memory of letting a client in is gone while its session idles.
pub fn serve<S>(
    stream: S,
    peer: impl Into<Peer>,
    context: Arc<MqttContext>,
) -> impl Future<Output = ()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let peer = peer.into();
    let opening = Box::pin(connect::open(stream, peer.clone(), context));
    async move {
        let mut session = match opening.await {
            Ok(session) => session,
            Err(refusal) => {
                metrics::refused(refusal.label());
                tracing::debug!(%peer, reason = %refusal, "MQTT connection refused");
                return;
            }
        };
        let cause = session.run().await;
        metrics::closed(cause.label());
        tracing::debug!(%peer, device = session.device(), reason = %cause, "MQTT connection closed");
        Box::pin(session.close(&cause)).await;
    }
}
