//! What the system partition knows of the hub as a whole.

use crate::HubError;
use crate::limits::CONSUMER_GROUP_CHARS_MAX;
use crate::time::UnixMs;

/// What the hub is; decided once, by the node that created it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubInfo {
    /// The hub's name: the first label of its host name.
    pub name: String,
    /// Name of the event hub that consumers attach to.
    pub entity: String,
    /// Number of device partitions.
    pub partitions: u32,
    /// When the hub was created.
    pub created: UnixMs,
}

/// The group that every hub has.
pub const DEFAULT_CONSUMER_GROUP: &str = "$Default";

/// A named view of the event log: receivers of different groups do not disturb each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// Name; case-insensitive.
    pub name: String,
    /// When it was made.
    pub created: UnixMs,
}

impl ConsumerGroup {
    /// Whether the name may be given to a group: 1 to 50 ASCII letters, digits and `. - _`, beginning with a letter or digit.
    pub fn validate(&self) -> Result<(), HubError> {
        let good = self.name.len() <= CONSUMER_GROUP_CHARS_MAX
            && self.name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && self.name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        if good {
            return Ok(());
        }
        Err(HubError::InvalidArgument(format!(
            "a consumer group's name has 1 to {CONSUMER_GROUP_CHARS_MAX} letters, digits and . - _"
        )))
    }

    /// Whether `name` means this group.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}
