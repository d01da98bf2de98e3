//! HTTPS frontend: the identity registry for back ends, and the admin listener's health and metrics.
//!
//! A connection comes in through [`serve`], its requests through [`handle`]. Paths are the original service's
//! (service-protocols.md 2.3); what this version does not carry out answers 501, what no version knows 404.
//! Read next: `handle.rs`, `service/devices.rs`.

pub mod authorize;
pub mod body;
pub mod device;
pub mod errors;
mod handle;
pub mod health;
mod listener;
mod object;
mod openapi;
pub mod patience;
pub mod presence;
mod registry;
pub mod route;
pub mod service;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::Request;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::blob::Storage;
use crate::delivery::Health;
use crate::net::Peer;
use crate::router::Router;

use errors::HttpError;
pub use errors::Reply;
pub use handle::{handle, wants_websocket};
pub use health::{AdminContext, serve_admin};
pub use listener::serve;
pub use registry::Registry;

/// What every connection of the HTTPS listener needs.
pub struct HttpContext {
    /// The hub behind the frontend.
    pub registry: Arc<dyn Registry>,
    /// The devices behind the frontend; without them only the registry is served, as its rules' tests do.
    pub hub: Option<Router>,
    /// Who takes connections that leave HTTP for WebSocket; without it they are refused.
    pub upgrade: Option<Arc<dyn UpgradeHandler>>,
    /// Where uploaded files go; if that is this node, its blobs are served here, too.
    pub blob: Option<Arc<Storage>>,
    /// How long a device has for an upload, in milliseconds.
    pub upload_ms: u64,
    /// Whether services are told of finished uploads.
    pub upload_notifications: bool,
    /// How deliveries to endpoints go.
    pub deliveries: Health,
    /// Turns true when the node drains: connections finish the request they are in and close.
    pub draining: watch::Receiver<bool>,
}

impl HttpContext {
    fn hub(&self) -> Result<&Router, HttpError> {
        self.hub.as_ref().ok_or(HttpError::NotBuilt("a registry without a hub"))
    }
}

/// Takes connections that leave HTTP for WebSocket.
pub trait UpgradeHandler: Send + Sync + 'static {
    /// Whether this request is for it; all others are answered by [`handle`].
    fn wants(&self, request: &Request<Incoming>) -> bool;

    /// The reply; with status 101 also who serves the connection after it.
    fn upgrade(&self, request: &Request<Incoming>) -> (Reply, Option<Serve>);
}

/// Serves a connection that has left HTTP until either side ends it: its stream, what had been read of that beyond the
/// request, and the peer.
pub type Serve = Box<dyn FnOnce(Box<dyn ByteStream>, Bytes, Peer) -> Serving + Send>;

/// See [`Serve`]; runs on the worker that took the connection.
pub type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// A connection's bytes, decrypted.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}
