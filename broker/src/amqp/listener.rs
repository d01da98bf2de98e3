//! One accepted connection from its first byte to its end.

use std::future::Future;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::Peer;

use super::AmqpContext;
use super::session::Session;

/// Serves one connection until either side ends it. `stream` is already decrypted. What a client does wrong ends its own
/// link, session or connection only, with a log line at debug level.
///
/// The session is boxed before the future is made, and its end is a box of its own: neither the stream nor what closing
/// it takes has a place in the future of an idle connection.
pub fn serve<S>(
    stream: S,
    peer: impl Into<Peer>,
    context: Arc<AmqpContext>,
) -> impl Future<Output = ()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let peer = peer.into();
    let mut session = Box::new(Session::new(stream, peer.clone(), context));
    async move {
        let ended = session.run().await;
        tracing::debug!(%peer, reason = %ended, "AMQP connection closed");
        Box::pin(session.close()).await;
    }
}
