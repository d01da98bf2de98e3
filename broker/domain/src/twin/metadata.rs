//! `$metadata`: when each part of a section was last changed (device-protocols.md 7.3).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::time::UnixMs;
use crate::twin::document::Object;

/// When, and by which version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// `$lastUpdated`
    pub updated: UnixMs,
    /// `$lastUpdatedVersion`: the `$version` that the change made. Desired properties have it once they were changed,
    /// reported ones never.
    pub version: Option<u64>,
}

/// The stamps of a section or of a value in it. An object has members as its value has; an array is one value, as a number
/// is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The last change of this value or of anything in it; a deletion changes what it deletes from.
    pub stamp: Stamp,
    /// The members of an object.
    pub members: BTreeMap<String, Metadata>,
}

impl Metadata {
    /// Of a value without members.
    pub fn new(stamp: Stamp) -> Self {
        Self { stamp, members: BTreeMap::new() }
    }

    /// What [`merge`](super::merge::merge) of the same patch does to the values, done to their stamps: all that the patch
    /// names is stamped, also where it brings the value that is there already.
    pub fn merge(&mut self, patch: &Object, stamp: Stamp) {
        self.stamp = stamp;
        for (key, value) in patch {
            match value {
                Value::Null => {
                    self.members.remove(key);
                }
                Value::Object(patch) => {
                    self.members.entry(key.clone()).or_default().merge(patch, stamp);
                }
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    self.members.insert(key.clone(), Self::new(stamp));
                }
            }
        }
    }

    /// As services see it: `$lastUpdated`, perhaps `$lastUpdatedVersion`, and the members.
    pub fn to_json(&self) -> Object {
        let mut object = Object::new();
        object.insert("$lastUpdated".into(), self.stamp.updated.iso8601().into());
        if let Some(version) = self.stamp.version {
            object.insert("$lastUpdatedVersion".into(), version.into());
        }
        for (key, member) in &self.members {
            object.insert(key.clone(), member.to_json().into());
        }
        object
    }
}
