//! A connection's byte stream, read into memory that the thread's connections share and written from the engine's output.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use ironhub_wire::amqp::Connection;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout};

/// Bytes of one read.
const READ_BYTES: usize = 32 * 1024;
/// A client that takes nothing of what waits for it for so long is dropped.
pub(super) const STALL_TIME_MAX: Duration = Duration::from_secs(120);
/// How long closing the socket may take.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(2);

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// The stream is at its end, or broken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketEnd {
    /// The client closed it.
    #[error("end of stream")]
    EndOfStream,
    /// The system says so.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The client does not read.
    #[error("the client took nothing for {STALL_TIME_MAX:?}")]
    Stalled,
}

/// Stream and what was read of it.
pub(super) struct Socket<S> {
    stream: S,
    /// Bytes of a frame that is not complete; no memory when there are none.
    pub(super) input: BytesMut,
    flush: bool,
    stalled: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), flush: false, stalled: None }
    }

    /// Writes what the stream takes; true if it took anything.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        now: u64,
    ) -> Result<bool, SocketEnd> {
        let mut progress = false;
        loop {
            let output = connection.output();
            if output.is_empty() {
                self.stalled = None;
                break;
            }
            match Pin::new(&mut self.stream).poll_write(cx, output)? {
                Poll::Ready(0) => return Err(SocketEnd::EndOfStream),
                Poll::Ready(count) => {
                    connection.wrote(count, now);
                    (progress, self.flush, self.stalled) = (true, true, None);
                }
                Poll::Pending => {
                    let since = *self.stalled.get_or_insert_with(Instant::now);
                    if since.elapsed() >= STALL_TIME_MAX {
                        return Err(SocketEnd::Stalled);
                    }
                    return Ok(progress);
                }
            }
        }
        if self.flush && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.flush = false;
        }
        Ok(progress)
    }

    /// The stream has sent on all that it took.
    pub(super) fn is_flushed(&self) -> bool {
        !self.flush
    }

    /// When a client that does not read is dropped.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        self.stalled.map(|since| since + STALL_TIME_MAX)
    }

    /// Reads once; true if something came.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, SocketEnd> {
        READ_BUFFER.with_borrow_mut(|memory| {
            let mut buffer = ReadBuf::new(memory);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer)? {
                Poll::Pending => Ok(false),
                Poll::Ready(()) if buffer.filled().is_empty() => Err(SocketEnd::EndOfStream),
                Poll::Ready(()) => {
                    self.input.extend_from_slice(buffer.filled());
                    Ok(true)
                }
            }
        })
    }

    /// Gives the input's memory back if nothing is in it.
    pub(super) fn shrink(&mut self) {
        if self.input.is_empty() && self.input.capacity() > 0 {
            self.input = BytesMut::new();
        }
    }

    /// Closes the stream in order, within reason.
    pub(super) async fn close(mut self) {
        let _ = timeout(SHUTDOWN_TIME_MAX, self.stream.shutdown()).await;
    }
}
