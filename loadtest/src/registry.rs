//! Registers devices before a run: `PUT /devices/{id}`.
//!
//! Connections are kept open and each carries one request at a time. A device that exists (409) is left
//! as it is. Rules: service-protocols.md 2.3; keys left out mean that the hub makes them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::http::{HttpConnection, HttpError, REQUEST_TIMEOUT, Response};
use crate::sas;
use crate::target::{Fleet, Secure, TargetError};

/// Connections in use at a time.
const CONCURRENCY: usize = 8;
/// Tries per device, for answers and failures that may pass: 429, 500, 503, a broken connection.
const TRIES_MAX: u32 = 6;

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

#[cfg(test)]
mod tests;
