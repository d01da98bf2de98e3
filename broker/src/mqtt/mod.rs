//! The MQTT 3.1.1 frontend: one task per connection, over any byte stream (TCP, TLS).
//!
//! [`listener`] runs a connection from its first byte to its end; [`connect`] lets it in; [`session`] is the loop of a
//! connection that is in: it takes all packets of one read, hands their messages to the device's owner as one batch,
//! and acknowledges in order as batches become durable ([`flight`]). An idle connection holds no buffer: [`inbox`] reads
//! into memory that the thread's connections share, [`outbox`] writes from such memory.
//!
//! The other direction is [`downlink`]: what the client asks of its owner ([`exchange`]) and cloud-to-device messages
//! ([`outgoing`]).

mod connect;
mod d2c;
mod deadlines;
mod downlink;
mod errors;
mod exchange;
mod flight;
mod inbox;
mod listener;
mod metrics;
mod outbox;
mod outgoing;
mod packets;
mod session;
mod signal;
mod subscriptions;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ironhub_domain::time::UnixMs;
use tokio::sync::watch;

use crate::config::Config;
use crate::router::Router;

pub use listener::serve;

/// What all MQTT connections share.
pub struct MqttContext {
    router: Router,
    handshake_timeout: Duration,
    sas_grace: Duration,
    draining: watch::Receiver<bool>,
}

impl MqttContext {
    /// Takes `handshake_timeout` (first byte to complete CONNECT) and `sas_grace` (how long a connection outlives its
    /// token) from `config`. Connections that have not sent their CONNECT yet end when `draining` becomes true.
    pub fn new(router: Router, config: &Config, draining: watch::Receiver<bool>) -> Arc<Self> {
        metrics::describe();
        let (handshake_timeout, sas_grace) = (config.handshake_timeout, config.sas_grace);
        Arc::new(Self { router, handshake_timeout, sas_grace, draining })
    }
}

fn wall_clock() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
