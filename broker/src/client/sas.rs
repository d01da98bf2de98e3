//! Makes SAS tokens (service-protocols.md 1.2).

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::ClientError;
use super::percent::encode;

/// How long a token of the command line is good.
pub const TOKEN_TIME: Duration = Duration::from_secs(3600);

/// How the key's text becomes the HMAC key; the two families of endpoints differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// Base64-decoded: IoT Hub endpoints.
    Decoded,
    /// The text's own bytes: Event Hubs-compatible endpoint.
    Text,
}

/// When a token made now ends, in seconds since 1970.
pub fn expiry_from_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (since + TOKEN_TIME).as_secs()
}

/// A token for `resource` (host, or `sb://host/entity`), signed with a policy's key, or if that has no name a device's or
/// module's own, that ends at `expiry` seconds since 1970. Fails if the key must be base64 and is not.
pub fn token(
    resource: &str,
    policy: &str,
    key: &str,
    form: KeyForm,
    expiry: u64,
) -> Result<String, ClientError> {
    let key = match form {
        KeyForm::Text => key.as_bytes().to_vec(),
        KeyForm::Decoded => BASE64_STANDARD.decode(key).map_err(|_| {
            ClientError::ConnectionString("SharedAccessKey is not base64".to_owned())
        })?,
    };
    let resource = encode(resource);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)
        .map_err(|_| ClientError::ConnectionString("SharedAccessKey cannot sign".to_owned()))?;
    mac.update(resource.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.to_string().as_bytes());
    let signature = encode(&BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    let mut token = format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}");
    if !policy.is_empty() {
        token += &format!("&skn={}", encode(policy));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

    #[test]
    fn tokens_are_those_that_the_sdks_make() {
        // Vectors of service-protocols.md 1.2.
        let token_of =
            |resource, policy, form, expiry| token(resource, policy, KEY, form, expiry).unwrap();
        assert_eq!(
            token_of("hub1.example.test", "iothubowner", KeyForm::Decoded, 1_795_381_563),
            "SharedAccessSignature sr=hub1.example.test\
             &sig=ACOZm1dOdkla2y1jHp5kT6hlKkk7ALno%2BMZ%2BCCG4YFE%3D&se=1795381563&skn=iothubowner"
        );
        let token =
            token_of("sb://eh1.example.test/iothub-eh", "service", KeyForm::Text, 1_795_381_854);
        assert!(
            token.starts_with("SharedAccessSignature sr=sb%3A%2F%2Feh1.example.test%2Fiothub-eh&")
        );
        assert!(token.contains("sig=%2BsX6yIk%2B4hqUK%2FIPHwIYecelC5Qr8vcdXwEYWgJuIX8%3D"));
    }

    #[test]
    fn a_key_that_is_not_base64_is_refused_where_it_must_be() {
        assert!(token("h", "p", "not base64!", KeyForm::Decoded, 1).is_err());
        assert!(token("h", "p", "not base64!", KeyForm::Text, 1).is_ok());
    }
}
