//! Every bound of the hub's rules: its name, its reason, its relation to the others (design.md 7).

/// Largest D2C message, counted as body + system property values + application property names and values
/// (device-protocols.md 7.1). Inclusive.
pub const D2C_MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Longest device or module id, in characters.
pub const DEVICE_ID_CHARS_MAX: usize = 128;

/// Longest message id and correlation id, in characters.
pub const MESSAGE_ID_CHARS_MAX: usize = 128;

/// Longest `statusReason` of a device, in characters.
pub const STATUS_REASON_CHARS_MAX: usize = 128;

/// A symmetric key, decoded.
pub const SYMMETRIC_KEY_BYTES_MIN: usize = 16;
/// A symmetric key, decoded.
pub const SYMMETRIC_KEY_BYTES_MAX: usize = 64;

/// Most devices that one listing returns (service-protocols.md 2.3).
pub const DEVICE_LIST_MAX: usize = 1000;

/// Receivers without an epoch on one partition of one consumer group (service-protocols.md 4.6).
pub const RECEIVERS_PER_GROUP_AND_PARTITION_MAX: usize = 5;

/// How far a token's expiry may lie in the past, for clocks that differ.
pub const SAS_CLOCK_SKEW_MS: u64 = 5 * 60 * 1000;

/// Longest token text that is parsed at all.
pub const SAS_TOKEN_BYTES_MAX: usize = 4096;

/// Longest ETag, generation id or device scope that a record keeps, in bytes. The hub's own ETags and generation ids have
/// about 20; a scope is `ms-azure-iot-edge://` + a device id + `-` + a generation id.
pub const RECORD_TEXT_BYTES_MAX: usize = 256;

/// Most parent scopes of one device.
pub const PARENT_SCOPES_MAX: usize = 16;

const _: () = assert!(RECORD_TEXT_BYTES_MAX >= DEVICE_ID_CHARS_MAX + 64);

/// Longest name of a consumer group, in characters (the original's limit).
pub const CONSUMER_GROUP_CHARS_MAX: usize = 50;

/// Most consumer groups of a hub, `$Default` included.
pub const CONSUMER_GROUPS_MAX: usize = 200;

/// Most shared access policies of a hub.
pub const POLICIES_MAX: usize = 64;
