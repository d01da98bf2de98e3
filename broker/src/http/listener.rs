//! One accepted connection, HTTP/1.1 or HTTP/2, from its first byte to its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::conn::auto::upgrade::downcast;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tracing::debug;

use crate::blob;
use crate::net::Peer;

use super::errors::Reply;
use super::handle::{handle, wall_clock};
use super::patience::Patience;
use super::presence::Watched;
use super::{ByteStream, HttpContext, Serve};

/// A request head that is not complete after this costs the sender its connection; so does silence between requests.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// Read buffer of a connection, and with it the longest HTTP/1.1 request head. Twice the 4 KiB of a longest token leaves
/// room for path and headers; it is also the least that hyper takes.
pub const HEAD_BYTES_MAX: usize = 8192;
/// Longest HTTP/2 header list.
const H2_HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// Requests in progress on one HTTP/2 connection.
const H2_STREAMS_MAX: u32 = 32;
/// What an HTTP/2 client may send ahead, per stream and per connection: one largest JSON body.
const H2_WINDOW_BYTES: u32 = super::body::JSON_BODY_BYTES_MAX as u32;
/// A peer that does not answer an HTTP/2 ping for this long is gone.
const H2_PING: Duration = Duration::from_secs(30);

/// Serves one connection until either side ends it. `stream` is already decrypted. Never returns an error: a client's
/// faults are answered or end its connection, and nobody else notices.
///
/// The HTTP phase is a box of its own, so that its memory is gone while a connection that has left HTTP idles.
pub fn serve<S>(stream: S, peer: Peer, context: Arc<HttpContext>) -> impl Future<Output = ()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let speaking_http = Box::pin(speak_http(stream, peer.clone(), context));
    async move {
        if let Some(left) = speaking_http.await {
            (left.serve)(left.stream, left.early, peer).await;
        }
    }
}

/// Answers requests until the connection ends, or leaves HTTP.
pub(super) async fn speak_http<S>(stream: S, peer: Peer, context: Arc<HttpContext>) -> Option<Left>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut draining = context.draining.clone();
    let leaving = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&leaving);
    let certificate = peer.certificate.clone();
    let stream = Watched::new(Patience::new(stream, HEAD_TIME_MAX));
    let client = stream.client();
    let service = service_fn(move |mut request: Request<Incoming>| {
        // Of HTTP/2 each request has a stream of its own, and ends with it.
        if request.version() < Version::HTTP_2 {
            request.extensions_mut().insert(client.clone());
        }
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(Arc::clone(certificate));
        }
        let (context, slot) = (Arc::clone(&context), Arc::clone(&slot));
        async move { Ok::<_, Infallible>(respond(request, &context, &slot).await) }
    });
    let builder = builder();
    let io = TokioIo::new(stream);
    let mut connection = std::pin::pin!(builder.serve_connection_with_upgrades(io, service));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = drained(&mut draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        debug!(%peer, %error, "http connection ended");
        return None;
    }
    let (upgraded, serve) = leaving.lock().take()?;
    let parts = match upgraded.await.map(downcast::<TokioIo<Watched<Patience<S>>>>) {
        Ok(Ok(parts)) => parts,
        // The client left before it had its answer.
        Ok(Err(_)) | Err(_) => return None,
    };
    // A copy: what was read is a small part of the buffer that it lies in.
    let early = Bytes::copy_from_slice(&parts.read_buf);
    Some(Left { serve, stream: Box::new(parts.io.into_inner().into_inner()?.into_inner()), early })
}

/// A connection that leaves HTTP after the answer that is being sent.
type Leaving = Option<(OnUpgrade, Serve)>;

/// A connection that has left HTTP.
pub(super) struct Left {
    serve: Serve,
    stream: Box<dyn ByteStream>,
    early: Bytes,
}

/// Resolves when the node drains; never if nobody is left to say so.
pub(super) async fn drained(draining: &mut watch::Receiver<bool>) {
    if draining.wait_for(|draining| *draining).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What goes out: an answer of the hub, or content of a blob.
type Outgoing = Response<Either<Full<Bytes>, blob::http::ReplyBody>>;

async fn respond(
    request: Request<Incoming>,
    context: &HttpContext,
    leaving: &Mutex<Leaving>,
) -> Outgoing {
    let endpoint = context.blob.as_ref().map(|storage| storage.endpoint());
    match endpoint.filter(|_| blob::http::handles(request.uri().path())) {
        Some(endpoint) => {
            blob::http::handle(request, endpoint, wall_clock()).await.map(Either::Right)
        }
        None => answer(request, context, leaving).await.map(Either::Left),
    }
}

async fn answer(
    mut request: Request<Incoming>,
    context: &HttpContext,
    leaving: &Mutex<Leaving>,
) -> Reply {
    match context.upgrade.as_ref().filter(|handler| handler.wants(&request)) {
        None => handle(request, context).await,
        Some(handler) => {
            let (reply, serve) = handler.upgrade(&request);
            *leaving.lock() = serve.map(|serve| (hyper::upgrade::on(&mut request), serve));
            reply
        }
    }
}

/// Both HTTP versions with bounded memory and time.
pub(super) fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        // A client that has said all it has to say still gets its answer.
        .half_close(true)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_header_list_size(H2_HEADER_LIST_BYTES_MAX)
        .initial_stream_window_size(H2_WINDOW_BYTES)
        .initial_connection_window_size(H2_WINDOW_BYTES)
        .max_send_buf_size(H2_WINDOW_BYTES as usize);
    builder
}
