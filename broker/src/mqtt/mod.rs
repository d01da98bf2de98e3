//! The MQTT 3.1.1 frontend: one task per connection, over any byte stream (TCP, TLS).
//!
//! [`listener`] runs a connection from its first byte to its end; [`connect`] lets it in; [`session`] is the loop of a
//! connection that is in: it takes all packets of one read, hands their messages to the device's owner as one batch,
//! and acknowledges in order as batches become durable ([`flight`]). An idle connection holds no buffer: [`inbox`] reads
//! into memory that the thread's connections share, [`outbox`] writes from such memory.
//!
//! What this version leaves out: sessions are not stored, so CONNACK always says "no session present"; the filters of
//! device-protocols.md 2.8 are granted, because SDKs subscribe when they connect, but nothing is sent on them yet.

mod connect;
mod d2c;
mod deadlines;
mod errors;
mod flight;
mod inbox;
mod listener;
mod metrics;
mod outbox;
mod packets;
mod session;
mod signal;
mod subscriptions;

use std::sync::Arc;
use std::time::Duration;

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
