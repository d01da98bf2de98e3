//! What proves to a webhook that a request is the hub's, as Standard Webhooks 1.0.0 has it (its section "Verifying webhook
//! authenticity"): `v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`. Pure.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Header with the id of a request: the same whenever the same events are sent again.
pub(super) const ID: &str = "webhook-id";
/// Header with the time of an attempt, in seconds since 1970.
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
/// Header with the signature.
pub(super) const SIGNATURE: &str = "webhook-signature";

/// A secret that begins so is base64 after it; of any other the bytes are the key.
const ENCODED: &str = "whsec_";

/// The signature's header value.
pub(super) fn sign(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> String {
    let decoded = secret.strip_prefix(ENCODED).and_then(|text| BASE64_STANDARD.decode(text).ok());
    let key = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(&key) else {
        // A key of HMAC may have any length.
        return String::new();
    };
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the reference libraries' own tests.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed =
            sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_part_counts_and_a_secret_without_prefix_is_the_key_itself() {
        let signed = sign("plain secret text", "a", 1, b"x");
        for other in [
            sign("plain secret texT", "a", 1, b"x"),
            sign("plain secret text", "b", 1, b"x"),
            sign("plain secret text", "a", 2, b"x"),
            sign("plain secret text", "a", 1, b"y"),
        ] {
            assert_ne!(signed, other);
        }
        let encoded = format!("{ENCODED}{}", BASE64_STANDARD.encode("plain secret text"));
        assert_eq!(sign(&encoded, "a", 1, b"x"), signed);
    }
}
