//! Whether a key signed a token.

use base64::Engine as _;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::auth::percent;
use crate::auth::sas_token::{SIGNATURE_BYTES, SasToken};
use crate::auth::symmetric_keys::{BASE64, SymmetricKeys};

/// How a client makes HMAC bytes of a key's text (service-protocols.md 1.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// Decoded from base64: IoT Hub SDKs.
    Decoded,
    /// The text's own bytes: Event Hubs SDKs.
    Text,
}

/// Whether one of the two keys, used in one of the ways given, signed the token. The likeliest comes first, so that a good
/// token costs one HMAC.
pub(crate) fn is_signed_by(token: &SasToken, keys: &SymmetricKeys, uses: &[KeyUse]) -> bool {
    let texts = signed_texts(token.resource_raw());
    texts.iter().any(|resource| {
        uses.iter().any(|&key_use| {
            [&keys.primary, &keys.secondary].into_iter().any(|key| {
                expected(key, key_use, resource, token.expiry_raw())
                    .is_some_and(|mac| mac.ct_eq(token.signature()).into())
            })
        })
    })
}

/// What the client can have signed: `sr` as it stands, or as it stood before the token was put together.
fn signed_texts(raw: &str) -> Vec<String> {
    let decoded = percent::decode(raw);
    let mut texts = vec![raw.to_owned()];
    for text in [
        decoded.clone().into_owned(),
        percent::encode(&decoded, percent::LOWER),
        percent::encode(&decoded, percent::UPPER),
    ] {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// An empty key signs nothing: an identity without keys must not be open to whoever signs with no key.
fn expected(
    key: &str,
    key_use: KeyUse,
    resource: &str,
    expiry: &str,
) -> Option<[u8; SIGNATURE_BYTES]> {
    let key = match key_use {
        KeyUse::Decoded => BASE64.decode(key).ok()?,
        KeyUse::Text => key.as_bytes().to_vec(),
    };
    if key.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(resource.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.as_bytes());
    Some(mac.finalize().into_bytes().into())
}
