//! Frames: eight bytes of header, then a body (OASIS AMQP 1.0 2.3); and the eight bytes that open each layer.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// `AMQP`, protocol id 0: a connection without a security layer, or behind one.
pub const AMQP_HEADER: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
/// `AMQP`, protocol id 3: SASL first.
pub const SASL_HEADER: [u8; 8] = *b"AMQP\x03\x01\x00\x00";

/// Bytes before a frame's body when there is no extended header.
const HEADER_BYTES: usize = 8;

/// What a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A performative.
    Amqp,
    /// The security layer.
    Sasl,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which layer it belongs to.
    pub kind: FrameKind,
    /// Channel; meaningless for SASL.
    pub channel: u16,
    /// Everything behind the header; empty for a heartbeat.
    pub body: Bytes,
}

/// The bytes are no frame; nothing behind them can be read either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Larger than we announced.
    #[error("frame of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// What its header says.
        size: u32,
        /// What we announced.
        limit: u32,
    },
    /// Smaller than a header, or its body would begin outside of it.
    #[error("frame header is malformed")]
    Malformed,
    /// Neither AMQP nor SASL.
    #[error("unknown frame type {0}")]
    UnknownKind(u8),
}

/// Takes one frame off the front of the buffer; `None` if it is not complete.
pub fn next_frame(buffer: &mut BytesMut, limit: u32) -> Result<Option<Frame>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let [s0, s1, s2, s3, offset, kind, c0, c1] = *header;
    let size = u32::from_be_bytes([s0, s1, s2, s3]);
    if size > limit {
        return Err(FrameError::TooLarge { size, limit });
    }
    let body_at = usize::from(offset) * 4;
    if body_at < HEADER_BYTES || body_at > size as usize {
        return Err(FrameError::Malformed);
    }
    let kind = match kind {
        0 => FrameKind::Amqp,
        1 => FrameKind::Sasl,
        unknown => return Err(FrameError::UnknownKind(unknown)),
    };
    if buffer.len() < size as usize {
        return Ok(None);
    }
    let mut body = buffer.split_to(size as usize).freeze();
    body.advance(body_at);
    Ok(Some(Frame { kind, channel: u16::from_be_bytes([c0, c1]), body }))
}

/// Appends a frame whose body `write` writes.
pub fn put_frame(
    out: &mut BytesMut,
    kind: FrameKind,
    channel: u16,
    write: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    let kind = match kind {
        FrameKind::Amqp => 0,
        FrameKind::Sasl => 1,
    };
    out.put_slice(&[0, 0, 0, 0, 2, kind]);
    out.put_u16(channel);
    write(out);
    let size = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}
