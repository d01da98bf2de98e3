//! Percent coding as the device protocols use it (device-protocols.md 2.6): `+` is a plus sign, hex in either case,
//! and a `%` that is not followed by two hex digits stands for itself.

use std::borrow::Cow;

/// Decoding gave bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("percent-decoding gives bytes that are not UTF-8")]
pub struct NotUtf8;

/// Decodes once. Borrows when there is nothing to decode; the result is never longer than the input.
pub fn decode(text: &str) -> Result<Cow<'_, str>, NotUtf8> {
    let Some(first) = text.bytes().position(|byte| byte == b'%') else {
        return Ok(Cow::Borrowed(text));
    };
    let (plain, mut rest) = text.as_bytes().split_at(first);
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(plain);
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'%', [high, low, behind @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    behind
                }
                _ => {
                    decoded.push(b'%');
                    after
                }
            },
            _ => {
                decoded.push(*byte);
                after
            }
        };
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| NotUtf8)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Appends `text` with everything outside `A-Z a-z 0-9 - . _ ~` encoded, as the hub writes keys and values.
pub fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}
