//! The seam between what is replicated (this crate) and what it means (the hub).

use bytes::Bytes;

use crate::storage::{StateStore, StateTx, StorageError};

/// One Raft group of a hub. Group 0 is the system partition; 1.. are the device partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u32);

/// A member of the cluster; 1.. (raft-rs reserves 0 for "nobody").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

/// Where in the log the entry being applied stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplyContext {
    /// The group.
    pub group: GroupId,
    /// The entry's log index.
    pub index: u64,
    /// The entry's term.
    pub term: u64,
}

/// What one partition replicates.
///
/// `apply` is deterministic: it reads nothing but its arguments and the transaction. Time, random ids and tokens
/// are in the commands, put there by whoever proposed them. The same commands at the same indexes give byte-equal
/// state on every replica.
pub trait StateMachine: Send + 'static {
    /// The answer to one command, handed to the proposer on the node where it was proposed.
    type Outcome: Send + 'static;

    /// Applies the commands of one committed entry, in order; exactly one outcome per command.
    ///
    /// All writes go through `tx`, whose keys must start with [`StateTx::prefix`] of the group; the engine commits them in one
    /// atomic write with the applied index. An error here means the state cannot be read or written and stops the
    /// group; a command that breaks a rule is an ordinary outcome.
    fn apply(
        &mut self,
        context: ApplyContext,
        commands: &[Bytes],
        tx: &mut StateTx<'_>,
    ) -> Result<Vec<Self::Outcome>, StorageError>;

    /// Called after the transaction was written to the store: publish watermarks, drop caches.
    fn committed(&mut self) {}

    /// Reads cached state anew from the store, at start and after a snapshot replaced the group's state.
    fn reload(&mut self, group: GroupId, store: &dyn StateStore) -> Result<(), StorageError>;

    /// Leadership of the group changed on this node. `Some(term)` while this node leads.
    fn leadership(&mut self, _leading: Option<u64>) {}
}
