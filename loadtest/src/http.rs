//! A small HTTP/1.1 client: one request at a time over a connection that is kept.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// One request and its answer, connecting included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Longest body of an answer: a page of a thousand twins.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why one exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// TCP or TLS.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The peer closed in the middle of an answer.
    #[error("connection closed before the answer was complete")]
    Closed,
    /// Not HTTP/1.1 as we know it.
    #[error("answer is not understandable HTTP/1.1")]
    Malformed,
    /// Longer than this client takes.
    #[error("answer is too long")]
    TooLong,
    /// Slower than [`REQUEST_TIMEOUT`].
    #[error("no answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// The connection can be used again.
    pub keep_alive: bool,
    /// Value of `x-ms-continuation`.
    pub continuation: Option<String>,
    /// Body.
    pub body: Vec<u8>,
}

/// One HTTP/1.1 connection; bytes that belong to the next answer would be a protocol error, since requests
/// are not pipelined.
pub struct HttpConnection<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpConnection<S> {
    /// Over a stream that is connected.
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::with_capacity(4096) }
    }

    /// Sends a request and waits for its answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Response, HttpError> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(HttpError::TooLong);
            }
            self.read_more().await?;
        };
        let head = Head::parse(&self.buffer[..head_end])?;
        self.buffer.drain(..head_end);
        let body = match head.length {
            Length::Known(length) => self.take(length).await?,
            Length::Chunked => self.chunks().await?,
        };
        let Head { status, keep_alive, continuation, .. } = head;
        Ok(Response { status, keep_alive, continuation, body })
    }

    async fn read_more(&mut self) -> Result<(), HttpError> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(HttpError::Closed);
        }
        Ok(())
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, HttpError> {
        if length > BODY_BYTES_MAX {
            return Err(HttpError::TooLong);
        }
        while self.buffer.len() < length {
            self.read_more().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn line(&mut self) -> Result<String, HttpError> {
        let at = loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                break at;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(HttpError::TooLong);
            }
            self.read_more().await?;
        };
        let line = self.buffer.drain(..at + 2).collect::<Vec<u8>>();
        String::from_utf8(line).map_err(|_| HttpError::Malformed)
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let digits = line.trim().split(';').next().unwrap_or_default();
            let length = usize::from_str_radix(digits, 16).map_err(|_| HttpError::Malformed)?;
            if length == 0 {
                // Trailers, if any, up to the empty line.
                while self.line().await? != "\r\n" {}
                return Ok(body);
            }
            body.extend(self.take(length).await?);
            if body.len() > BODY_BYTES_MAX {
                return Err(HttpError::TooLong);
            }
            if self.line().await? != "\r\n" {
                return Err(HttpError::Malformed);
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

enum Length {
    Known(usize),
    Chunked,
}

struct Head {
    status: u16,
    keep_alive: bool,
    continuation: Option<String>,
    length: Length,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self, HttpError> {
        let text = std::str::from_utf8(bytes).map_err(|_| HttpError::Malformed)?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        let status = status.and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let status: u16 = status.ok_or(HttpError::Malformed)?;
        let (keep_alive, length) = (true, Length::Known(0));
        let mut head = Self { status, keep_alive, continuation: None, length };
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or(HttpError::Malformed)?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                let length = value.parse().map_err(|_| HttpError::Malformed)?;
                head.length = Length::Known(length);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                if !value.eq_ignore_ascii_case("chunked") {
                    return Err(HttpError::Malformed);
                }
                head.length = Length::Chunked;
            } else if name.eq_ignore_ascii_case("x-ms-continuation") {
                head.continuation = Some(value.to_owned());
            } else if name.eq_ignore_ascii_case("connection") {
                head.keep_alive = !value.eq_ignore_ascii_case("close");
            }
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests;
