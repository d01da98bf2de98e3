//! A device as the hub keeps it.

pub mod identity;

pub use identity::{Authentication, DeviceIdentity, DeviceStatus, Thumbprints};
