//! Whether an identity is connected, and when it was last heard of (service-protocols.md 2.4, 4.10).

use crate::time::UnixMs;

/// What is known of an identity's connection. The partition's leader writes it when a session begins or ends, and, while
/// messages come, now and then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// A session is live, or was when its node died.
    pub connected: bool,
    /// `connectionStateUpdatedTime`; 0 if it never connected.
    pub connection_updated: UnixMs,
    /// `lastActivityTime`: the last message or connect; 0 if there was none.
    pub last_activity: UnixMs,
    /// Grows with every connect and disconnect of an identity, also over its deletion: what orders events of its connection.
    pub sequence: u64,
    /// The model id announced at the last connect.
    pub model_id: Option<String>,
}

impl Presence {
    /// The number of a transition now: later ones are larger, though the clock may go back and the identity be made anew.
    pub fn next_sequence(&self, now: UnixMs) -> u64 {
        // Thousandths of a millisecond: room for transitions within one, until the year 500,000.
        now.0.saturating_mul(1000).max(self.sequence.saturating_add(1))
    }
}
