//! Writing without a buffer per connection: answers are collected in memory that the thread lends, which goes back as
//! soon as the socket has taken everything.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// No more is read from a client while this much waits to be written to it.
pub(super) const WAITING_BYTES_MAX: usize = 16 * 1024;

/// A buffer that grew over this is not lent again.
const LENT_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Outbox {
    buffer: Vec<u8>,
    written: usize,
    unflushed: bool,
    /// Since when the client has taken nothing, while something waits.
    stalled_since: Option<Instant>,
}

impl Outbox {
    /// The end of what waits, to encode answers into.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = SPARE.take();
        }
        &mut self.buffer
    }

    /// The client should read before it is read from.
    pub(super) fn is_full(&self) -> bool {
        WAITING_BYTES_MAX <= self.buffer.len() - self.written
    }

    /// The stream has taken everything, and sent it on.
    pub(super) fn is_flushed(&self) -> bool {
        self.buffer.len() == self.written && !self.unflushed
    }

    pub(super) fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    /// Writes what the stream takes; ready when nothing waits any more.
    pub(super) fn poll_write<S>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        let mut took = false;
        while self.written < self.buffer.len() {
            match Pin::new(&mut *stream).poll_write(cx, &self.buffer[self.written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    (took, self.unflushed) = (true, true);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.pending(took),
            }
        }
        self.give_back();
        if self.unflushed {
            match Pin::new(stream).poll_flush(cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => return self.pending(took),
            }
            self.unflushed = false;
        }
        self.stalled_since = None;
        Poll::Ready(Ok(()))
    }

    fn pending(&mut self, took: bool) -> Poll<io::Result<()>> {
        if took || self.stalled_since.is_none() {
            self.stalled_since = Some(Instant::now());
        }
        Poll::Pending
    }

    fn give_back(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.written = 0;
        if 0 < buffer.capacity() && buffer.capacity() <= LENT_BYTES_MAX {
            buffer.clear();
            SPARE.set(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn all_bytes_arrive_in_order_and_the_buffer_goes_back() {
        let (mut client, mut server) = tokio::io::duplex(10);
        let mut outbox = Outbox::default();
        let sent: Vec<u8> = (0..100).collect();
        outbox.end().extend_from_slice(&sent);
        let pending =
            poll_fn(|cx| Poll::Ready(outbox.poll_write(&mut server, cx).is_pending())).await;
        assert!(pending && outbox.stalled_since().is_some());
        let mut received = vec![0; sent.len()];
        let (read, wrote) = tokio::join!(
            client.read_exact(&mut received),
            poll_fn(|cx| outbox.poll_write(&mut server, cx))
        );
        read.unwrap();
        wrote.unwrap();
        assert_eq!(received, sent);
        assert!(!outbox.unflushed && outbox.stalled_since().is_none());
        assert_eq!(outbox.buffer.capacity(), 0, "an idle connection holds a buffer");
    }

    #[tokio::test]
    async fn it_is_full_when_the_client_does_not_read() {
        let (_client, mut server) = tokio::io::duplex(10);
        let mut outbox = Outbox::default();
        outbox.end().resize(WAITING_BYTES_MAX, 0);
        assert!(outbox.is_full());
        let pending =
            poll_fn(|cx| Poll::Ready(outbox.poll_write(&mut server, cx).is_pending())).await;
        assert!(pending && !outbox.is_full(), "what was written does not wait");
    }
}
