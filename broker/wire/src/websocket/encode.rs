//! The server's frames: never masked, never in parts.

use super::close::CloseCode;
use super::{CONTROL_BYTES_MAX, opcode};

/// Most bytes of stream that one frame carries: with its header it fits one TLS record.
pub const DATA_BYTES_MAX: usize = 16 * 1024 - HEADER_BYTES_MAX;

/// Longest header of a frame of at most [`DATA_BYTES_MAX`].
pub const HEADER_BYTES_MAX: usize = 4;

const FIN: u8 = 0x80;

/// The header of a data frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataHeader {
    bytes: [u8; HEADER_BYTES_MAX],
    length: u8,
}

impl DataHeader {
    /// Begins a binary message of one frame, of `length` bytes but at most [`DATA_BYTES_MAX`]; returns how many it is.
    pub fn new(length: usize) -> (Self, usize) {
        let length = length.min(DATA_BYTES_MAX);
        let [high, low] = (length as u16).to_be_bytes();
        let first = FIN | opcode::BINARY;
        let header = match length <= CONTROL_BYTES_MAX {
            true => Self { bytes: [first, low, 0, 0], length: 2 },
            false => Self { bytes: [first, 126, high, low], length: 4 },
        };
        (header, length)
    }

    /// As it is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Appends the answer to a ping: its payload, of which more than [`CONTROL_BYTES_MAX`] bytes cannot be.
pub fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    control(out, opcode::PONG, payload);
}

/// Appends a close frame.
pub fn close(out: &mut Vec<u8>, code: CloseCode) {
    control(out, opcode::CLOSE, &code.get().to_be_bytes());
}

fn control(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    let payload = &payload[..payload.len().min(CONTROL_BYTES_MAX)];
    out.reserve(2 + payload.len());
    out.extend_from_slice(&[FIN | opcode, payload.len() as u8]);
    out.extend_from_slice(payload);
}
