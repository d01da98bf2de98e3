//! The token between two pages of a result: where the scan stands, readable by this hub only, good for the same query.
//!
//! base64url of: version (1 byte), hash of the query (8), partition (4, big-endian), rows that TOP still allows (8; all ones
//! without TOP), then job, device and module of the last row, each with its length in front (2), and a truncated
//! HMAC-SHA256 of all that (16).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use ironhub_domain::HubError;
use ironhub_domain::auth::{Policy, PolicySet};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::job::JobId;
use sha2::{Digest, Sha256};

use super::scan::Cursor;
use super::way::RowKey;

const VERSION: u8 = 1;
const HASH_BYTES: usize = 8;
const SIGNATURE_BYTES: usize = 16;
/// Nobody was given a longer one.
const CHARS_MAX: usize = 1024;

/// How to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Continuation {
    pub(super) at: Cursor,
    /// What TOP still allows.
    pub(super) rows_left: Option<u64>,
}

/// What tokens are signed with.
pub(super) struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// Derived from the owner policy's primary key, which survives restarts and is nobody's but the owner's; tokens end when
    /// it is renewed. Without that policy the first one stands in for it.
    pub(super) fn of(policies: &PolicySet) -> Self {
        let policy = policies.get(Policy::OWNER).or_else(|| policies.iter().next());
        let secret = policy.map_or("", |policy| policy.keys.primary.as_str());
        let derived = keyed(secret.as_bytes()).chain_update("query continuation").finalize();
        Self(keyed(&derived.into_bytes()))
    }

    pub(super) fn seal(&self, continuation: &Continuation, query: &str) -> String {
        let Continuation { at, rows_left } = continuation;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&hash(query));
        bytes.extend_from_slice(&at.partition.to_be_bytes());
        bytes.extend_from_slice(&rows_left.unwrap_or(u64::MAX).to_be_bytes());
        let key = at.after.as_ref();
        let (job, identity) = (key.and_then(|k| k.job.as_ref()), key.map(|k| &k.identity));
        let module = identity.and_then(|identity| identity.module.as_ref());
        for part in [
            job.map_or("", JobId::as_str),
            identity.map_or("", |identity| identity.device.as_str()),
            module.map_or("", ModuleId::as_str),
        ] {
            // Ids are far below 64 KiB.
            bytes.extend_from_slice(&(part.len() as u16).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        let signature = self.0.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&signature[..SIGNATURE_BYTES]);
        BASE64.encode(bytes)
    }

    pub(super) fn open(&self, token: &str, query: &str) -> Result<Continuation, HubError> {
        let refused =
            |why: &str| HubError::InvalidArgument(format!("the continuation token {why}"));
        let not_ours = || refused("is none of this hub's; start again without it");
        let bytes = Some(token).filter(|token| token.len() <= CHARS_MAX);
        let bytes = bytes.and_then(|token| BASE64.decode(token).ok()).ok_or_else(not_ours)?;
        let at = bytes.len().checked_sub(SIGNATURE_BYTES).ok_or_else(not_ours)?;
        let (signed, signature) = bytes.split_at(at);
        let verified = self.0.clone().chain_update(signed).verify_truncated_left(signature);
        verified.map_err(|_| not_ours())?;
        let (of, continuation) = read(signed).ok_or_else(not_ours)?;
        match of == hash(query) {
            true => Ok(continuation),
            false => Err(refused("is another query's")),
        }
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    match <Hmac<Sha256> as Mac>::new_from_slice(secret) {
        Ok(mac) => mac,
        // HMAC takes keys of any length.
        Err(_) => <Hmac<Sha256> as Mac>::new(&Default::default()),
    }
}

fn hash(query: &str) -> [u8; HASH_BYTES] {
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&Sha256::digest(query)[..HASH_BYTES]);
    hash
}

fn read(bytes: &[u8]) -> Option<([u8; HASH_BYTES], Continuation)> {
    let (version, rest) = bytes.split_first()?;
    let (of, rest) = rest.split_first_chunk::<HASH_BYTES>()?;
    let (partition, rest) = rest.split_first_chunk::<4>()?;
    let (rows_left, rest) = rest.split_first_chunk::<8>()?;
    let (job, rest) = text(rest)?;
    let (device, rest) = text(rest)?;
    let (module, rest) = text(rest)?;
    if *version != VERSION || !rest.is_empty() {
        return None;
    }
    let after = match device {
        "" => None,
        device => {
            let module = Some(module).filter(|module| !module.is_empty());
            let module = module.map(ModuleId::new).transpose().ok()?;
            let identity = IdentityId { device: DeviceId::new(device).ok()?, module };
            let job = Some(job).filter(|job| !job.is_empty());
            Some(RowKey { job: job.map(JobId::new).transpose().ok()?, identity })
        }
    };
    let at = Cursor { partition: u32::from_be_bytes(*partition), after };
    let rows_left = Some(u64::from_be_bytes(*rows_left)).filter(|rows| *rows != u64::MAX);
    Some((*of, Continuation { at, rows_left }))
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "SELECT * FROM devices";

    fn key(secret: &str) -> TokenKey {
        TokenKey::of(&PolicySet::defaults(|| secret.to_owned()))
    }

    fn after(job: Option<&str>, device: &str, module: Option<&str>) -> Continuation {
        let identity = IdentityId {
            device: DeviceId::new(device).unwrap(),
            module: module.map(|module| ModuleId::new(module).unwrap()),
        };
        let job = job.map(|job| JobId::new(job).unwrap());
        let at = Cursor { partition: 3, after: Some(RowKey { job, identity }) };
        Continuation { at, rows_left: Some(7) }
    }

    #[test]
    fn a_token_leads_back_to_where_it_was_made() {
        let long = "x".repeat(128);
        for continuation in [
            Continuation { at: Cursor::default(), rows_left: None },
            after(None, "d", None),
            after(None, &long, Some(&long)),
            after(Some("job-1"), "d", None),
        ] {
            let token = key("k").seal(&continuation, QUERY);
            assert_eq!(key("k").open(&token, QUERY), Ok(continuation));
        }
    }

    #[test]
    fn a_token_is_good_for_its_query_and_its_hub_only() {
        let token = key("k").seal(&after(None, "d", None), QUERY);
        let error =
            |key: TokenKey, token: &str, query| key.open(token, query).unwrap_err().to_string();
        assert!(error(key("k"), &token, "SELECT * FROM devices.modules").contains("another query"));
        assert!(error(key("l"), &token, QUERY).contains("none of this hub's"));
        for forged in ["", "x", "AAAA", "not base64!", &token[1..], &"A".repeat(5000)] {
            assert!(error(key("k"), forged, QUERY).contains("none of this hub's"), "{forged}");
        }
        let bytes = BASE64.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = BASE64.encode(changed);
            assert!(error(key("k"), &changed, QUERY).contains("none of this hub's"), "byte {at}");
        }
    }
}
