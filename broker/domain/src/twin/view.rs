//! What clients see of a twin.

use bytes::Bytes;
use serde_json::Value;

use crate::twin::document::{Object, Section, Twin};
use crate::twin::update::DesiredNotice;

impl Twin {
    /// JSON of the device's own view: `desired` and `reported`, each with its `$version` (device-protocols.md 2.11).
    pub fn device_view(&self) -> Bytes {
        let mut view = Object::new();
        for (name, section) in [("desired", &self.desired), ("reported", &self.reported)] {
            view.insert(name.into(), with_version(&section.values, section.version).into());
        }
        to_bytes(view)
    }

    /// The part of a service's view that is the twin's own: `etag`, `version`, `tags`, `properties`, and `configurations` if
    /// there are any (service-protocols.md 2.6, 2.11). The rest is the identity's.
    pub fn service_view(&self) -> Object {
        let mut properties = Object::new();
        for (name, section) in [("desired", &self.desired), ("reported", &self.reported)] {
            let mut values = with_version(&section.values, section.version);
            values.insert("$metadata".into(), section.metadata.to_json().into());
            properties.insert(name.into(), values.into());
        }
        let mut view = Object::new();
        view.insert("etag".into(), self.etag().into());
        view.insert("version".into(), self.version.into());
        view.insert("tags".into(), self.tags.clone().into());
        view.insert("properties".into(), properties.into());
        if !self.assigned.is_empty() {
            view.insert("configurations".into(), self.assigned.json());
        }
        view
    }

    /// What a device must be told that has not seen the newest desired properties: all of them, in one notice
    /// (device-protocols.md 7.3). `None` if it has missed nothing.
    pub fn missed(&self) -> Option<DesiredNotice> {
        (self.desired.version > self.desired_seen).then(|| self.desired.notice())
    }
}

impl Section {
    /// A notice of the whole section.
    pub(super) fn notice(&self) -> DesiredNotice {
        DesiredNotice::new(&self.values, self.version)
    }
}

impl DesiredNotice {
    /// The notice that these properties, or this patch, are the section's `version`.
    pub(super) fn new(properties: &Object, version: u64) -> Self {
        Self { version, body: to_bytes(with_version(properties, version)) }
    }
}

fn with_version(properties: &Object, version: u64) -> Object {
    let mut properties = properties.clone();
    properties.insert("$version".into(), version.into());
    properties
}

fn to_bytes(object: Object) -> Bytes {
    Value::Object(object).to_string().into()
}
