//! One actor per active device: its identity and its modules', their live sessions, and the order of everything that
//! happens to them.
//!
//! An actor is activated by the first request for its device, and leaves memory when nobody holds its handle and it has
//! been idle for a while; its state is in the partition's records, so leaving writes nothing. Outside this module an
//! actor is reached through [`DeviceHandle`] only, or by the session that it let in through its [`SessionHandle`]: a bounded
//! mailbox, and an answer when it is full.

mod c2d;
mod call;
mod configurations;
mod control;
mod device;
mod directory;
mod events;
mod facts;
mod handle;
mod heard;
mod in_flight;
mod method;
mod owner;
mod presence;
mod proof;
mod registry;
mod requests;
mod routes;
mod session;
mod session_handle;
mod settings;
mod sweep;
#[cfg(test)]
pub(crate) mod tests;
mod twin;
mod upload;

pub(crate) use configurations::{Configurations, target as configuration_target};
pub(crate) use directory::Directory;
pub(crate) use facts::NodeFacts;
pub(crate) use handle::DeviceHandle;
pub(crate) use owner::Owner;
pub(crate) use routes::Routes;
pub(crate) use session_handle::SessionHandle;
pub use settings::DeviceSettings;
pub(crate) use sweep::{recall_connected, sweep};
