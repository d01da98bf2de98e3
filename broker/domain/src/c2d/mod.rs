//! Cloud-to-device messages: one queue for each identity, with locks, expiry and outcomes (device-protocols.md 7.4).
//!
//! The queue's index is small and holds no bodies; a message's body is a record of its own. Pure: locks, tokens and times
//! are chosen by whoever proposes a command.

pub mod accept;
pub mod life;
pub mod message;
pub mod queue;
#[cfg(test)]
mod tests;

pub use accept::{check_expiry, expiry};
pub use life::Ended;
pub use message::{AckMode, C2dMessage, C2dProperties};
pub use queue::{Delivery, Entry, Holder, Lock, LockToken, Queue, Settlement};
