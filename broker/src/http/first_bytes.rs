//! A stream whose first bytes must come in time.
//!
//! Between accept and the moment the HTTP version is known, hyper has no timeout of its own: a client that connects and
//! says nothing, or only the first letters of a method, would keep its connection for ever. Once enough bytes are
//! here to tell the versions apart, this layer does nothing and hyper's own timeouts rule.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Length of the HTTP/2 preface; after as many bytes the version is known.
const VERSION_BYTES: usize = 24;

/// Fails the stream's reads if fewer than 24 bytes arrive within the time given.
pub struct FirstBytes<S> {
    stream: S,
    deadline: Option<Pin<Box<Sleep>>>,
    seen: usize,
}

impl<S> FirstBytes<S> {
    /// The time starts now.
    pub fn within(stream: S, time: Duration) -> Self {
        Self { stream, deadline: Some(Box::pin(sleep(time))), seen: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstBytes<S> {
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
                this.deadline = None;
            }
            return Poll::Ready(outcome);
        }
        if let Some(deadline) = &mut this.deadline {
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstBytes<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
