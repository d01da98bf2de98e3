//! Cuts a connection's bytes into frames: one fixed header and the bytes it announces.
//!
//! The header is judged before anything is waited for: a wrong packet type, wrong reserved flags or a length over the
//! limit is an error as soon as its bytes are there, so nobody buffers what would be refused in the end.

use bytes::{Buf, Bytes};

/// Largest PUBLISH: 256 KiB of message, the longest topic, and the header (device-protocols.md 2.3).
pub const PACKET_BYTES_MAX: usize = 262_144 + 65_535 + 16;

/// Largest CONNECT that is buffered before anybody is authenticated: a will (topic and body of 65535 bytes) and 16 KiB
/// for ids, user name and token.
pub const CONNECT_BYTES_MAX: usize = 2 * 65_537 + 16 * 1024;

/// What a look at the buffer gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// A complete item.
    Item(T),
    /// The buffer ends before the item does.
    NeedMore,
}

/// Why a frame cannot be cut; the connection must close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Types 0 and 15 are reserved (MQTT 3.1.1 2.2.1); a client may not send what only servers send, and nothing of QoS 2.
    #[error("packet type {0} is not accepted")]
    Type(u8),
    /// Reserved flags of the fixed header have another value than MQTT 3.1.1 2.2.2 says.
    #[error("reserved header flags {flags:#06b} in a packet of type {kind}")]
    Flags {
        /// Packet type.
        kind: u8,
        /// The four bits found.
        flags: u8,
    },
    /// The remaining length runs over four bytes (MQTT 3.1.1 2.2.3).
    #[error("remaining length has more than four bytes")]
    Length,
    /// Header and body together are over the limit.
    #[error("packet of {size} bytes, at most {max} are accepted")]
    TooLarge {
        /// Whole packet.
        size: usize,
        /// Limit.
        max: usize,
    },
}

/// The packet types that a client sends to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1
    Connect,
    /// 3
    Publish,
    /// 4
    Puback,
    /// 8
    Subscribe,
    /// 10
    Unsubscribe,
    /// 12
    Pingreq,
    /// 14
    Disconnect,
}

/// One packet as bytes; type and reserved flags are checked, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Packet type.
    pub kind: Kind,
    /// Low four bits of the first byte.
    pub flags: u8,
    /// All that follows the fixed header.
    pub body: Bytes,
}

/// Size of the first packet in `bytes`, as soon as its header is complete. `limit` bounds header and body together.
pub fn packet_size(bytes: &[u8], limit: usize) -> Result<Step<usize>, FrameError> {
    match header(bytes, limit)? {
        Step::Item(header) => Ok(Step::Item(header.size + header.body)),
        Step::NeedMore => Ok(Step::NeedMore),
    }
}

/// Takes the first packet off `buffer`, which is left alone while the packet is incomplete.
pub fn next_frame(buffer: &mut Bytes, limit: usize) -> Result<Step<Frame>, FrameError> {
    let Step::Item(header) = header(buffer, limit)? else { return Ok(Step::NeedMore) };
    if buffer.len() < header.size + header.body {
        return Ok(Step::NeedMore);
    }
    buffer.advance(header.size);
    let body = buffer.split_to(header.body);
    Ok(Step::Item(Frame { kind: header.kind, flags: header.flags, body }))
}

struct Header {
    kind: Kind,
    flags: u8,
    size: usize,
    body: usize,
}

fn header(bytes: &[u8], limit: usize) -> Result<Step<Header>, FrameError> {
    let Some(&first) = bytes.first() else { return Ok(Step::NeedMore) };
    let (kind, flags) = first_byte(first)?;
    let mut body = 0;
    for at in 0..4 {
        let Some(&byte) = bytes.get(1 + at) else { return Ok(Step::NeedMore) };
        body |= usize::from(byte & 0x7f) << (7 * at);
        let size = 2 + at;
        if size + body > limit {
            return Err(FrameError::TooLarge { size: size + body, max: limit });
        }
        if byte & 0x80 == 0 {
            return Ok(Step::Item(Header { kind, flags, size, body }));
        }
    }
    Err(FrameError::Length)
}

fn first_byte(byte: u8) -> Result<(Kind, u8), FrameError> {
    let (bits, flags) = (byte >> 4, byte & 0x0f);
    let (kind, reserved) = match bits {
        1 => (Kind::Connect, Some(0)),
        3 => (Kind::Publish, None),
        4 => (Kind::Puback, Some(0)),
        8 => (Kind::Subscribe, Some(2)),
        10 => (Kind::Unsubscribe, Some(2)),
        12 => (Kind::Pingreq, Some(0)),
        14 => (Kind::Disconnect, Some(0)),
        other => return Err(FrameError::Type(other)),
    };
    match reserved {
        Some(expected) if expected != flags => Err(FrameError::Flags { kind: bits, flags }),
        _ => Ok((kind, flags)),
    }
}
