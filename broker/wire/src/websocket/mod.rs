//! The frames of WebSocket (RFC 6455 section 5), seen from a server that carries a byte stream in binary messages; and from
//! a client of it: [`Decoder::of_server`] and [`masked`].
//!
//! Where messages and frames begin and end means nothing to the protocols inside, so nothing is gathered: [`Decoder`]
//! takes the frames' shell off the bytes where they lie, and a connection costs no buffer. Frames of any announced length
//! are taken as they come; whoever reads the stream has the limits. Read [`decode`] next.

pub mod close;
pub mod decode;
pub mod encode;
pub mod masked;

#[cfg(test)]
mod tests;

pub use close::{CloseCode, Violation};
pub use decode::{Decoder, End};

/// Longest payload of a control frame (RFC 6455 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// The opcodes (RFC 6455 5.2).
mod opcode {
    pub(super) const CONTINUATION: u8 = 0x0;
    pub(super) const TEXT: u8 = 0x1;
    pub(super) const BINARY: u8 = 0x2;
    pub(super) const CLOSE: u8 = 0x8;
    pub(super) const PING: u8 = 0x9;
    pub(super) const PONG: u8 = 0xa;
}
