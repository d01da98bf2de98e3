//! Where uploaded files go: the hub's own disk, or a storage account that the configuration names.
//!
//! A device asks the hub for a place, sends its file there with any storage client, and tells the hub when it is done
//! (device-protocols.md 5). This module hands out the place ([`Storage::upload_target`]), looks whether the file arrived
//! ([`Storage::stat`]) and, for the hub's own disk, is the place: [`http`] speaks the part of Azure Blob Storage's
//! protocol that uploads need. Read next: `sas.rs`, `filesystem/mod.rs`, `http/mod.rs`.

pub mod blocks;
pub mod checksum;
pub mod conditions;
pub mod container;
pub mod error;
pub mod exchange;
pub mod filesystem;
pub mod http;
pub mod name;
pub mod query;
mod reading;
#[cfg_attr(not(feature = "cloud-storage"), path = "remote_absent.rs")]
mod remote;
pub mod sas;
mod service;
mod sink;
mod storage;

pub use container::ContainerName;
pub use error::BlobError;
pub use exchange::{BlobReader, BlobWriter, Lines, SasContainer};
pub use name::{BlobName, NameError};
pub use remote::RemoteStorage;
pub use service::{ACCOUNT, BlobService, CHUNK_BYTES, CONTAINER, KEY_FILE, TRANSFERS_MAX};
pub use storage::{BlobFacts, Storage, UploadTarget};
