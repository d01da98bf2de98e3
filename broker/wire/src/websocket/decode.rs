//! Takes the frames of the other side apart, in place.

use super::close::{CloseCode, Violation};
use super::{CONTROL_BYTES_MAX, opcode};

/// Two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// How the other side of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It sent a close frame; the code it gave, if any.
    Closed(Option<CloseCode>),
    /// It broke the protocol.
    Violation(Violation),
}

/// The other side of one connection: a client, unless it is made by [`Decoder::of_server`]. It holds a few dozen bytes, and those of a control frame while that is incomplete.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The other side is a server, whose frames are never masked.
    unmasked: bool,
    /// The part of a header that has arrived.
    header: [u8; HEADER_BYTES_MAX],
    header_length: u8,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// A message has begun whose last frame has not.
    in_message: bool,
    /// Payload of the control frame that is arriving.
    control: Vec<u8>,
    /// Payload of the last ping that nobody has answered.
    ping: Option<Vec<u8>>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: u8,
    remaining: u64,
    /// Turned so that its first byte is for the next byte of payload.
    mask: [u8; 4],
}

impl Decoder {
    /// For the frames of a server, as a client reads them.
    pub fn of_server() -> Self {
        Self { unmasked: true, ..Self::default() }
    }

    /// Moves the messages' bytes among `bytes` to its front and returns how many they are. How the stream is cut into
    /// calls changes nothing. After the end ([`Decoder::end`]) there are none.
    pub fn decode(&mut self, bytes: &mut [u8]) -> usize {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() && self.end.is_none() {
            let Some(frame) = &mut self.frame else {
                self.take_header(bytes[from]);
                from += 1;
                continue;
            };
            let left = bytes.len() - from;
            let count = usize::try_from(frame.remaining).unwrap_or(left).min(left);
            let piece = &mut bytes[from..from + count];
            unmask(piece, frame.mask);
            frame.mask.rotate_left(count % 4);
            frame.remaining -= count as u64;
            if is_control(frame.opcode) {
                self.control.extend_from_slice(piece);
            } else {
                bytes.copy_within(from..from + count, to);
                to += count;
            }
            from += count;
            self.finish_frame();
        }
        to
    }

    /// Whether and how the other side has ended.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// The payload of the last ping that is not answered; of several, only that needs an answer (RFC 6455 5.5.3).
    pub fn take_ping(&mut self) -> Option<Vec<u8>> {
        self.ping.take()
    }

    /// Whether a ping waits for its answer.
    pub fn has_ping(&self) -> bool {
        self.ping.is_some()
    }

    fn take_header(&mut self, byte: u8) {
        let at = usize::from(self.header_length);
        self.header[at] = byte;
        self.header_length += 1;
        let outcome = match at {
            0 => self.check_first(byte),
            1 => self.check_second(byte).and_then(|()| self.begin_frame()),
            _ => self.begin_frame(),
        };
        if let Err(violation) = outcome {
            self.end = Some(End::Violation(violation));
        }
    }

    /// Judged at once, so that nobody sends on what would be refused in the end.
    fn check_first(&self, byte: u8) -> Result<(), Violation> {
        let (fin, opcode) = (byte & 0x80 != 0, byte & 0x0f);
        if byte & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        match opcode {
            opcode::CONTINUATION if !self.in_message => Err(Violation::Order),
            opcode::BINARY | opcode::TEXT if self.in_message => Err(Violation::Order),
            opcode::TEXT => Err(Violation::Text),
            opcode::CLOSE | opcode::PING | opcode::PONG if !fin => Err(Violation::Control),
            opcode::CONTINUATION | opcode::BINARY => Ok(()),
            opcode::CLOSE | opcode::PING | opcode::PONG => Ok(()),
            other => Err(Violation::Opcode(other)),
        }
    }

    fn check_second(&self, byte: u8) -> Result<(), Violation> {
        match (byte & 0x80 == 0, self.unmasked) {
            (true, false) => return Err(Violation::Unmasked),
            (false, true) => return Err(Violation::Masked),
            (true, true) | (false, false) => {}
        }
        if is_control(self.header[0] & 0x0f) && usize::from(byte & 0x7f) > CONTROL_BYTES_MAX {
            return Err(Violation::Control);
        }
        Ok(())
    }

    /// Begins the frame when its header is complete. Lengths that would fit a shorter form are taken too.
    fn begin_frame(&mut self) -> Result<(), Violation> {
        let length_bytes = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_at = 2 + length_bytes;
        let mask_bytes = if self.unmasked { 0 } else { 4 };
        if usize::from(self.header_length) < mask_at + mask_bytes {
            return Ok(());
        }
        let remaining = match length_bytes {
            0 => u64::from(self.header[1] & 0x7f),
            _ => self.header[2..mask_at].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        if remaining >> 63 != 0 {
            return Err(Violation::Length);
        }
        let mut mask = [0; 4];
        mask[..mask_bytes].copy_from_slice(&self.header[mask_at..mask_at + mask_bytes]);
        let (fin, opcode) = (self.header[0] & 0x80 != 0, self.header[0] & 0x0f);
        if !is_control(opcode) {
            self.in_message = !fin;
        }
        self.header_length = 0;
        self.frame = Some(Frame { opcode, remaining, mask });
        self.finish_frame();
        Ok(())
    }

    /// Ends the frame when its payload is complete.
    fn finish_frame(&mut self) {
        let Some(frame) = self.frame.take_if(|frame| frame.remaining == 0) else { return };
        match frame.opcode {
            opcode::PING => self.ping = Some(std::mem::take(&mut self.control)),
            opcode::PONG => self.control = Vec::new(),
            opcode::CLOSE => {
                let end = close_code(&std::mem::take(&mut self.control));
                self.end = Some(end.map_or_else(End::Violation, End::Closed));
            }
            _ => {}
        }
    }
}

fn is_control(opcode: u8) -> bool {
    opcode & 0x8 != 0
}

/// The reason that may follow the code is for people and means nothing here.
fn close_code(payload: &[u8]) -> Result<Option<CloseCode>, Violation> {
    match payload {
        [] => Ok(None),
        [high, low, ..] => {
            let code = CloseCode::received(u16::from_be_bytes([*high, *low]));
            code.map(Some).ok_or(Violation::CloseCode)
        }
        [_] => Err(Violation::CloseCode),
    }
}

/// Payload byte `i` is XORed with mask byte `i % 4` (RFC 6455 5.3), eight at a time.
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}
