//! HTTPS frontend: the identity registry for back ends, and the admin listener's health and metrics.
//!
//! A connection comes in through [`serve`], its requests through [`handle`]. Paths are the original service's
//! (service-protocols.md 2.3); what this version does not carry out answers 501, what no version knows 404.
//! Read next: `handle.rs`, `service/devices.rs`.

pub mod authorize;
pub mod body;
pub mod errors;
mod handle;
pub mod health;
mod listener;
pub mod patience;
mod registry;
pub mod route;
pub mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::watch;

pub use errors::Reply;
pub use handle::handle;
pub use health::{AdminContext, serve_admin};
pub use listener::serve;
pub use registry::Registry;

/// What every connection of the HTTPS listener needs.
pub struct HttpContext {
    /// The hub behind the frontend.
    pub registry: Arc<dyn Registry>,
    /// Who takes connections that leave HTTP for WebSocket; without it they are refused.
    pub upgrade: Option<Arc<dyn UpgradeHandler>>,
    /// Turns true when the node drains: connections finish the request they are in and close.
    pub draining: watch::Receiver<bool>,
}

/// Takes WebSocket upgrades. It answers the request; after a 101 it gets the stream from `hyper::upgrade::on`.
pub trait UpgradeHandler: Send + Sync + 'static {
    /// The reply to the upgrade request: 101, or why not.
    fn upgrade(&self, request: Request<Incoming>) -> Reply;
}
