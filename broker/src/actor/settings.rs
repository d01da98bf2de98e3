//! What an operator can choose about devices.

use std::time::Duration;

use ironhub_domain::limits::{METHOD_PAYLOAD_BYTES_MAX, TwinLimits};

/// Settings that the devices of this node follow; checked by whoever read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSettings {
    /// Time to live of a cloud-to-device message whose sender does not say: 1 minute to 48 hours.
    pub c2d_ttl: Duration,
    /// A message abandoned this often is dead: 1 to 100.
    pub c2d_deliveries_max: u32,
    /// Whether an identity that missed changes of its desired properties is sent them when it asks for changes again
    /// (device-protocols.md 7.3).
    pub notify_at_reconnect: bool,
    /// Sizes of twin sections.
    pub twin_limits: TwinLimits,
    /// Largest payload of a direct method, each way, in bytes.
    pub method_payload_bytes_max: usize,
}

impl Default for DeviceSettings {
    fn default() -> Self {
        Self {
            c2d_ttl: Duration::from_secs(3600),
            c2d_deliveries_max: 10,
            notify_at_reconnect: true,
            twin_limits: TwinLimits::DEFAULT,
            method_payload_bytes_max: METHOD_PAYLOAD_BYTES_MAX,
        }
    }
}
