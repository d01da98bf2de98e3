//! MQTT over WebSocket as a device does it: the opening handshake, masked binary frames, and nothing else (RFC 6455;
//! device-protocols.md 2.13). A broker that pings or fragments is not one that this client measures.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Where the hub takes connections.
const PATH: &str = "/$iothub/websocket";
/// Longest head of an answer to the handshake.
const HEAD_BYTES_MAX: usize = 4096;
/// Most payload of one frame.
const FRAME_BYTES_MAX: usize = 16 * 1024;
/// Any key will do where nobody in between could be misled.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x88];

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// The byte stream inside a WebSocket connection.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    /// The header of the broker's frame that is arriving: bytes so far, and their number.
    header: [u8; 4],
    header_length: usize,
    /// Payload of the broker's frame that has not arrived.
    remaining: usize,
    closed: bool,
    /// Frames on their way out.
    out: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Does the handshake for subprotocol `mqtt`. The answer's proof of the key is not checked: it guards against
    /// caches, and what follows is MQTT or it fails.
    pub async fn open(mut stream: S, host: &str) -> io::Result<Self> {
        let request = format!(
            "GET {PATH} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: bG9hZHRlc3QgbG9hZHRlcw==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == HEAD_BYTES_MAX {
                return Err(io::Error::other("endless answer to the handshake"));
            }
            head.push(stream.read_u8().await?);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let said = format!("handshake refused: {}", line.escape_ascii());
            return Err(io::Error::other(said));
        }
        let (header, out) = ([0; 4], Vec::new());
        Ok(Self { stream, header, header_length: 0, remaining: 0, closed: false, out })
    }
}

impl<S> WebSocket<S> {
    /// Moves the frames' payload among `bytes` to its front; how much it is.
    fn unpack(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() && !self.closed {
            if self.remaining > 0 {
                let count = self.remaining.min(bytes.len() - from);
                bytes.copy_within(from..from + count, to);
                (from, to, self.remaining) = (from + count, to + count, self.remaining - count);
                continue;
            }
            self.header[self.header_length] = bytes[from];
            (from, self.header_length) = (from + 1, self.header_length + 1);
            match self.header[..self.header_length] {
                [CLOSE, _] => self.closed = true,
                [_] | [BINARY, 126] | [BINARY, 126, _] => continue,
                [BINARY, 126, high, low] => {
                    self.remaining = u16::from_be_bytes([high, low]).into();
                }
                [BINARY, length @ 0..126] => self.remaining = length.into(),
                _ => return Err(io::Error::other("an unexpected frame")),
            }
            self.header_length = 0;
        }
        Ok(to)
    }

    fn pack(&mut self, first: u8, payload: &[u8]) {
        self.out.push(first);
        match u8::try_from(payload.len()) {
            Ok(length @ 0..126) => self.out.push(0x80 | length),
            _ => {
                self.out.push(0x80 | 126);
                self.out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
            }
        }
        self.out.extend_from_slice(&MASK);
        self.out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
}

impl<S: AsyncWrite + Unpin> WebSocket<S> {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => drop(self.out.drain(..count)),
            }
        }
        self.out = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        while !this.closed {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            let arrived = &mut buffer.filled_mut()[before..];
            if arrived.is_empty() {
                break;
            }
            let count = this.unpack(arrived)?;
            buffer.set_filled(before + count);
            if count > 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        let payload = &bytes[..bytes.len().min(FRAME_BYTES_MAX)];
        this.pack(BINARY, payload);
        // What the socket does not take now goes with the next write or flush.
        if let Poll::Ready(drained) = this.poll_drain(cx) {
            drained?;
        }
        Poll::Ready(Ok(payload.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_stream_survives_any_cut_and_goes_out_masked() {
        let (client, mut broker) = tokio::io::duplex(64);
        let serve = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(broker.read_u8().await.unwrap());
            }
            let answer =
                b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x02ab\x82\x00\x82\x7e\x00\x80";
            for byte in answer.iter().chain(&[b'c'; 128]) {
                broker.write_all(&[*byte]).await.unwrap();
            }
            broker.write_all(b"\x88\x02\x03\xe8").await.unwrap();
            let mut frame = [0; 8];
            broker.read_exact(&mut frame).await.unwrap();
            frame
        };
        let ask = async {
            let mut stream = WebSocket::open(client, "hub").await.unwrap();
            stream.write_all(b"hi").await.unwrap();
            stream.flush().await.unwrap();
            let mut read = Vec::new();
            stream.read_to_end(&mut read).await.unwrap();
            read
        };
        let (frame, read) = tokio::join!(serve, ask);
        assert_eq!(frame, [0x82, 0x82, 0x5a, 0xc3, 0x17, 0x88, b'h' ^ 0x5a, b'i' ^ 0xc3]);
        assert_eq!(read, [&b"ab"[..], &[b'c'; 128]].concat());
    }

    #[tokio::test]
    async fn a_refused_handshake_is_an_error_that_says_so() {
        let (client, mut broker) = tokio::io::duplex(4096);
        broker.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").await.unwrap();
        let error = WebSocket::open(client, "hub").await.unwrap_err();
        assert_eq!(error.to_string(), "handshake refused: HTTP/1.1 404 Not Found");
    }
}
