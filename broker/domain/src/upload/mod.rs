//! File uploads that a device has announced and not finished (device-protocols.md 5).

pub mod ticket;

use crate::time::UnixMs;

pub use ticket::{close, open};

/// One open upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadTicket {
    /// URL-safe, random.
    pub correlation_id: String,
    /// `{deviceId}/{name}`
    pub blob_name: String,
    /// When the URL that was handed out ends.
    pub expires: UnixMs,
}

/// How the device says an upload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadResult {
    /// The blob is there, with this address, size and time of its last write.
    Stored {
        /// Its address.
        blob_uri: String,
        /// Its size.
        bytes: u64,
        /// Its last write.
        last_updated: UnixMs,
    },
    /// It failed.
    Failed,
}
