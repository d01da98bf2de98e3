//! The Event Hubs-compatible endpoint (service-protocols.md 4): properties by request, events by link.
//!
//! [`receive`] is one receiver; [`receivers`] says which receivers may exist beside each other; [`render`] turns an event
//! into a message; [`filter`] finds where a receiver wants to start.

mod filter;
mod management;
mod receive;
mod receivers;
mod redirect;
mod render;
mod source;

pub(super) use management::{answer, asked, find, management_paths};
pub(super) use receive::{Attached, Receiver, attach, paths};
pub use receivers::Receivers;
pub(super) use redirect::redirect;
pub use source::EventSource;

/// What is told of an event hub, a consumer group or a partition that does not exist. By the second sentence Java's SDK knows
/// that asking again is of no use.
pub(super) fn missing(what: &str, name: &str) -> String {
    format!("there is no {what} {name:?}. The messaging entity {name:?} could not be found")
}
