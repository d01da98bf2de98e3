//! A stream that does not wait for ever: its first bytes must come in time, and what is sent must be taken in time.
//!
//! hyper has no timeout of its own in two places. Between accept and the moment the HTTP version is known, a client that
//! says nothing, or only the first letters of a method, would keep its connection; and so would one that asks and
//! never reads the answer. In between, hyper's own timeouts rule and this layer does nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Length of the HTTP/2 preface; after as many bytes the version is known.
const VERSION_BYTES: usize = 24;

/// How long a peer may take nothing of what is ready for it.
pub const SEND_STALL_MAX: Duration = Duration::from_secs(60);

/// Fails reads if the first 24 bytes are late, and writes if the peer takes nothing for [`SEND_STALL_MAX`].
pub struct Patience<S> {
    stream: S,
    first_bytes: Option<Pin<Box<Sleep>>>,
    seen: usize,
    /// Runs while the peer takes nothing; made at the first stall, which most connections never see.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Patience<S> {
    /// The time for the first bytes starts now.
    pub fn new(stream: S, first_bytes: Duration) -> Self {
        let first_bytes = Some(Box::pin(sleep(first_bytes)));
        Self { stream, first_bytes, seen: 0, stalled: None }
    }

    /// The stream, for somebody who has timeouts of his own.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Passes a write's outcome on, unless it has been pending for too long.
    fn progress<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(SEND_STALL_MAX)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if let Poll::Ready(outcome) = Pin::new(&mut this.stream).poll_read(cx, buffer) {
            this.seen = this.seen.saturating_add(buffer.filled().len() - before);
            if this.seen >= VERSION_BYTES {
                this.first_bytes = None;
            }
            return Poll::Ready(outcome);
        }
        let Some(first_bytes) = &mut this.first_bytes else { return Poll::Pending };
        ready!(first_bytes.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.progress(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.progress(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.progress(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.progress(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
