//! One accepted connection from its first byte to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::AmqpContext;
use super::session::Session;

/// Serves one connection until either side ends it. `stream` is already decrypted. What a client does wrong ends its own
/// link, session or connection only, with a log line at debug level.
pub async fn serve<S>(stream: S, peer: SocketAddr, context: Arc<AmqpContext>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut session = Box::new(Session::new(stream, context));
    let ended = session.run().await;
    tracing::debug!(%peer, reason = %ended, "AMQP connection closed");
    session.close().await;
}
