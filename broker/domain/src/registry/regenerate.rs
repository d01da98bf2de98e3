//! `POST /devices/keys/regenerate`: new keys for many identities (service-protocols.md 2.3).

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::HubError;
use crate::auth::SymmetricKeys;
use crate::device::Authentication;
use crate::ids::{DeviceId, IdentityId, ModuleId};
use crate::limits::{BULK_ITEMS_MAX, REGENERATE_JSON_BYTES_MAX};
use crate::registry::import::ItemFault;

/// `policyKey`: which of the two keys. Each has the word of the service client in the `az iot` extension; the short ones of
/// [`PolicyKey::parse`] are those of that tool's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKey {
    /// `primaryKey`: a new primary key.
    Primary,
    /// `secondaryKey`: a new secondary key.
    Secondary,
    /// `both`: two new keys.
    Both,
    /// `swap`: the keys change places, and none is new.
    Swap,
}

impl PolicyKey {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primaryKey",
            Self::Secondary => "secondaryKey",
            Self::Both => "both",
            Self::Swap => "swap",
        }
    }

    /// Reads the word, in any case, with `Key` at its end or without.
    pub fn parse(text: &str) -> Option<Self> {
        let named = |key: &Self| {
            let word = key.as_str();
            let short = word.strip_suffix("Key").unwrap_or(word);
            text.eq_ignore_ascii_case(word) || text.eq_ignore_ascii_case(short)
        };
        [Self::Primary, Self::Secondary, Self::Both, Self::Swap].into_iter().find(named)
    }

    /// The keys of an identity afterwards; `fresh` were made for it. Refused of one that has no keys.
    pub fn rotate(
        self,
        current: &Authentication,
        fresh: &SymmetricKeys,
    ) -> Result<SymmetricKeys, HubError> {
        let Authentication::Sas(SymmetricKeys { primary, secondary }) = current else {
            return Err(HubError::InvalidArgument(format!(
                "authentication is {}, which has no keys",
                current.type_name()
            )));
        };
        let (primary, secondary) = match self {
            Self::Primary => (&fresh.primary, secondary),
            Self::Secondary => (primary, &fresh.secondary),
            Self::Both => (&fresh.primary, &fresh.secondary),
            Self::Swap => (secondary, primary),
        };
        Ok(SymmetricKeys { primary: primary.clone(), secondary: secondary.clone() })
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegenerateRequest {
    /// Which key.
    pub policy_key: PolicyKey,
    /// Of whom; what is wrong with one is its fault alone.
    pub identities: Vec<Result<IdentityId, ItemFault>>,
}

/// New keys of one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatedKeys {
    /// Whose.
    pub identity: IdentityId,
    /// Both, whether new or not.
    pub keys: SymmetricKeys,
}

impl RegenerateRequest {
    /// Reads the body: `policyKey`, and in `devices` 1 to [`BULK_ITEMS_MAX`] of `{id, moduleId}`.
    pub fn parse(body: &[u8]) -> Result<Self, HubError> {
        if body.len() > REGENERATE_JSON_BYTES_MAX {
            let max = REGENERATE_JSON_BYTES_MAX;
            return Err(HubError::MessageTooLarge { size: body.len(), max });
        }
        let wrong = |why: String| HubError::InvalidArgument(why);
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the body is not JSON: {error}")))?;
        let policy_key =
            body["policyKey"].as_str().and_then(PolicyKey::parse).ok_or_else(|| {
                wrong("policyKey is none of primaryKey, secondaryKey, both, swap".into())
            })?;
        let items = body["devices"].as_array().filter(|items| !items.is_empty());
        let items = items.ok_or_else(|| wrong("devices is no list, or empty".into()))?;
        if items.len() > BULK_ITEMS_MAX {
            return Err(HubError::TooManyItems { max: BULK_ITEMS_MAX });
        }
        let mut named = HashSet::new();
        let once = |item: &Value| {
            let identity = identity(item)?;
            match named.insert(identity.clone()) {
                true => Ok(identity),
                // The keys of one answer would not be those of the other.
                false => Err(fault(item, HubError::DefinedTwice(identity.to_string()))),
            }
        };
        Ok(Self { policy_key, identities: items.iter().map(once).collect() })
    }

    /// The answer's body.
    pub fn result_json(&self, rotated: &[RotatedKeys], faults: &[ItemFault]) -> Value {
        let keys = |one: &RotatedKeys| {
            json!({
                "id": one.identity.device.as_str(),
                "moduleId": one.identity.module.as_ref().map(ModuleId::as_str),
                "primaryKey": one.keys.primary,
                "secondaryKey": one.keys.secondary,
            })
        };
        json!({
            "policyKey": self.policy_key.as_str(),
            "rotatedKeys": rotated.iter().map(keys).collect::<Vec<_>>(),
            "errors": faults.iter().map(ItemFault::regenerate_json).collect::<Vec<_>>(),
        })
    }
}

fn identity(item: &Value) -> Result<IdentityId, ItemFault> {
    let read = || -> Result<IdentityId, HubError> {
        let missing = || HubError::Malformed("id is missing".into());
        let device = DeviceId::new(item["id"].as_str().ok_or_else(missing)?)?;
        Ok(match item["moduleId"].as_str().filter(|module| !module.is_empty()) {
            Some(module) => IdentityId::module(device, ModuleId::new(module)?),
            None => device.into(),
        })
    };
    read().map_err(|error| fault(item, error))
}

fn fault(item: &Value, error: HubError) -> ItemFault {
    let named = |name: &str| item[name].as_str().map(str::to_owned);
    ItemFault {
        device: named("id").unwrap_or_default(),
        module: named("moduleId").filter(|module| !module.is_empty()),
        mode: None,
        error,
    }
}
