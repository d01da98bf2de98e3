//! The tickets that open blobs: shared access signatures of our own.
//!
//! A token has the field names of Azure's SAS, by which SDKs know one (service-protocols.md 6.4), and a signature that
//! only this hub can make or check: HMAC-SHA256 with `blob.key` over the fields and what they open. It opens exactly
//! that, for the operations of `sp`, until `se`.
//!
//! ```text
//! ?sv=2024-11-04&sr=b&sp=rw&se=2026-11-23T02%3A00%3A00Z&sig={base64url}           one blob
//! ?sv=2024-11-04&sr=c&sp=rcwl&se=2026-11-23T02%3A00%3A00Z&sig={base64url}         one container
//! ?sv=2024-11-04&ss=b&srt=sco&sp=rwdlc&se=9999-12-31T00%3A00%3A00Z&sig={base64url} everything
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

use super::container::ContainerName;
use super::name::BlobName;
use super::query::Query;
use crate::client::percent;
use crate::net::certificates::write_secret;

/// The version of the storage protocol whose names the tokens use.
pub const VERSION: &str = "2024-11-04";
/// Bytes of the signing key: one block of SHA-256, which HMAC takes as it is.
const KEY_BYTES: usize = 64;
/// `sr` of a token for one blob.
const ONE_BLOB: &str = "b";
/// `sr` of a token for one container and every blob in it.
const ONE_CONTAINER: &str = "c";
/// Services and kinds of resources of a token for everything; it has these in the place of `sr`.
const EVERYTHING: (&str, &str) = ("b", "sco");

/// What a token opens, or a request wants opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// All containers.
    Account,
    /// A container and the blobs in it.
    Container(&'a ContainerName),
    /// One blob.
    Blob(&'a ContainerName, &'a BlobName),
}

/// What an operation needs, as letters of `sp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `r`: content, properties, block list.
    Read,
    /// `w`: create or replace.
    Write,
    /// `d`.
    Delete,
    /// `l`: what is in a container, or which containers there are.
    List,
    /// `r` or `l`: facts of a container.
    Look,
    /// `c`: make the container itself.
    CreateContainer,
    /// `w`, and no token of one container: what belongs to the container itself.
    WriteContainer,
    /// `d`, and no token of one container.
    DeleteContainer,
}

impl Permission {
    /// Any of these letters permits it.
    fn letters(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Write | Self::WriteContainer => "w",
            Self::Delete | Self::DeleteContainer => "d",
            Self::List => "l",
            Self::Look => "rl",
            Self::CreateContainer => "c",
        }
    }

    fn needs_account(self) -> bool {
        matches!(self, Self::WriteContainer | Self::DeleteContainer)
    }
}

/// `c` alone lets its holder create a blob and not replace one.
const CREATE: char = 'c';
/// What an upload ticket permits: to write the blob and to read it back, as the original service's does.
pub const UPLOAD: &str = "rw";
/// Every permission there is, in the order that tokens have them.
pub const ALL: &str = "rcwdl";

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SasError {
    /// A field is missing, there twice or unreadable, or the signature is not ours for this resource.
    #[error("the signature is missing, or is not one of this hub for this resource")]
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

    /// Reads the key file of a hub that exists.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let bytes = fs::read(path)?;
        let damaged = || std::io::Error::new(std::io::ErrorKind::InvalidData, "damaged");
        bytes.as_slice().try_into().map(Self).map_err(|_| damaged())
    }

    /// The query of a URL that opens `resource` for the operations in `permissions`, `?` included. The same for the
    /// same arguments.
    pub fn token(&self, resource: Resource<'_>, permissions: &str, expires: UnixMs) -> String {
        let until = end(expires);
        let kind = match resource {
            Resource::Account => format!("ss={}&srt={}", EVERYTHING.0, EVERYTHING.1),
            Resource::Container(_) => format!("sr={ONE_CONTAINER}"),
            Resource::Blob(..) => format!("sr={ONE_BLOB}"),
        };
        let mac = self.mac(resource, VERSION, permissions, &until);
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        format!(
            "?sv={VERSION}&{kind}&sp={permissions}&se={}&sig={signature}",
            percent::encode(&until)
        )
    }

    /// Checks the token in a request's query: whether it opens what is asked for. Parameters beside the token's own
    /// fields are none of its business.
    pub fn check(
        &self,
        asked: Resource<'_>,
        query: &Query,
        needed: Permission,
        now: UnixMs,
    ) -> Result<Grant, SasError> {
        let signed = signed_resource(asked, query).ok_or(SasError::Signature)?;
        let field = |key| query.only(key).ok_or(SasError::Signature);
        let (permissions, until) = (field("sp")?, field("se")?);
        let signature = URL_SAFE_NO_PAD.decode(field("sig")?).map_err(|_| SasError::Signature)?;
        // Constant time; and before anything else, so that an error tells nothing about a token that is not ours.
        self.mac(signed, field("sv")?, permissions, until)
            .verify_slice(&signature)
            .map_err(|_| SasError::Signature)?;
        let expires = UnixMs::parse_iso8601(until).ok_or(SasError::Signature)?;
        if expires <= now {
            return Err(SasError::Expired);
        }
        if needed.needs_account() && signed != Resource::Account {
            return Err(SasError::Permission);
        }
        let create_only = needed == Permission::Write && !permissions.contains('w');
        if needed.letters().chars().any(|letter| permissions.contains(letter))
            || (create_only && permissions.contains(CREATE))
        {
            return Ok(Grant { expires, create_only });
        }
        Err(SasError::Permission)
    }

    fn mac(
        &self,
        resource: Resource<'_>,
        version: &str,
        permissions: &str,
        until: &str,
    ) -> Hmac<Sha256> {
        let (kind, container, blob) = match resource {
            Resource::Account => ("a", "", ""),
            Resource::Container(container) => (ONE_CONTAINER, container.as_str(), ""),
            Resource::Blob(container, blob) => (ONE_BLOB, container.as_str(), blob.as_str()),
        };
        let mut mac = <Hmac<Sha256> as Mac>::new((&self.0).into());
        // No part of a good token holds a line break, so no two sets of parts sign alike.
        for part in [version, kind, permissions, until, container, blob] {
            mac.update(part.as_bytes());
            mac.update(b"\n");
        }
        mac
    }
}

/// `se` as Azure writes it: whole seconds, rounded up. Java's storage SDK reads the time and writes it anew without a fraction,
/// which would not be what was signed.
fn end(expires: UnixMs) -> String {
    UnixMs(expires.0.div_ceil(1000).saturating_mul(1000)).iso8601().replace(".000Z", "Z")
}

/// The resource that a token must have been signed for, if it is of a kind that can open what is asked for.
fn signed_resource<'a>(asked: Resource<'a>, query: &Query) -> Option<Resource<'a>> {
    match (query.only("sr"), asked) {
        (Some(ONE_BLOB), Resource::Blob(..)) => Some(asked),
        (Some(ONE_CONTAINER), Resource::Blob(container, _) | Resource::Container(container)) => {
            Some(Resource::Container(container))
        }
        (None, _) if !query.has("sr") => {
            let kinds = (query.only("ss")?, query.only("srt")?);
            (kinds == EVERYTHING).then_some(Resource::Account)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: UnixMs = UnixMs(1_767_323_045_678);
    const UNTIL: UnixMs = UnixMs(1_767_323_106_000);

    fn name(text: &str) -> BlobName {
        BlobName::new(text.into()).unwrap()
    }

    fn container() -> ContainerName {
        ContainerName::new("uploads").unwrap()
    }

    fn token_of(key: u8, blob: &str, permissions: &str) -> String {
        let container = container();
        let resource = Resource::Blob(&container, &name(blob));
        SasKey([key; KEY_BYTES]).token(resource, permissions, UNTIL)
    }

    fn check(token: &str, blob: &str, needed: Permission, now: UnixMs) -> Result<Grant, SasError> {
        let query = Query::parse(token.strip_prefix('?').unwrap());
        let container = container();
        SasKey([7; KEY_BYTES]).check(Resource::Blob(&container, &name(blob)), &query, needed, now)
    }

    fn upload_token() -> String {
        token_of(7, "d1/a b", UPLOAD)
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
    fn an_end_is_a_whole_second_and_never_earlier_than_asked() {
        assert_eq!(end(UnixMs(1_767_323_105_001)), "2026-01-02T03:05:06Z");
        assert_eq!(end(UnixMs(1_767_323_106_000)), "2026-01-02T03:05:06Z");
        assert!(upload_token().contains("&se=2026-01-02T03%3A05%3A06Z&"), "{}", upload_token());
    }

    #[test]
    fn create_permits_a_new_blob_only() {
        let token = token_of(7, "d1/a", "c");
        let grant = check(&token, "d1/a", Permission::Write, NOW);
        assert_eq!(grant, Ok(Grant { expires: UNTIL, create_only: true }));
        assert_eq!(check(&token, "d1/a", Permission::Read, NOW), Err(SasError::Permission));
    }

    #[test]
    fn a_token_opens_what_lies_in_its_resource_and_nothing_beside() {
        let key = SasKey([7; KEY_BYTES]);
        let (here, there) = (container(), ContainerName::new("other").unwrap());
        let blob = name("d1/a");
        let opened = |token: &str, asked: Resource<'_>, needed| {
            let query = Query::parse(token.strip_prefix('?').unwrap());
            key.check(asked, &query, needed, NOW).map(|_| ())
        };
        let one = key.token(Resource::Blob(&here, &blob), ALL, UNTIL);
        let all_here = key.token(Resource::Container(&here), ALL, UNTIL);
        let everything = key.token(Resource::Account, ALL, UNTIL);
        use Permission::{CreateContainer, DeleteContainer, List, Read, WriteContainer};
        let no = Err(SasError::Signature);
        for (asked, needed, by_one, by_container) in [
            (Resource::Blob(&here, &blob), Read, Ok(()), Ok(())),
            (Resource::Blob(&here, &name("d1/b")), Read, no, Ok(())),
            (Resource::Blob(&there, &blob), Read, no, no),
            (Resource::Container(&here), List, no, Ok(())),
            (Resource::Container(&here), CreateContainer, no, Ok(())),
            (Resource::Container(&here), WriteContainer, no, Err(SasError::Permission)),
            (Resource::Container(&here), DeleteContainer, no, Err(SasError::Permission)),
            (Resource::Container(&there), List, no, no),
            (Resource::Account, List, no, no),
        ] {
            assert_eq!(opened(&one, asked, needed), by_one, "blob {asked:?} {needed:?}");
            assert_eq!(opened(&all_here, asked, needed), by_container, "{asked:?} {needed:?}");
            assert_eq!(opened(&everything, asked, needed), Ok(()), "account {asked:?} {needed:?}");
        }
        // A token of one kind cannot pass as another.
        for forged in [one.replace("sr=b", "sr=c"), one.replace("sr=b", "ss=b&srt=sco")] {
            assert_eq!(opened(&forged, Resource::Container(&here), List), no, "{forged}");
            assert_eq!(opened(&forged, Resource::Blob(&here, &blob), Read), no, "{forged}");
        }
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
        let foreign = token_of(8, "d1/a b", UPLOAD);
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
