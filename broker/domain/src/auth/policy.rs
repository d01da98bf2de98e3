//! Shared access policies: named key pairs of the hub with permissions (service-protocols.md 1.1).

use std::fmt;

use crate::auth::permission::Permissions;
use crate::auth::symmetric_keys::SymmetricKeys;

/// One policy. Its keys are kept as text because Event Hubs SDKs sign with the text itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    /// Name, as `skn` gives it; case-sensitive.
    pub name: String,
    /// Its two keys, base64 text.
    pub keys: SymmetricKeys,
    /// What a token of this policy allows.
    pub permissions: Permissions,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({:?}, {})", self.name, self.permissions)
    }
}

/// Every policy of the hub, in the order they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySet(Vec<Policy>);

/// The policies of a new hub and what they allow.
pub const DEFAULT_POLICIES: [(&str, Permissions); 5] = [
    ("iothubowner", Permissions::ALL),
    ("service", Permissions::SERVICE_CONNECT),
    ("device", Permissions::DEVICE_CONNECT),
    ("registryRead", Permissions::REGISTRY_READ),
    (
        "registryReadWrite",
        Permissions::from_bits(
            Permissions::REGISTRY_READ.bits() | Permissions::REGISTRY_WRITE.bits(),
        ),
    ),
];

impl PolicySet {
    /// A set of these policies; of two with one name the first counts.
    pub fn new(policies: Vec<Policy>) -> Self {
        Self(policies)
    }

    /// The five policies of a new hub. `new_key` gives a fresh random key as base64 text; it is called twice for each.
    pub fn defaults(mut new_key: impl FnMut() -> String) -> Self {
        let policy = |(name, permissions): (&str, Permissions)| Policy {
            name: name.to_owned(),
            keys: SymmetricKeys { primary: new_key(), secondary: new_key() },
            permissions,
        };
        Self(DEFAULT_POLICIES.into_iter().map(policy).collect())
    }

    /// The policy of that name.
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.0.iter().find(|policy| policy.name == name)
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter()
    }
}
