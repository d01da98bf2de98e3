//! One actor per active device: its identity, its live session, and the order of everything that happens to it.
//!
//! An actor is activated by the first request for its device, and leaves memory when nobody holds its handle and it has
//! been idle for a while; its state is in the partition's records, so leaving writes nothing. Outside this module an
//! actor is reached through [`DeviceHandle`] only: a bounded mailbox, and an answer when it is full.

mod call;
mod device;
mod directory;
mod handle;
mod handle_device;
mod in_flight;
mod owner;

pub(crate) use call::SessionId;
pub(crate) use directory::Directory;
pub(crate) use handle::DeviceHandle;
pub(crate) use owner::{NodeFacts, Owner};
