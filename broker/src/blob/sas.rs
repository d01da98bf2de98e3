//! The tickets that open one blob: shared access signatures of our own.
//!
//! A token has the field names of Azure's service SAS, by which SDKs know one (service-protocols.md 6.4), and a
//! signature that only this hub can make or check: HMAC-SHA256 with `blob.key` over the fields and the blob's name.
//! It opens exactly the blob that was signed, for the operations of `sp`, until `se`.
//!
//! ```text
//! ?sv=2024-11-04&sr=b&sp=rw&se=2026-11-23T02%3A00%3A00.000Z&sig={base64url}
//! ```

use std::fs;
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use ironhub_domain::time::UnixMs;
use rand::RngCore;
use sha2::Sha256;

use super::name::{BlobName, percent_decode};
use crate::client::percent;
use crate::net::certificates::write_secret;

/// The version of the storage protocol whose names the tokens use.
pub const VERSION: &str = "2024-11-04";
/// Bytes of the signing key: one block of SHA-256, which HMAC takes as it is.
const KEY_BYTES: usize = 64;
/// The only kind of resource that is signed: one blob.
const ONE_BLOB: &str = "b";

/// What an operation needs, as letters of `sp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `r`: content, properties, block list.
    Read,
    /// `w`: create or replace.
    Write,
    /// `d`.
    Delete,
}

impl Permission {
    fn letter(self) -> char {
        match self {
            Self::Read => 'r',
            Self::Write => 'w',
            Self::Delete => 'd',
        }
    }
}

/// `c` alone lets its holder create a blob and not replace one.
const CREATE: char = 'c';
/// What an upload ticket permits: to write the blob and to read it back, as the original service's does.
pub const UPLOAD: &str = "rw";

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SasError {
    /// A field is missing, there twice or unreadable, or the signature is not ours for this blob.
    #[error("the signature is missing, or is not one of this hub for this blob")]
    Signature,
    /// `se` is past.
    #[error("the signature has expired")]
    Expired,
    /// `sp` lacks the operation.
    #[error("the signature does not permit this operation")]
    Permission,
}

/// What a good token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// When it ends.
    pub expires: UnixMs,
    /// Only a blob that does not exist may be written.
    pub create_only: bool,
}

/// The hub's signing key.
pub struct SasKey([u8; KEY_BYTES]);

impl SasKey {
    /// Reads the key file, or makes one that only its owner can read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => bytes.as_slice().try_into().map(Self).ok().with_context(|| {
                format!(
                    "{}: damaged; remove it to make a new key, open uploads then begin again",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = [0; KEY_BYTES];
                rand::rng().fill_bytes(&mut key);
                write_secret(path, &key)?;
                Ok(Self(key))
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// The query of a URL that opens `name` in `container` for the operations in `permissions`, `?` included.
    pub fn token(
        &self,
        container: &str,
        name: &BlobName,
        permissions: &str,
        expires: UnixMs,
    ) -> String {
        let until = expires.iso8601();
        let fields = Fields { version: VERSION, resource: ONE_BLOB, permissions, until: &until };
        let signature =
            URL_SAFE_NO_PAD.encode(self.mac(container, name, &fields).finalize().into_bytes());
        format!(
            "?sv={VERSION}&sr={ONE_BLOB}&sp={permissions}&se={}&sig={signature}",
            percent::encode(&until)
        )
    }

    /// Checks the token in a request's query. Parameters beside the token's own fields are none of its business.
    pub fn check(
        &self,
        container: &str,
        name: &BlobName,
        query: &Query,
        needed: Permission,
        now: UnixMs,
    ) -> Result<Grant, SasError> {
        let field = |key| query.only(key).ok_or(SasError::Signature);
        let fields = Fields {
            version: field("sv")?,
            resource: field("sr")?,
            permissions: field("sp")?,
            until: field("se")?,
        };
        let signature = URL_SAFE_NO_PAD.decode(field("sig")?).map_err(|_| SasError::Signature)?;
        // Constant time; and before anything else, so that an error tells nothing about a token that is not ours.
        self.mac(container, name, &fields)
            .verify_slice(&signature)
            .map_err(|_| SasError::Signature)?;
        if fields.resource != ONE_BLOB {
            return Err(SasError::Signature);
        }
        let expires = UnixMs::parse_iso8601(fields.until).ok_or(SasError::Signature)?;
        if expires <= now {
            return Err(SasError::Expired);
        }
        let has = |letter| fields.permissions.contains(letter);
        let create_only = needed == Permission::Write && !has('w');
        if has(needed.letter()) || (create_only && has(CREATE)) {
            return Ok(Grant { expires, create_only });
        }
        Err(SasError::Permission)
    }

    fn mac(&self, container: &str, name: &BlobName, fields: &Fields<'_>) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new((&self.0).into());
        // No part holds a line break, so no two sets of parts sign alike.
        let Fields { version, resource, permissions, until } = fields;
        for part in [version, resource, permissions, until, container, name.as_str()] {
            mac.update(part.as_bytes());
            mac.update(b"\n");
        }
        mac
    }
}

struct Fields<'a> {
    version: &'a str,
    resource: &'a str,
    permissions: &'a str,
    until: &'a str,
}

/// The decoded parameters of a request's query, in their order.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// What cannot be decoded is dropped: no parameter of the protocol is ever written so. The bytes are bounded by
    /// the longest request head.
    pub fn parse(query: &str) -> Self {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            Some((percent_decode(key)?.to_ascii_lowercase(), percent_decode(value)?))
        };
        Self(query.split('&').filter_map(pair).collect())
    }

    /// The value of a parameter that is there exactly once.
    pub fn only(&self, key: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(name, _)| name == key);
        let value = found.next()?;
        found.next().is_none().then_some(value.1.as_str())
    }

    /// Whether a parameter is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: UnixMs = UnixMs(1_767_323_045_678);
    const UNTIL: UnixMs = UnixMs(NOW.0 + 60_000);

    fn name(text: &str) -> BlobName {
        BlobName::new(text.into()).unwrap()
    }

    fn check(token: &str, blob: &str, needed: Permission, now: UnixMs) -> Result<Grant, SasError> {
        let query = Query::parse(token.strip_prefix('?').unwrap());
        SasKey([7; KEY_BYTES]).check("uploads", &name(blob), &query, needed, now)
    }

    fn upload_token() -> String {
        SasKey([7; KEY_BYTES]).token("uploads", &name("d1/a b"), UPLOAD, UNTIL)
    }

    #[test]
    fn a_token_opens_its_blob_for_its_operations_until_it_ends() {
        let good = Ok(Grant { expires: UNTIL, create_only: false });
        let token = upload_token();
        assert_eq!(check(&token, "d1/a b", Permission::Write, NOW), good);
        assert_eq!(check(&token, "d1/a b", Permission::Read, NOW), good);
        assert_eq!(check(&token, "d1/a b", Permission::Delete, NOW), Err(SasError::Permission));
        assert_eq!(check(&token, "d1/a", Permission::Read, NOW), Err(SasError::Signature));
        assert_eq!(check(&token, "d2/a b", Permission::Read, NOW), Err(SasError::Signature));
        let just_before = UnixMs(UNTIL.0 - 1);
        assert_eq!(check(&token, "d1/a b", Permission::Write, just_before), good);
        assert_eq!(check(&token, "d1/a b", Permission::Write, UNTIL), Err(SasError::Expired));
    }

    #[test]
    fn create_permits_a_new_blob_only() {
        let token = SasKey([7; KEY_BYTES]).token("uploads", &name("d1/a"), "c", UNTIL);
        let grant = check(&token, "d1/a", Permission::Write, NOW);
        assert_eq!(grant, Ok(Grant { expires: UNTIL, create_only: true }));
        assert_eq!(check(&token, "d1/a", Permission::Read, NOW), Err(SasError::Permission));
    }

    #[test]
    fn order_extra_parameters_and_encoding_do_not_matter() {
        let token = upload_token();
        let reversed: Vec<&str> = token[1..].split('&').rev().collect();
        let odd = format!("?comp=block&blockid=AAA%3D&{}&timeout=30", reversed.join("&"));
        assert!(check(&odd, "d1/a b", Permission::Write, NOW).is_ok());
        let raw_colons = token.replace("%3A", ":");
        assert!(check(&raw_colons, "d1/a b", Permission::Write, NOW).is_ok());
    }

    #[test]
    fn any_change_of_a_token_ends_it() {
        let token = upload_token();
        let signature = token.split_once("&sig=").unwrap().1;
        for (from, to) in [
            ("sv=2024", "sv=2025"),
            ("sr=b", "sr=c"),
            ("sp=rw", "sp=rwd"),
            ("se=2026", "se=2027"),
            ("&sig=", "&gis="),
            ("sp=rw&", ""),
            ("sp=rw", "sp=rw&sp=rw"),
            (signature, ""),
            (signature, "not-base64!"),
            (&signature[..10], "AAAAAAAAAA"),
            (signature, &signature[..20]),
        ] {
            let changed = token.replacen(from, to, 1);
            assert_ne!(changed, token);
            let outcome = check(&changed, "d1/a b", Permission::Read, NOW);
            assert_eq!(outcome, Err(SasError::Signature), "{from} -> {to}");
        }
        let foreign = SasKey([8; KEY_BYTES]).token("uploads", &name("d1/a b"), UPLOAD, UNTIL);
        let outcome = check(&foreign, "d1/a b", Permission::Read, NOW);
        assert_eq!(outcome, Err(SasError::Signature));
    }

    #[test]
    fn the_key_is_kept_for_its_owner_only_and_a_damaged_one_is_refused() {
        let dir = std::env::temp_dir().join(format!("ironhub-blob-key-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("blob.key");
        let first = SasKey::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SasKey::open(&path).unwrap().0, first.0);
        fs::write(&path, b"short").unwrap();
        assert!(SasKey::open(&path).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
