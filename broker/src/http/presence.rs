//! Whether the client of a request is still there.
//!
//! hyper is told to let clients close their sending side, since one that has said all it has to say still gets its answer; so
//! it does not look at a connection while it has a request to answer, and a client that is gone is met only when the answer is
//! sent. Requests that take long look themselves, through the stream that hyper reads from.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a client that has closed its sending side may still wait for its answer.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(1);

/// A stream that others may look at. What they read ahead is read by its owner later.
pub(super) struct Watched<S>(Arc<Mutex<Inner<S>>>);

struct Inner<S> {
    stream: S,
    ahead: Option<u8>,
    has_ended: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(Inner { stream, ahead: None, has_ended: false })))
    }
}

impl<S> Watched<S> {
    /// The stream, for somebody who looks himself; `None` while a client looks at it.
    pub(super) fn into_inner(self) -> Option<S> {
        Arc::into_inner(self.0).map(|inner| inner.into_inner().stream)
    }
}

impl<S: AsyncRead + Unpin + Send + 'static> Watched<S> {
    /// For a request of HTTP/1, of which there is one at a time: resolves when its client is gone.
    pub(super) fn client(&self) -> Client {
        let inner: Weak<Mutex<Inner<S>>> = Arc::downgrade(&self.0);
        Client(Arc::new(move |cx: &mut Context<'_>| match inner.upgrade() {
            Some(inner) => inner.lock().poll_end(cx),
            None => Poll::Ready(()),
        }))
    }
}

impl<S: AsyncRead + Unpin> Inner<S> {
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_ended {
            return Poll::Ready(());
        }
        if self.ahead.is_some() {
            // It sends its next request: it is there.
            return Poll::Pending;
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => self.ahead = buffer.filled().first().copied(),
            // Whoever reads next meets it again.
            Poll::Ready(Err(_)) => {}
        }
        self.has_ended = self.ahead.is_none();
        if self.has_ended { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The client of a request. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Look>);

/// Whether the stream has ended.
type Look = dyn Fn(&mut Context<'_>) -> Poll<()> + Send + Sync;

impl Client {
    /// Returns a moment after the client closed its side of the connection, or it broke.
    pub async fn gone(&self) {
        std::future::poll_fn(|cx| (self.0)(cx)).await;
        tokio::time::sleep(HALF_CLOSED_MAX).await;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        if buffer.remaining() > 0
            && let Some(byte) = inner.ahead.take()
        {
            buffer.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut inner.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.lock().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.lock().stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_is_gone_a_moment_after_it_closed_its_side() {
        for closes in [true, false] {
            let (mut peer, stream) = duplex(64);
            let mut watched = Watched::new(stream);
            let client = watched.client();
            let patience = Duration::from_secs(3600);
            assert!(timeout(patience, client.gone()).await.is_err(), "it is there");
            if closes {
                peer.shutdown().await.unwrap();
            } else {
                drop(peer);
            }
            assert!(timeout(2 * HALF_CLOSED_MAX, client.gone()).await.is_ok());
            let mut rest = Vec::new();
            watched.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"");
            assert!(watched.into_inner().is_some());
            assert!(timeout(2 * HALF_CLOSED_MAX, client.gone()).await.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_sends_meanwhile_is_read_later() {
        let (mut peer, stream) = duplex(64);
        let mut watched = Watched::new(stream);
        let client = watched.client();
        peer.write_all(b"next").await.unwrap();
        drop(peer);
        assert!(timeout(Duration::from_secs(3600), client.gone()).await.is_err());
        let mut rest = Vec::new();
        watched.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"next");
    }
}
