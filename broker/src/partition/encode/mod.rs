//! Domain values to stored bytes and back. Protobuf messages go no further than this module.

pub(crate) mod authority;
pub(crate) mod begun;
pub(crate) mod c2d;
pub(crate) mod command;
pub(crate) mod device;
pub(crate) mod document;
pub(crate) mod event;
pub(crate) mod hub;
mod identity;
pub(crate) mod job;
pub(crate) mod module;
pub(crate) mod notice;
pub(crate) mod presence;
mod put_with_twin;
pub(crate) mod twin;

use ironhub_cluster::storage::StorageError;

/// A record that does not decode: what it is and why.
pub(crate) fn damaged(what: &str, why: impl std::fmt::Display) -> StorageError {
    StorageError::Damaged(format!("{what}: {why}"))
}
