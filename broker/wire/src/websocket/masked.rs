//! A client's frames: always masked, never in parts (RFC 6455 5.1). Whoever calls brings a mask that nobody could foresee,
//! a fresh one for each frame (RFC 6455 10.3).

use super::close::CloseCode;
use super::decode::unmask;
use super::{CONTROL_BYTES_MAX, opcode};

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Appends `payload` as a binary message of one frame.
pub fn data(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    frame(out, opcode::BINARY, payload, mask);
}

/// Appends the answer to a ping: its payload, of which more than [`CONTROL_BYTES_MAX`] bytes cannot be.
pub fn pong(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    frame(out, opcode::PONG, &payload[..payload.len().min(CONTROL_BYTES_MAX)], mask);
}

/// Appends a close frame.
pub fn close(out: &mut Vec<u8>, code: CloseCode, mask: [u8; 4]) {
    frame(out, opcode::CLOSE, &code.get().to_be_bytes(), mask);
}

fn frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: [u8; 4]) {
    out.push(FIN | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(MASKED | length as u8),
        length @ 126..=65_535 => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let begin = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[begin..], mask);
}
