//! What only the owner of a hub asks: shared access policies and consumer groups, by short paths of our own and by those of
//! the original's management plane [choice: subscription, resource group and hub may be called anything there, since the
//! hub is the one that is asked].

use super::Operation;
use super::Operation::{ConsumerGroups, Policies};

/// A call about shared access policies (service-protocols.md 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyCall {
    /// All of them.
    List,
    /// One.
    Get,
    /// Create or change one.
    Put,
    /// Remove one.
    Delete,
    /// Give one a new key.
    Regenerate,
}

/// A call about consumer groups (service-protocols.md 4.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupCall {
    /// All of them.
    List,
    /// One.
    Get,
    /// Create one.
    Put,
    /// Remove one; its receivers are detached.
    Delete,
}

const KEYS: &str =
    "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Devices/IotHubs/{}/listkeys";
const KEY: &str = "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Devices/IotHubs/{}/IotHubKeys/{}/listkeys";
const GROUPS: &str = "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Devices/IotHubs/{}/eventHubEndpoints/{}/ConsumerGroups";
const GROUP: &str = "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Devices/IotHubs/{}/eventHubEndpoints/{}/ConsumerGroups/{}";

/// The rows of these paths; as in the main table. The name that is meant is the last id.
pub(super) const TABLE: &[(&str, &str, Operation)] = &[
    ("GET", "policies", Policies(PolicyCall::List)),
    ("GET", "policies/{}", Policies(PolicyCall::Get)),
    ("PUT", "policies/{}", Policies(PolicyCall::Put)),
    ("DELETE", "policies/{}", Policies(PolicyCall::Delete)),
    ("POST", "policies/{}/regenerate", Policies(PolicyCall::Regenerate)),
    ("POST", KEYS, Policies(PolicyCall::List)),
    ("POST", KEY, Policies(PolicyCall::Get)),
    ("GET", "consumerGroups", ConsumerGroups(GroupCall::List)),
    ("GET", "consumerGroups/{}", ConsumerGroups(GroupCall::Get)),
    ("PUT", "consumerGroups/{}", ConsumerGroups(GroupCall::Put)),
    ("DELETE", "consumerGroups/{}", ConsumerGroups(GroupCall::Delete)),
    ("GET", GROUPS, ConsumerGroups(GroupCall::List)),
    ("GET", GROUP, ConsumerGroups(GroupCall::Get)),
    ("PUT", GROUP, ConsumerGroups(GroupCall::Put)),
    ("DELETE", GROUP, ConsumerGroups(GroupCall::Delete)),
];
