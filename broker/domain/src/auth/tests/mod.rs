//! Tokens as real clients write them: device-protocols.md 1.3, service-protocols.md 1.2.

mod device;
mod parse;
mod policy;

use base64::Engine as _;
use hmac::{Hmac, Mac};

pub(crate) const HOST: &str = "hub.example.net";
/// `ironhub-test-vector-key-00000001`
pub(crate) const KEY: &str = "aXJvbmh1Yi10ZXN0LXZlY3Rvci1rZXktMDAwMDAwMDE=";
pub(crate) const OTHER_KEY: &str = "b3RoZXItdGVzdC12ZWN0b3Ita2V5LTAwMDAwMDAwMDI=";
pub(crate) const SE: &str = "1900000000";
pub(crate) const NOW: crate::time::UnixMs = crate::time::UnixMs(1_800_000_000_000);

/// Base64 of the HMAC over `text`, as a client computes it.
pub(crate) fn hmac(key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

pub(crate) fn decoded(key: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(key).unwrap()
}

/// The characters of base64 that need it, with upper-case digits.
pub(crate) fn quoted(base64: &str) -> String {
    base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
