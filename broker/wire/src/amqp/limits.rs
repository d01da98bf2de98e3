//! Every bound of the AMQP codec and engine: its name and its reason.

/// Largest frame we accept and announce. Larger messages come in several transfers (device-protocols.md 3.1).
pub const FRAME_BYTES_MAX: u32 = 65_536;

/// Smallest max-frame-size a peer may announce (OASIS AMQP 1.0 2.7.1); a smaller one is taken as this.
pub const FRAME_BYTES_MIN: u32 = 512;

/// How deep values may nest; the deepest legal thing seen is a filter inside a source inside an attach.
pub const DEPTH_MAX: u8 = 16;

/// Values in one decoded tree. A one-byte null becomes a [`crate::amqp::Value`] of some 40 bytes, so bytes alone do not
/// bound memory.
pub const VALUES_MAX: u32 = 16_384;

/// Longest delivery tag (OASIS AMQP 1.0 2.8.7).
pub const TAG_BYTES_MAX: usize = 32;

/// Highest channel number, hence at most one more sessions on a connection (device-protocols.md 3.1 asks for 1000).
pub const CHANNEL_MAX: u16 = 999;

/// Highest link handle on a session (service-protocols.md 3.2).
pub const HANDLE_MAX: u32 = 255;

/// Links on a connection, over all its sessions: room for a thousand devices with their links.
pub const LINKS_MAX: usize = 8_192;

/// Transfer frames a session may send before it must wait for a flow, in either direction (service-protocols.md 3.2).
pub const SESSION_WINDOW: u32 = 5_000;

/// Idle time-out we announce, in milliseconds (service-protocols.md 3.2).
pub const IDLE_TIMEOUT_MS: u32 = 240_000;

/// Shortest idle time-out of a peer that is honoured; a shorter one would make us send frames without end.
pub const IDLE_TIMEOUT_MS_MIN: u32 = 1_000;

/// Milliseconds a peer has to come from its first byte to `open`.
pub const HANDSHAKE_MS: u64 = 30_000;

/// Bytes of messages that a connection may always hold while their last transfer has not come: one largest message and
/// its encoding.
pub const PARTIAL_BYTES_OWN: usize = 524_288;

/// Bytes of such messages that the connections of a node hold beyond that, together: the largest messages of some five
/// hundred devices at a time.
pub const PARTIAL_POOL_BYTES: usize = 134_217_728;

/// Unsettled deliveries to the peer that a session remembers.
pub const UNSETTLED_MAX: usize = 2_048;

/// Messages to the peer that a session holds because the peer's window is shut.
pub const PENDING_MAX: usize = 8;

/// Bytes to write that stop the engine from taking more input until they are gone.
pub const OUTPUT_BYTES_HIGH: usize = 131_072;

/// Longest link name, in bytes. The specification has no bound.
pub const LINK_NAME_BYTES_MAX: usize = 1_024;

/// Data sections of one message; a device batch has one per message.
pub const DATA_SECTIONS_MAX: usize = 4_096;

// The peer must be able to send something after it was told to wait, or it waits for ever.
const _: () = assert!(SESSION_WINDOW > 1);
// One maximal frame always fits what a connection may hold.
const _: () = assert!(PARTIAL_BYTES_OWN > FRAME_BYTES_MAX as usize);
