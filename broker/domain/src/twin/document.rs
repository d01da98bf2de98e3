//! A twin as it is stored.

use base64::Engine as _;

use crate::auth::symmetric_keys::BASE64;
use crate::configuration::Assigned;
use crate::time::UnixMs;
use crate::twin::metadata::{Metadata, Stamp};

/// A JSON object.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// `properties.desired` or `properties.reported`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// `$version`: one more with every accepted change.
    pub version: u64,
    /// The properties, without `$metadata` and `$version`.
    pub values: Object,
    /// `$metadata`: the same tree of objects, each level with the time of its last change.
    pub metadata: Metadata,
}

/// The twin of a device or module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Twin {
    /// `version`: one more with every change of any part.
    pub version: u64,
    /// What the ETag is made of: one more with every change of tags or desired properties.
    pub etag_counter: u64,
    /// `tags`
    pub tags: Object,
    /// `properties.desired`
    pub desired: Section,
    /// `properties.reported`
    pub reported: Section,
    /// The newest `$version` of the desired properties that was sent to this identity or fetched by it.
    pub desired_seen: u64,
    /// What configurations have made of it.
    pub assigned: Assigned,
}

impl Twin {
    /// The twin of an identity that was created then: empty, both `$version` 1, `version` 2 (device-protocols.md 7.3,
    /// service-protocols.md 2.6). There is nothing in its desired properties that the identity could have missed.
    pub fn new(created: UnixMs) -> Self {
        let section = || Section {
            version: 1,
            values: Object::new(),
            metadata: Metadata::new(Stamp { updated: created, version: None }),
        };
        Self {
            version: 2,
            etag_counter: 1,
            tags: Object::new(),
            desired: section(),
            reported: section(),
            desired_seen: 1,
            assigned: Assigned::default(),
        }
    }

    /// The ETag, without quotes: base64 of the counter as eight big-endian bytes (service-protocols.md 2.6).
    pub fn etag(&self) -> String {
        BASE64.encode(self.etag_counter.to_be_bytes())
    }
}
