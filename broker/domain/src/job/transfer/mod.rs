//! The whole registry to blobs and back (service-protocols.md 2.10). The lines of the files are
//! [`registry::import`](crate::registry::import)'s.

pub mod record;
pub mod request;
pub mod stored;
#[cfg(test)]
mod tests;

pub use record::{TransferEvent, TransferJob, admit};
pub use request::{Container, TransferDirection, TransferRequest};

/// Name of the blob with the identities, unless the job says another.
pub const DEVICES_BLOB: &str = "devices.txt";
/// Name of the blob with the configurations, unless the job says another.
pub const CONFIGURATIONS_BLOB: &str = "configurations.txt";
/// Name of the blob that an import writes its errors to: one line for each, none if all went well.
pub const ERRORS_BLOB: &str = "importErrors.log";
