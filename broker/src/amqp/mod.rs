//! The AMQP 1.0 frontend: one task per connection, over any byte stream (TCP, TLS).
//!
//! [`listener`] runs a connection from its first byte to its end; [`session`] is its loop; what the bytes mean is the
//! business of [`ironhub_wire::amqp`]. [`links`] says what a link is for, [`tokens`] and [`grants`] what its client may do,
//! [`device`] serves devices and modules, [`eventhub`] the Event Hubs-compatible endpoint. An idle connection holds no
//! buffer, and a client that does not read is not read from.

mod address;
mod asking;
mod cbs;
pub mod device;
mod errors;
pub mod eventhub;
mod grants;
mod identities;
mod link_map;
mod links;
mod listener;
mod metrics;
mod redirect;
mod requests;
mod service;
mod session;
mod socket;
#[cfg(test)]
mod tests;
mod tokens;
mod value_text;

use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::auth::PolicySet;
use ironhub_domain::limits::SAS_CLOCK_SKEW_MS;
use ironhub_wire::amqp::ConnectionConfig;
use tokio::sync::watch;

use crate::router::Router;
use device::DeviceOwners;
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
    /// Where devices are.
    pub devices: Arc<dyn DeviceOwners>,
    /// The hub that the service endpoints work on; without it they are no nodes of this hub.
    pub services: Option<Router>,
    /// From the first byte to `open`, and to the first good token or identity: a client that has shown neither by then is
    /// closed (service-protocols.md 3.2).
    pub handshake_timeout: Duration,
    /// How long after its end a token is still taken, and its links live: clocks differ. One that was in force when it
    /// was put ends when it says.
    pub token_grace: Duration,
    /// Connections close when it becomes true.
    pub draining: watch::Receiver<bool>,
}

impl AmqpOptions {
    /// With the time limits of service-protocols.md 3.2.
    pub fn new(
        hub_host: String,
        policies: Box<dyn Fn() -> Arc<PolicySet> + Send + Sync>,
        events: Arc<dyn EventSource>,
        devices: Arc<dyn DeviceOwners>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self {
            hub_host,
            policies,
            events,
            devices,
            services: None,
            handshake_timeout: Duration::from_secs(30),
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

    /// Detaches the receivers of event logs and of consumer groups that are no more.
    pub fn detach_deleted(&self) {
        let events = &self.options.events;
        self.receivers.keep(|log| events.has_log(log), |group| events.has_consumer_group(group));
    }
}
