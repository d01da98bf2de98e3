//! Strings and symbols as slices of the input, or of the program.

use std::fmt;

use bytes::Bytes;

use super::DecodeError;

/// An AMQP string: UTF-8.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Bytes);

impl Text {
    /// A text that lives in the program; costs no allocation.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Checks that the bytes are UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, DecodeError> {
        std::str::from_utf8(&bytes).map_err(|_| DecodeError::InvalidUtf8)?;
        Ok(Self(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Checked on the way in, so the default is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// An AMQP symbol: ASCII, a name from a fixed domain.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(Bytes);

impl Symbol {
    /// A symbol that lives in the program; costs no allocation. The caller gives ASCII.
    pub const fn from_static(text: &'static str) -> Self {
        assert!(text.is_ascii(), "symbols are ascii");
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Checks that the bytes are ASCII.
    pub fn from_ascii(bytes: Bytes) -> Result<Self, DecodeError> {
        if bytes.is_ascii() { Ok(Self(bytes)) } else { Err(DecodeError::InvalidSymbol) }
    }

    /// The symbol made of `text` with everything outside ASCII replaced by `?`; for text that a device chose and that
    /// must travel as a symbol, such as a content type.
    pub fn lossy(text: &str) -> Self {
        if text.is_ascii() {
            return Self(Bytes::copy_from_slice(text.as_bytes()));
        }
        Self(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other.as_bytes()
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == other.as_bytes()
            }
        }
    };
}
as_text!(Text);
as_text!(Symbol);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}
