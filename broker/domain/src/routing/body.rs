//! A message's body as JSON, for conditions on it (service-protocols.md 4.11).

use std::borrow::Cow;

use serde_json::Value;

use crate::event::SystemProperties;

/// The JSON value that the body is. `None` unless the message says that it is JSON in UTF-8, UTF-16 or UTF-32, and it is. Its
/// size is a message's, which bounds what is built of it.
pub fn parse(system: &SystemProperties, body: &[u8]) -> Option<Value> {
    let content_type = system.content_type.as_deref()?;
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    if !content_type.eq_ignore_ascii_case("application/json") {
        return None;
    }
    let encoding = system.content_encoding.as_deref()?.trim().to_ascii_lowercase();
    let text: Cow<'_, [u8]> = match encoding.as_str() {
        "utf-8" => Cow::Borrowed(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)),
        "utf-16" => Cow::Owned(utf16(body)?.into_bytes()),
        "utf-32" => Cow::Owned(utf32(body)?.into_bytes()),
        _ => return None,
    };
    serde_json::from_slice(&text).ok()
}

/// Little-endian as .NET writes it, unless a byte order mark says otherwise.
fn utf16(body: &[u8]) -> Option<String> {
    let (big, body) = match body {
        [0xfe, 0xff, rest @ ..] => (true, rest),
        [0xff, 0xfe, rest @ ..] => (false, rest),
        all => (false, all),
    };
    let (units, []) = body.as_chunks() else { return None };
    let unit = |bytes: &[u8; 2]| match big {
        true => u16::from_be_bytes(*bytes),
        false => u16::from_le_bytes(*bytes),
    };
    char::decode_utf16(units.iter().map(unit)).collect::<Result<_, _>>().ok()
}

fn utf32(body: &[u8]) -> Option<String> {
    let (big, body) = match body {
        [0, 0, 0xfe, 0xff, rest @ ..] => (true, rest),
        [0xff, 0xfe, 0, 0, rest @ ..] => (false, rest),
        all => (false, all),
    };
    let (units, []) = body.as_chunks() else { return None };
    let unit = |bytes: &[u8; 4]| match big {
        true => u32::from_be_bytes(*bytes),
        false => u32::from_le_bytes(*bytes),
    };
    units.iter().map(|bytes| char::from_u32(unit(bytes))).collect()
}
