//! Names of blobs: `{deviceId}/{name}` (device-protocols.md 5.1).
//!
//! A name is text and never becomes a path: what a device chose is kept inside the blob's own file, and the folder that
//! holds it is named by a digest. So no name can leave its place, none is too long for a file system, and two names
//! that differ only in letter case or in their Unicode form are two blobs everywhere.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::client::percent;

/// Most characters of a name, device id and slash included (Azure Blob Storage naming rules).
pub const NAME_CHARS_MAX: usize = 1024;

/// A name that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or a part between slashes that is empty: `a//b`, `/a`, `a/`.
    #[error("a blob name and each part between its slashes needs at least one character")]
    Empty,
    /// Over [`NAME_CHARS_MAX`].
    #[error("a blob name has at most {NAME_CHARS_MAX} characters")]
    TooLong,
    /// `.` and `..` are removed by URL parsers, so the name would arrive as another one.
    #[error("no part of a blob name may be '.' or '..'")]
    DotSegment,
    /// Control characters are not for names, and URL parsers disagree on whether a backslash is a slash.
    #[error("a blob name has no backslash and no control characters")]
    BadCharacter,
    /// `%` without two digits, or bytes that are not UTF-8.
    #[error("the percent-encoding of the blob name is broken")]
    Encoding,
}

/// A checked name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobName(String);

impl BlobName {
    /// The blob that a device calls `name`.
    pub fn of_device(device_id: &str, name: &str) -> Result<Self, NameError> {
        Self::new(format!("{device_id}/{name}"))
    }

    /// A whole name, decoded.
    pub fn new(name: String) -> Result<Self, NameError> {
        if name.chars().nth(NAME_CHARS_MAX).is_some() {
            return Err(NameError::TooLong);
        }
        if name.chars().any(|c| c.is_control() || c == '\\') {
            return Err(NameError::BadCharacter);
        }
        for segment in name.split('/') {
            match segment {
                "" => return Err(NameError::Empty),
                "." | ".." => return Err(NameError::DotSegment),
                _ => {}
            }
        }
        Ok(Self(name))
    }

    /// The name in a request target's path: decoded exactly once, so `d%2Fa` and `d/a` are the same blob.
    pub fn from_url(path: &str) -> Result<Self, NameError> {
        Self::new(percent_decode(path).ok_or(NameError::Encoding)?)
    }

    /// The name as users know it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in a URL: every part percent-encoded, slashes kept.
    pub fn url_path(&self) -> String {
        let parts: Vec<String> = self.0.split('/').map(percent::encode).collect();
        parts.join("/")
    }

    /// What files of this blob are called: 64 hexadecimal digits.
    pub(super) fn digest(&self) -> String {
        Sha256::digest(&self.0).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Decodes `%XX` once; everything else, `+` included, stands for itself. `None` for what is no encoding of UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
            let value = digit()? * 16 + digit()?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<&str, NameError>) {
        let name = BlobName::from_url(path).map(|name| name.0);
        assert_eq!(name, expected.map(str::to_owned), "{path}");
    }

    #[test]
    fn a_name_is_decoded_once_and_an_encoded_slash_is_a_slash() {
        check("d1/my%20file.txt", Ok("d1/my file.txt"));
        check("d1%2Fmy%20file.txt", Ok("d1/my file.txt"));
        check("d1%2fa%2Fb", Ok("d1/a/b"));
        check("d1/a%252Fb", Ok("d1/a%2Fb"));
        check("d1/a+b", Ok("d1/a+b"));
        check("D1/%F0%9F%90%9D", Ok("D1/🐝"));
    }

    #[test]
    fn path_tricks_are_no_names() {
        use NameError::{BadCharacter, DotSegment, Empty, Encoding, TooLong};
        for (path, error) in [
            ("", Empty),
            ("/etc/passwd", Empty),
            ("d1//etc/passwd", Empty),
            ("d1/", Empty),
            ("d1/..", DotSegment),
            ("d1/../d2/a", DotSegment),
            ("d1/%2e%2e/d2/a", DotSegment),
            ("d1%2F..%2Fd2/a", DotSegment),
            ("d1/./a", DotSegment),
            ("..", DotSegment),
            ("d1\\..\\a", BadCharacter),
            ("d1/..%5Ca", BadCharacter),
            ("d1/a%00.txt", BadCharacter),
            ("d1/a%0D%0Ab", BadCharacter),
            ("d1/a%7F", BadCharacter),
            ("d1/a%C2%85", BadCharacter),
            ("d1/%", Encoding),
            ("d1/%2", Encoding),
            ("d1/%zz", Encoding),
            ("d1/%ff", Encoding),
            ("d1/%C0%AF", Encoding),
        ] {
            check(path, Err(error));
        }
        check(&"a".repeat(NAME_CHARS_MAX + 1), Err(TooLong));
        let longest = "é".repeat(NAME_CHARS_MAX);
        check(&longest, Ok(&longest));
    }

    #[test]
    fn names_that_a_file_system_may_confuse_have_files_of_their_own() {
        let names = ["d1/a", "D1/a", "d1/A", "d1/a%2F", "d1/caf\u{e9}", "d1/cafe\u{301}", "d1/a."];
        let mut digests: Vec<_> =
            names.iter().map(|name| BlobName::new((*name).into()).unwrap().digest()).collect();
        assert!(digests.iter().all(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit())));
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), names.len());
    }

    #[test]
    fn a_name_comes_back_from_its_url() {
        for name in ["d1/my file.txt", "d#1/a?b&c=%2F+é", "d1/x/y"] {
            let name = BlobName::new(name.into()).unwrap();
            assert_eq!(BlobName::from_url(&name.url_path()), Ok(name));
        }
    }
}
