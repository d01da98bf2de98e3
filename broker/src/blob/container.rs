//! Names of containers, and what is known of one beside its blobs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::BlobError;

/// Shortest and longest name in characters (Azure Blob Storage, naming containers).
const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=63;

/// A checked name: 3 to 63 of `a-z`, `0-9` and `-`, no hyphen at an end or beside another. So it is also a good name
/// of a folder, on every file system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerName(String);

impl ContainerName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, BlobError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = NAME_CHARS.contains(&name.len())
            && name.bytes().all(plain)
            && name.split('-').all(|part| !part.is_empty());
        if good { Ok(Self(name.to_owned())) } else { Err(BlobError::ContainerName) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ContainerName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A container as its readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFacts {
    /// Quoted, new with every change of the container itself; writes of blobs leave it.
    pub etag: String,
    /// That change, milliseconds since 1970.
    pub modified: u64,
    /// `x-ms-meta-*` headers.
    pub metadata: BTreeMap<String, String>,
}

impl ContainerFacts {
    /// Those of a container that is made or changed now.
    pub fn new(metadata: BTreeMap<String, String>, now: ironhub_domain::time::UnixMs) -> Self {
        Self { etag: new_etag(), modified: now.0, metadata }
    }
}

/// An ETag that nothing had before, quoted.
pub(super) fn new_etag() -> String {
    format!("\"0x{:016X}\"", rand::random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_azure_allows() {
        let longest = "a".repeat(63);
        for good in ["abc", "0-9", "ironhub-uploads", "a1-b2-c3", &longest] {
            assert_eq!(ContainerName::new(good).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(64);
        for bad in [
            "", "ab", "Abc", "a_b", "a--b", "-ab", "ab-", "..", "a.b", "$web", "a/b", "\u{e9}bc",
            &too_long,
        ] {
            let refused = ContainerName::new(bad);
            assert!(matches!(refused, Err(BlobError::ContainerName)), "{bad}: {refused:?}");
        }
    }
}
