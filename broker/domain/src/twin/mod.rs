//! Twins: the JSON document that service and device share (device-protocols.md 7.3, service-protocols.md 2.6).

pub mod document;
pub mod update;

pub use document::{Object, Section, Twin};
pub use update::{DesiredNotice, SectionChange, TwinChange, TwinUpdate};
