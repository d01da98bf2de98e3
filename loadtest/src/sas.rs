//! Shared access signatures and the connection strings their keys come in.
//!
//! Grammar and test vectors: device-protocols.md 1.1 to 1.3. The tool signs like the Python SDK: the
//! resource is percent-encoded once, with upper-case hexadecimal digits, and signed as it is written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// How long a token made by this tool is good: longer than the longest run it allows.
pub const TOKEN_LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// Why a connection string cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// A part between semicolons has no `=`.
    #[error("'{0}' is not of the form Name=Value")]
    NotAPair(String),
    /// A required part is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The key is not base64.
    #[error("SharedAccessKey is not base64")]
    Key,
}

/// A parsed connection string of a policy or of a device.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    /// Full name of the hub; part of every token and of the MQTT user name.
    pub host: String,
    /// Present in a device's string.
    pub device_id: Option<String>,
    /// Present in a policy's string.
    pub policy: Option<String>,
    /// The key's bytes, base64 undone.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for ConnectionString {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key stays out of logs and error texts.
        out.debug_struct("ConnectionString")
            .field("host", &self.host)
            .field("device_id", &self.device_id)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl ConnectionString {
    /// Reads `Name=Value;...`. Unknown names are ignored; `HostName` and `SharedAccessKey` are required.
    pub fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        let (mut host, mut device_id, mut policy, mut key) = (None, None, None, None);
        for part in text.trim().split(';').filter(|part| !part.is_empty()) {
            // Values are base64 or tokens and may hold further equals signs: only the first divides.
            let (name, value) = part.split_once('=').ok_or_else(|| {
                ConnectionStringError::NotAPair(part.chars().take(20).collect::<String>())
            })?;
            let slot = match name {
                "HostName" => &mut host,
                "DeviceId" => &mut device_id,
                "SharedAccessKeyName" => &mut policy,
                "SharedAccessKey" => &mut key,
                _ => continue,
            };
            *slot = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        let key = key.ok_or(ConnectionStringError::Missing("SharedAccessKey"))?;
        Ok(Self {
            host: host.ok_or(ConnectionStringError::Missing("HostName"))?,
            device_id,
            policy,
            key: BASE64.decode(key).map_err(|_| ConnectionStringError::Key)?,
        })
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => {
                out.push('%');
                out.push(char::from(HEX[usize::from(other >> 4)]));
                out.push(char::from(HEX[usize::from(other & 15)]));
            }
        }
    }
    out
}

/// Makes a token for `resource` (plain text, for example `{host}/devices/{id}`).
///
/// `policy` names the policy whose key signs; without it the key is the device's own. `expiry` counts
/// seconds since 1970.
pub fn token(key: &[u8], resource: &str, policy: Option<&str>, expiry: u64) -> String {
    let resource = percent_encode(resource);
    let signature = percent_encode(&sign(key, &resource, expiry));
    let mut token = format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}");
    if let Some(policy) = policy {
        token.push_str("&skn=");
        token.push_str(&percent_encode(policy));
    }
    token
}

/// Base64 of the HMAC-SHA256 over the resource as written, a line feed, and the expiry.
fn sign(key: &[u8], written_resource: &str, expiry: u64) -> String {
    #[allow(clippy::expect_used)] // HMAC takes keys of every length
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("hmac accepts any key length");
    mac.update(written_resource.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.to_string().as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

/// Expiry of a token made now: now and [`TOKEN_LIFE`], in seconds since 1970.
pub fn expiry_from_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    (now + TOKEN_LIFE).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "aXJvbmh1Yi10ZXN0LXZlY3Rvci1rZXktMDAwMDAwMDE=";

    #[test]
    fn signatures_match_the_vectors_of_the_reference() {
        let key = BASE64.decode(KEY).unwrap();
        assert_eq!(key, b"ironhub-test-vector-key-00000001");
        for (written, expected) in [
            ("hub.example.net%2Fdevices%2Fdev1", "5IAqOvUyEbgAlHzQ3j2z7e2mILfkORWo1xrDYoo7JWM%3D"),
            (
                "hub.example.net%2fdevices%2fdev1",
                "v0lYyDZhedvSWiL2aOgcFeXy7brkiN3Vfij5bOkvq%2BU%3D",
            ),
            ("hub.example.net/devices/dev1", "MKsxbSE9dpNplr0csexRJNteZtMWor59qsKlxe%2FEJB0%3D"),
            (
                "hub.example.net%2Fdevices%2Fdev1%2Fmodules%2Fmod1",
                "pIRAg66wiUEjv4T51eeEkIwsYRSL5yhkRVbpS6yVvos%3D",
            ),
        ] {
            assert_eq!(percent_encode(&sign(&key, written, 1_900_000_000)), expected, "{written}");
        }
    }

    #[test]
    fn a_token_carries_the_encoded_resource_and_names_its_policy() {
        let key = BASE64.decode(KEY).unwrap();
        let plain = "SharedAccessSignature sr=hub.example.net%2Fdevices%2Fdev1\
                     &sig=5IAqOvUyEbgAlHzQ3j2z7e2mILfkORWo1xrDYoo7JWM%3D&se=1900000000";
        let resource = "hub.example.net/devices/dev1";
        assert_eq!(token(&key, resource, None, 1_900_000_000), plain);
        assert_eq!(
            token(&key, resource, Some("a policy"), 1_900_000_000),
            format!("{plain}&skn=a%20policy")
        );
    }

    #[test]
    fn connection_strings_are_read_and_refused_by_rule() {
        let check = |text: &str, expected: Result<(&str, Option<&str>, Option<&str>), &str>| {
            let got = ConnectionString::parse(text);
            let got = got.as_ref().map_err(ToString::to_string).map(|parsed| {
                (parsed.host.as_str(), parsed.device_id.as_deref(), parsed.policy.as_deref())
            });
            assert_eq!(got, expected.map_err(str::to_owned), "{text}");
        };
        check(
            &format!("HostName=h;DeviceId=d=1;SharedAccessKey={KEY}"),
            Ok(("h", Some("d=1"), None)),
        );
        check(
            &format!("HostName=h;SharedAccessKeyName=device;SharedAccessKey={KEY};\n"),
            Ok(("h", None, Some("device"))),
        );
        check(&format!("SharedAccessKey={KEY}"), Err("HostName is missing"));
        check("HostName=h;DeviceId=d", Err("SharedAccessKey is missing"));
        check("HostName=h;SharedAccessKey=", Err("SharedAccessKey is missing"));
        check("HostName=h;SharedAccessKey=*", Err("SharedAccessKey is not base64"));
        check("rubbish", Err("'rubbish' is not of the form Name=Value"));
    }

    #[test]
    fn debug_output_does_not_show_the_key() {
        let parsed = ConnectionString::parse(&format!("HostName=h;SharedAccessKey={KEY}")).unwrap();
        assert!(!format!("{parsed:?}").contains("105"), "{parsed:?}");
    }
}
