//! What a service asks to change in a twin, and what became of it.

use bytes::Bytes;

use crate::twin::document::{Object, Twin};

/// A change of one section.
#[derive(Clone, Debug, PartialEq)]
pub enum SectionChange {
    /// JSON merge patch: null deletes.
    Patch(Object),
    /// The whole section anew.
    Replace(Object),
}

/// What a service asks for; a section that is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TwinUpdate {
    /// `tags`
    pub tags: Option<SectionChange>,
    /// `properties.desired`
    pub desired: Option<SectionChange>,
}

/// What a device is told of a change of its desired properties (device-protocols.md 2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredNotice {
    /// The new `$version`.
    pub version: u64,
    /// JSON: the patch as the service sent it, or the whole section, with `$version`.
    pub body: Bytes,
}

/// A twin that was changed.
#[derive(Clone, Debug, PartialEq)]
pub struct TwinChange {
    /// As it is now.
    pub twin: Twin,
    /// What the device must be told, if the desired properties changed.
    pub notice: Option<DesiredNotice>,
}
