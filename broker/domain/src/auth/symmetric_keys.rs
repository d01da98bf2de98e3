//! The pair of keys that an identity signs its tokens with.

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::HubError;
use crate::limits::{SYMMETRIC_KEY_BYTES_MAX, SYMMETRIC_KEY_BYTES_MIN};

/// Standard alphabet; padding may be missing, since some users strip it from keys.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Primary and secondary key as base64 text, both always valid, so that keys can be rolled.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SymmetricKeys {
    /// Primary key, base64.
    pub primary: String,
    /// Secondary key, base64.
    pub secondary: String,
}

impl SymmetricKeys {
    /// Whether both can be keys.
    pub fn validate(&self) -> Result<(), HubError> {
        Self::check_key(&self.primary)?;
        Self::check_key(&self.secondary)
    }

    /// Whether `text` can be a key: base64 of 16 to 64 bytes (service-protocols.md 2.4).
    pub fn check_key(text: &str) -> Result<(), HubError> {
        let wrong = |why: String| Err(HubError::InvalidArgument(why));
        // Four characters carry three bytes, so a longer text cannot be a valid key: refuse it undecoded.
        if text.len() > SYMMETRIC_KEY_BYTES_MAX.div_ceil(3) * 4 {
            return wrong(format!("a symmetric key has more than {SYMMETRIC_KEY_BYTES_MAX} bytes"));
        }
        match BASE64.decode(text) {
            Ok(key) if key.len() < SYMMETRIC_KEY_BYTES_MIN => {
                wrong(format!("a symmetric key has fewer than {SYMMETRIC_KEY_BYTES_MIN} bytes"))
            }
            Ok(key) if key.len() > SYMMETRIC_KEY_BYTES_MAX => {
                wrong(format!("a symmetric key has more than {SYMMETRIC_KEY_BYTES_MAX} bytes"))
            }
            Ok(_) => Ok(()),
            Err(_) => wrong("a symmetric key is not base64".into()),
        }
    }
}

/// Keys never reach a log.
impl fmt::Debug for SymmetricKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SymmetricKeys(..)")
    }
}
