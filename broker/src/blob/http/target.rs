//! What a request's path names.
//!
//! ```text
//! /ironhub-storage                       the account: all containers
//! /ironhub-storage/{container}           a container
//! /ironhub-storage/{container}/{blob}    a blob
//! /ironhub-uploads[/{blob}]              short for the container of uploads, as devices are told it
//! ```

use crate::blob::container::ContainerName;
use crate::blob::error::BlobError;
use crate::blob::name::{BlobName, NameError};
use crate::blob::sas::Resource;
use crate::blob::service::{ACCOUNT, CONTAINER};

/// Whether a request target's path belongs to this surface.
pub fn handles(path: &str) -> bool {
    below(path, CONTAINER).or_else(|| below(path, ACCOUNT)).is_some()
}

/// What follows the first segment, still encoded.
fn below<'p>(path: &'p str, first: &str) -> Option<&'p str> {
    let rest = path.strip_prefix('/')?.strip_prefix(first)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

/// A path's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Account,
    Container(ContainerName),
    Blob(ContainerName, BlobName),
}

impl Target {
    /// Reads the path of a request. Which of the kinds it is may hang on the query's `restype`: without it, a path that
    /// ends behind the container is a blob without a name.
    pub(super) fn of(path: &str, of_blob: bool) -> Result<Self, BlobError> {
        if let Some(blob) = below(path, CONTAINER) {
            return Self::inside(CONTAINER, blob, of_blob);
        }
        let rest = below(path, ACCOUNT).unwrap_or_default();
        let (container, blob) = rest.split_once('/').unwrap_or((rest, ""));
        if rest.is_empty() && !of_blob {
            return Ok(Self::Account);
        }
        Self::inside(container, blob, of_blob)
    }

    fn inside(container: &str, blob: &str, of_blob: bool) -> Result<Self, BlobError> {
        if of_blob {
            let blob = BlobName::from_url(blob)?;
            return Ok(Self::Blob(ContainerName::new(container)?, blob));
        }
        if blob.is_empty() {
            return Ok(Self::Container(ContainerName::new(container)?));
        }
        // A container's operation at a blob's path.
        Err(NameError::BadCharacter.into())
    }

    /// What a token must open.
    pub(super) fn resource(&self) -> Resource<'_> {
        match self {
            Self::Account => Resource::Account,
            Self::Container(container) => Resource::Container(container),
            Self::Blob(container, blob) => Resource::Blob(container, blob),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, of_blob: bool, expected: Option<&str>) {
        assert!(handles(path));
        let target = Target::of(path, of_blob).ok().map(|target| match target {
            Target::Account => "account".to_owned(),
            Target::Container(container) => container.to_string(),
            Target::Blob(container, blob) => format!("{container}: {blob}"),
        });
        assert_eq!(target.as_deref(), expected, "{path} {of_blob}");
    }

    #[test]
    fn a_path_names_the_account_a_container_or_a_blob() {
        check("/ironhub-storage", false, Some("account"));
        check("/ironhub-storage/", false, Some("account"));
        check("/ironhub-storage/abc", false, Some("abc"));
        check("/ironhub-storage/abc/", false, Some("abc"));
        check("/ironhub-storage/abc/d/e%20f", true, Some("abc: d/e f"));
        check("/ironhub-uploads/d1/a", true, Some("ironhub-uploads: d1/a"));
        check("/ironhub-storage/ironhub-uploads/d1/a", true, Some("ironhub-uploads: d1/a"));
        check("/ironhub-uploads", false, Some("ironhub-uploads"));
    }

    #[test]
    fn what_is_not_the_kind_that_the_operation_is_for_is_refused() {
        for path in ["/ironhub-storage", "/ironhub-storage/abc", "/ironhub-uploads"] {
            check(path, true, None);
        }
        for path in ["/ironhub-storage/abc/d", "/ironhub-storage/ABC", "/ironhub-storage/.."] {
            check(path, false, None);
        }
        check("/ironhub-storage/../d", true, None);
        check("/ironhub-storage/%2e%2e/d", true, None);
        check("/ironhub-storage/abc/../../blob.key", true, None);
        for path in ["/", "/ironhub-storages", "/ironhub-uploads2/x", "/devices/ironhub-storage"] {
            assert!(!handles(path), "{path}");
        }
    }
}
