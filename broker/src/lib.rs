//! The hub: protocol frontends, device actors, partitions. [`app`] wires everything together; read it first.
//!
//! Who may import whom is in `docs/ARCHITECTURE.md` and checked by `tests/tidy.rs`.

pub(crate) mod actor;
pub mod amqp;
pub mod app;
pub mod blob;
pub(crate) mod bootstrap;
pub mod cli;
pub mod client;
pub mod config;
pub mod delivery;
pub(crate) mod event_source;
pub(crate) mod frontends;
pub(crate) mod guard;
pub mod http;
pub(crate) mod hub_changes;
pub(crate) mod jobs;
pub mod logging;
pub mod metrics;
pub mod mqtt;
pub mod net;
pub mod partition;
pub mod query;
pub mod router;
pub mod shutdown;
pub(crate) mod system;
pub(crate) mod transfer;
pub(crate) mod trimming;
pub mod websocket;
