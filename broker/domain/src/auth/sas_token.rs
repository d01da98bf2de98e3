//! A shared access signature as it arrives: text with four fields (device-protocols.md 1.2).

use std::fmt;

use base64::Engine as _;

use crate::auth::percent;
use crate::auth::symmetric_keys::BASE64;
use crate::limits::{SAS_CLOCK_SKEW_MS, SAS_TOKEN_BYTES_MAX};
use crate::time::UnixMs;

/// Why text is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SasError {
    /// Too long to be looked at.
    #[error("the token has {0} bytes, at most {SAS_TOKEN_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// The first word is another one.
    #[error("the token does not begin with SharedAccessSignature")]
    Scheme,
    /// A field is not there.
    #[error("the token has no field {0:?}")]
    Missing(&'static str),
    /// A field is there twice: what was signed would be a matter of taste.
    #[error("the token has the field {0:?} twice")]
    Repeated(&'static str),
    /// `sig` is not the base64 of 32 bytes.
    #[error("the token's signature is not the base64 of 32 bytes")]
    Signature,
    /// `se` is not a decimal number.
    #[error("the token's expiry is not a decimal number of seconds")]
    Expiry,
}

/// Bytes of an HMAC-SHA256.
pub(crate) const SIGNATURE_BYTES: usize = 32;

/// A token that reads well. Nothing is proved yet: see [`crate::auth::check`].
#[derive(Clone, PartialEq, Eq)]
pub struct SasToken {
    /// `sr` exactly as it stands in the token: the signature is over this text.
    resource_raw: String,
    /// `se` exactly as it stands in the token.
    expiry_raw: String,
    expires: UnixMs,
    signature: [u8; SIGNATURE_BYTES],
    /// `skn`, decoded; empty means absent (the C SDK's file upload writes it empty).
    key_name: Option<String>,
}

impl SasToken {
    /// Reads a token: the scheme word, white space, then fields in any order; unknown fields are ignored.
    pub fn parse(text: &str) -> Result<Self, SasError> {
        if text.len() > SAS_TOKEN_BYTES_MAX {
            return Err(SasError::TooLong(text.len()));
        }
        let (scheme, fields) =
            text.trim().split_once(|c: char| c.is_ascii_whitespace()).ok_or(SasError::Scheme)?;
        // HTTP's authentication schemes have no case (RFC 9110 11.1), and the token is one.
        if !scheme.eq_ignore_ascii_case("SharedAccessSignature") {
            return Err(SasError::Scheme);
        }
        let (mut sr, mut sig, mut se, mut skn) = (None, None, None, None);
        for field in fields.trim_start().split('&') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let (slot, name) = match name {
                "sr" => (&mut sr, "sr"),
                "sig" => (&mut sig, "sig"),
                "se" => (&mut se, "se"),
                "skn" => (&mut skn, "skn"),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(SasError::Repeated(name));
            }
        }
        let required =
            |field: Option<&str>, name| field.map(str::to_owned).ok_or(SasError::Missing(name));
        let (resource_raw, sig, expiry_raw) =
            (required(sr, "sr")?, required(sig, "sig")?, required(se, "se")?);
        Ok(Self {
            signature: signature(&sig)?,
            expires: expiry(&expiry_raw)?,
            key_name: skn.map(|name| percent::decode(name).into_owned()).filter(|n| !n.is_empty()),
            resource_raw,
            expiry_raw,
        })
    }

    /// `sr` as it stands in the token, still encoded.
    pub fn resource_raw(&self) -> &str {
        &self.resource_raw
    }

    /// The name of the key that signed it, if it says one.
    pub fn key_name(&self) -> Option<&str> {
        self.key_name.as_deref()
    }

    /// When it ends, by its own account.
    pub fn expires(&self) -> UnixMs {
        self.expires
    }

    /// Whether it has ended by more than clocks may differ.
    pub fn is_expired(&self, now: UnixMs) -> bool {
        self.expires.0.saturating_add(SAS_CLOCK_SKEW_MS) <= now.0
    }

    pub(crate) fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.signature
    }

    pub(crate) fn expiry_raw(&self) -> &str {
        &self.expiry_raw
    }
}

/// Percent-decoded only: a `+` here is base64's `+`, never a space.
fn signature(raw: &str) -> Result<[u8; SIGNATURE_BYTES], SasError> {
    let bytes = BASE64.decode(percent::decode(raw).as_bytes()).map_err(|_| SasError::Signature)?;
    bytes.try_into().map_err(|_| SasError::Signature)
}

/// A number past the end of time is an expiry that never comes.
fn expiry(raw: &str) -> Result<UnixMs, SasError> {
    if raw.is_empty() || !raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SasError::Expiry);
    }
    Ok(UnixMs(raw.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1000)))
}

/// Whoever has a token may use it, so its signature never reaches a log.
impl fmt::Debug for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasToken")
            .field("sr", &self.resource_raw)
            .field("se", &self.expiry_raw)
            .field("skn", &self.key_name)
            .finish_non_exhaustive()
    }
}
