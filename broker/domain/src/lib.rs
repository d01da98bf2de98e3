//! The hub's rules. Synchronous and deterministic: no socket, no clock, no random source; time comes in as a parameter.

pub mod auth;
pub mod c2d;
pub mod configuration;
pub mod device;
pub mod document;
pub mod error;
pub mod event;
pub mod ids;
pub mod job;
pub mod limits;
pub mod method;
pub mod notice;
pub mod partition;
pub mod query;
pub mod registry;
pub mod routing;
pub mod time;
pub mod twin;
pub mod upload;
pub mod uuid;

pub use error::HubError;
