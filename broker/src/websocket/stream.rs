//! The byte stream inside a WebSocket connection.
//!
//! Frames are taken apart in the reader's own memory and written from the writer's own, so an idle connection keeps a few
//! dozen bytes here. Control frames are answered whenever the stream is read, written or flushed; a client that does not
//! take the answers has at most two of them waiting, whatever it sends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use ironhub_wire::websocket::encode::{self, DataHeader};
use ironhub_wire::websocket::{CloseCode, Decoder, End};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A WebSocket connection after its handshake, from the server's side.
///
/// Reading ends at the client's close frame, and fails with [`io::ErrorKind::InvalidData`] when it breaks the protocol.
/// Each write is one binary message of at most [`encode::DATA_BYTES_MAX`]. Shutting down says goodbye with a close frame.
#[derive(Debug)]
pub struct FrameStream<S> {
    stream: S,
    /// What came in with the handshake.
    early: Bytes,
    decoder: Decoder,
    /// Control frames on their way; no memory when there are none.
    pub(super) control: Vec<u8>,
    frame: DataFrame,
    goodbye: Goodbye,
    unflushed: bool,
}

/// The data frame that is being written.
#[derive(Debug, Default)]
struct DataFrame {
    header: DataHeader,
    /// Bytes of the header that have been written.
    written: usize,
    /// Bytes of payload that have not.
    missing: usize,
}

/// The server's own close frame, after which it sends nothing more (RFC 6455 5.5.1).
#[derive(Clone, Copy, Debug)]
enum Goodbye {
    NotYet,
    Due(CloseCode),
    Said,
}

impl<S> FrameStream<S> {
    /// Takes over `stream` after the handshake; `early` is what had been read of it beyond that.
    pub fn new(stream: S, early: Bytes) -> Self {
        Self {
            stream,
            early,
            decoder: Decoder::default(),
            control: Vec::new(),
            frame: DataFrame::default(),
            goodbye: Goodbye::NotYet,
            unflushed: false,
        }
    }

    fn say_goodbye(&mut self, code: CloseCode) {
        if let Goodbye::NotYet = self.goodbye {
            self.goodbye = Goodbye::Due(code);
        }
    }

    /// Fills `control` with the next frame that is due, if any.
    fn next_control(&mut self) {
        let goodbye = self.goodbye;
        match (goodbye, self.decoder.take_ping()) {
            (Goodbye::Said, _) => {}
            (Goodbye::NotYet | Goodbye::Due(_), Some(payload)) => {
                encode::pong(&mut self.control, &payload);
            }
            (Goodbye::Due(code), None) => {
                encode::close(&mut self.control, code);
                self.goodbye = Goodbye::Said;
            }
            (Goodbye::NotYet, None) => {}
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FrameStream<S> {
    /// Writes the control frames that are due. Inside a data frame there is no place for them.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.frame.missing > 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if self.control.is_empty() {
                self.next_control();
            }
            if self.control.is_empty() {
                self.control = Vec::new();
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.control))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => drop(self.control.drain(..count)),
            }
            self.unflushed = true;
        }
    }

    /// Control frames, and whatever else has been written, on their way to the client.
    fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_control(cx))?;
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Raw bytes behind what `buffer` holds.
    fn poll_raw(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..count]);
        self.early.advance(count);
        if self.early.is_empty() {
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for FrameStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        loop {
            match this.decoder.end() {
                None => {}
                Some(End::Closed(code)) => this.say_goodbye(code.unwrap_or(CloseCode::NORMAL)),
                Some(End::Violation(violation)) => this.say_goodbye(violation.code()),
            }
            // A client that does not take answers may still send.
            if let Poll::Ready(settled) = this.poll_settle(cx) {
                settled?;
            }
            match this.decoder.end() {
                None => {}
                Some(End::Closed(_)) => return Poll::Ready(Ok(())),
                Some(End::Violation(violation)) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, violation);
                    return Poll::Ready(Err(error));
                }
            }
            ready!(this.poll_raw(cx, buffer))?;
            let arrived = &mut buffer.filled_mut()[before..];
            if arrived.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let count = this.decoder.decode(arrived);
            buffer.set_filled(before + count);
            if count > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FrameStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            if this.frame.missing == 0 {
                ready!(this.poll_control(cx))?;
                if let Goodbye::Said = this.goodbye {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                let (header, missing) = DataHeader::new(bytes.len());
                this.frame = DataFrame { header, written: 0, missing };
            }
            let header = &this.frame.header.bytes()[this.frame.written..];
            let payload = &bytes[..bytes.len().min(this.frame.missing)];
            let parts = [IoSlice::new(header), IoSlice::new(payload)];
            let parts = if header.is_empty() { &parts[1..] } else { &parts[..] };
            let written = match Pin::new(&mut this.stream).poll_write_vectored(cx, parts) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(written) => written?,
                Poll::Pending => {
                    // A frame of which nothing has gone out need not be the next.
                    if this.frame.written == 0 {
                        this.frame = DataFrame::default();
                    }
                    return Poll::Pending;
                }
            };
            this.unflushed = true;
            let of_header = written.min(header.len());
            let of_payload = written - of_header;
            this.frame.written += of_header;
            this.frame.missing -= of_payload;
            if of_payload > 0 {
                return Poll::Ready(Ok(of_payload));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_settle(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.say_goodbye(CloseCode::NORMAL);
        ready!(this.poll_settle(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
