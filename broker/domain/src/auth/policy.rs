//! Shared access policies: named key pairs of the hub with permissions (service-protocols.md 1.1).

use std::fmt;

use crate::HubError;
use crate::auth::permission::Permissions;
use crate::auth::symmetric_keys::SymmetricKeys;
use crate::limits::POLICY_NAME_CHARS_MAX;

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

impl Policy {
    /// The policy that may do everything.
    pub const OWNER: &'static str = "iothubowner";

    /// Whether a hub may have it: a name of 1 to 64 letters, digits and `- . _`, some permission, and two keys of a good
    /// size (service-protocols.md 1.1).
    pub fn validate(&self) -> Result<(), HubError> {
        let name_is_good = (1..=POLICY_NAME_CHARS_MAX).contains(&self.name.len())
            && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if !name_is_good {
            return Err(HubError::InvalidArgument(format!(
                "a policy's name has 1 to {POLICY_NAME_CHARS_MAX} letters, digits and - . _"
            )));
        }
        if self.permissions == Permissions::NONE {
            return Err(HubError::InvalidArgument("a policy needs a permission".into()));
        }
        if self.name == Self::OWNER && self.permissions != Permissions::ALL {
            return Err(HubError::InvalidArgument(format!(
                "the policy {:?} keeps all permissions",
                Self::OWNER
            )));
        }
        self.keys.validate()
    }
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

    /// Adds a policy, or puts it in the place of the one with its name.
    pub fn put(&mut self, policy: Policy) {
        match self.0.iter_mut().find(|known| known.name == policy.name) {
            Some(known) => *known = policy,
            None => self.0.push(policy),
        }
    }

    /// Removes the policy of that name; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|policy| policy.name != name);
        self.0.len() < before
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter()
    }
}
