//! A twin as it is stored.

/// A JSON object.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// `properties.desired` or `properties.reported`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// `$version`: one more with every accepted change.
    pub version: u64,
    /// The properties, without `$metadata` and `$version`.
    pub values: Object,
    /// `$metadata`: the same tree, each level with its `$lastUpdated`.
    pub metadata: Object,
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
}
