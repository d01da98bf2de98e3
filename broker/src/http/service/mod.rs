//! What back ends ask for: the identity registry.

pub mod device_json;
pub mod devices;
