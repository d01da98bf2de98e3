//! The AMQP 1.0 frontend: one task per connection, over any byte stream (TCP, TLS).
//!
//! [`listener`] runs a connection from its first byte to its end; [`session`] is its loop; what the bytes mean is the
//! business of [`ironhub_wire::amqp`]. [`links`] says what a link is for, [`cbs`] and [`grants`] what its client may do,
//! [`eventhub`] serves the Event Hubs-compatible endpoint. An idle connection holds no buffer, and a client that does not
//! read is not read from.

mod address;
mod cbs;
mod errors;
pub mod eventhub;
mod grants;
mod links;
mod listener;
mod metrics;
mod requests;
mod session;
mod socket;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::auth::PolicySet;
use ironhub_domain::limits::SAS_CLOCK_SKEW_MS;
use ironhub_wire::amqp::ConnectionConfig;
use tokio::sync::watch;

use eventhub::{EventSource, Receivers};

pub use listener::serve;

/// Port that redirected clients are sent to; no other survives their connection strings (service-protocols.md 4.9).
pub const AMQPS_PORT: u16 = 5671;

/// What the frontend is made of.
pub struct AmqpOptions {
    /// The hub's full host name, without port: tokens must be for it.
    pub hub_host: String,
    /// The shared access policies as they are now.
    pub policies: Box<dyn Fn() -> Arc<PolicySet> + Send + Sync>,
    /// The event log.
    pub events: Arc<dyn EventSource>,
    /// From the first byte to `open`.
    pub handshake_timeout: Duration,
    /// From `open` to the first good token (service-protocols.md 3.2).
    pub token_timeout: Duration,
    /// How long a link outlives its token.
    pub token_grace: Duration,
    /// Connections close when it becomes true.
    pub draining: watch::Receiver<bool>,
}

impl AmqpOptions {
    /// With the time limits of service-protocols.md.
    pub fn new(
        hub_host: String,
        policies: Box<dyn Fn() -> Arc<PolicySet> + Send + Sync>,
        events: Arc<dyn EventSource>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self {
            hub_host,
            policies,
            events,
            handshake_timeout: Duration::from_secs(30),
            token_timeout: Duration::from_secs(30),
            token_grace: Duration::from_millis(SAS_CLOCK_SKEW_MS),
            draining,
        }
    }
}

/// What all AMQP connections of a node share.
pub struct AmqpContext {
    options: AmqpOptions,
    connection: Arc<ConnectionConfig>,
    receivers: Receivers,
}

impl AmqpContext {
    /// Describes the metrics and builds what connections share.
    pub fn new(options: AmqpOptions) -> Arc<Self> {
        metrics::describe();
        let handshake_ms = u64::try_from(options.handshake_timeout.as_millis()).unwrap_or(u64::MAX);
        let connection = Arc::new(ConnectionConfig { handshake_ms, ..ConnectionConfig::default() });
        Arc::new(Self { options, connection, receivers: Receivers::default() })
    }
}
