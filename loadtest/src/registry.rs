//! Registers devices before a run: `PUT /devices/{id}` over a small HTTP/1.1 client.
//!
//! Connections are kept open and each carries one request at a time. A device that exists (409) is left
//! as it is. Rules: service-protocols.md 2.3; keys left out mean that the hub makes them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::sas;
use crate::target::{Fleet, Secure, TargetError};

/// Connections in use at a time.
const CONCURRENCY: usize = 8;
/// Tries per device, for answers and failures that may pass: 429, 500, 503, a broken connection.
const TRIES_MAX: u32 = 6;
/// One request and its answer, connecting included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Longest body of an answer.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Why registering stopped.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The credentials cannot register.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The hub refused.
    #[error("hub answered {status} to PUT /devices/{id}: {text}{}", hint(*.status))]
    Refused {
        /// HTTP status.
        status: u16,
        /// The device.
        id: String,
        /// The answer's beginning.
        text: String,
    },
    /// The connection failed each time.
    #[error("registering {id} at {address}: {cause}")]
    Io {
        /// The device.
        id: String,
        /// The hub's HTTPS address.
        address: SocketAddr,
        /// What happened last.
        cause: HttpError,
    },
    /// A task died.
    #[error("internal: a registering task ended early")]
    Task,
}

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (--create needs iothubowner or registryReadWrite)",
        _ => "",
    }
}

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

/// What registering did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Devices made.
    pub created: u64,
    /// Devices that were there.
    pub existing: u64,
}

struct Work {
    fleet: Arc<Fleet>,
    secure: Secure,
    address: SocketAddr,
    host: String,
    token: String,
    count: usize,
    next: AtomicUsize,
    created: AtomicU64,
    bar: ProgressBar,
}

/// Registers devices `0..count` of the fleet at `address`.
pub async fn create(
    fleet: Arc<Fleet>,
    count: usize,
    address: SocketAddr,
    secure: Secure,
    bar: ProgressBar,
) -> Result<Registered, RegistryError> {
    let (host, token) = fleet.registry_login(sas::expiry_from_now())?;
    let (next, created) = (AtomicUsize::new(0), AtomicU64::new(0));
    let work = Work { fleet, secure, address, host, token, count, next, created, bar };
    let work = Arc::new(work);
    let mut tasks = JoinSet::new();
    for _ in 0..CONCURRENCY.min(count) {
        tasks.spawn(register_some(work.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|_| RegistryError::Task)??;
    }
    work.bar.finish_and_clear();
    let created = work.created.load(Ordering::Relaxed);
    Ok(Registered { created, existing: count as u64 - created })
}

async fn register_some(work: Arc<Work>) -> Result<(), RegistryError> {
    let mut connection = None;
    loop {
        let index = work.next.fetch_add(1, Ordering::Relaxed);
        if index >= work.count {
            return Ok(());
        }
        let id = work.fleet.id(index);
        if register(&work, &id, &mut connection).await? {
            work.created.fetch_add(1, Ordering::Relaxed);
        }
        work.bar.inc(1);
    }
}

type Connection = HttpConnection<tokio_rustls::client::TlsStream<TcpStream>>;

/// True when the device was made, false when it was there.
async fn register(
    work: &Work,
    id: &str,
    connection: &mut Option<Connection>,
) -> Result<bool, RegistryError> {
    let request = put_device(&work.host, &work.token, id);
    let mut tries = 0;
    loop {
        tries += 1;
        let exchanged = timeout(REQUEST_TIMEOUT, exchange(work, connection, &request)).await;
        match exchanged.unwrap_or(Err(HttpError::Timeout)) {
            Ok(Response { status: 200 | 201, .. }) => return Ok(true),
            Ok(Response { status: 409, .. }) => return Ok(false),
            Ok(Response { status: 429 | 500 | 503, .. }) if tries < TRIES_MAX => {}
            Ok(Response { status, body, .. }) => {
                let text = String::from_utf8_lossy(&body).chars().take(300).collect();
                return Err(RegistryError::Refused { status, id: id.to_owned(), text });
            }
            Err(_) if tries < TRIES_MAX => *connection = None,
            Err(cause) => {
                return Err(RegistryError::Io { id: id.to_owned(), address: work.address, cause });
            }
        }
        sleep(Duration::from_millis(100 << tries)).await;
    }
}

async fn exchange(
    work: &Work,
    connection: &mut Option<Connection>,
    request: &[u8],
) -> Result<Response, HttpError> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => {
            let tcp = TcpStream::connect(work.address).await?;
            tcp.set_nodelay(true)?;
            let name = work.secure.server.clone();
            HttpConnection::new(work.secure.connector.connect(name, tcp).await?)
        }
    };
    let response = open.exchange(request).await?;
    if response.keep_alive {
        *connection = Some(open);
    }
    Ok(response)
}

fn put_device(host: &str, token: &str, id: &str) -> Vec<u8> {
    let body = serde_json::json!({
        "deviceId": id, "status": "enabled", "authentication": { "type": "sas" },
    })
    .to_string();
    format!(
        "PUT /devices/{}?api-version=2021-04-12 HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n\
         Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\
         User-Agent: ironhub-loadtest\r\n\r\n{body}",
        sas::percent_encode(id),
        body.len()
    )
    .into_bytes()
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    status: u16,
    keep_alive: bool,
    body: Vec<u8>,
}

/// One HTTP/1.1 connection; bytes that belong to the next answer would be a protocol error, since requests
/// are not pipelined.
struct HttpConnection<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpConnection<S> {
    fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::with_capacity(4096) }
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Response, HttpError> {
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
        Ok(Response { status: head.status, keep_alive: head.keep_alive, body })
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
    length: Length,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self, HttpError> {
        let text = std::str::from_utf8(bytes).map_err(|_| HttpError::Malformed)?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        let status = status.and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let status: u16 = status.ok_or(HttpError::Malformed)?;
        let mut head = Self { status, keep_alive: true, length: Length::Known(0) };
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
            } else if name.eq_ignore_ascii_case("connection") {
                head.keep_alive = !value.eq_ignore_ascii_case("close");
            }
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests;
