//! Twins: the JSON document that service and device share (device-protocols.md 7.3, service-protocols.md 2.6).
//!
//! [`parse`] reads what clients send, [`update`] says what becomes of the twin, [`view`] writes what clients see. Pure: the
//! time and the limits are parameters.

pub mod check;
pub mod digital;
pub mod document;
pub mod merge;
pub mod metadata;
pub mod parse;
pub mod size;
#[cfg(test)]
mod tests;
pub mod update;
pub mod view;

pub use document::{Object, Section, Twin};
pub use metadata::{Metadata, Stamp};
pub use update::{DesiredNotice, SectionChange, TwinChange, TwinUpdate};
