//! The hub's rules. Synchronous and deterministic: no socket, no clock, no random source; time comes in as a parameter.

pub mod auth;
pub mod device;
pub mod error;
pub mod event;
pub mod ids;
pub mod limits;
pub mod partition;
pub mod registry;
pub mod time;

pub use error::HubError;
