//! What can go wrong with a proposal, and what stops a node.

use crate::log::LogError;
use crate::machine::{GroupId, NodeId};
use crate::storage::StorageError;

/// Why a proposal, read barrier or membership change was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// A queue is full; try again after others were answered. Nothing was proposed.
    #[error("the partition's queue is full")]
    Busy,
    /// Another node leads the group, or nobody does. Nothing was proposed.
    #[error("this node does not lead the partition")]
    NotLeader {
        /// The leader, if one is known.
        leader: Option<NodeId>,
    },
    /// The disk is full, or nearly. Nothing was proposed.
    #[error("the disk is full")]
    StorageFull,
    /// The command is larger than `max` bytes. Nothing was proposed.
    #[error("command of {bytes} bytes is larger than {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Another leader's entry took this one's place: it was not and never will be applied.
    #[error("the command was dropped by a change of leader")]
    Dropped,
    /// Leadership was lost while the command was on its way: it may or may not be applied later.
    #[error("leadership was lost, the command may or may not take effect")]
    OutcomeUnknown,
    /// This node holds no replica of the group.
    #[error("this node has no such partition")]
    UnknownGroup,
    /// A membership change is already going on.
    #[error("a membership change is already going on")]
    MembershipBusy,
    /// The node stops or has stopped; a command that was on its way may or may not take effect.
    #[error("the node is stopping")]
    Stopped,
}

impl ProposeError {
    /// A short constant name, for metric labels.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NotLeader { .. } => "not_leader",
            Self::StorageFull => "storage_full",
            Self::TooLarge { .. } => "too_large",
            Self::Dropped => "dropped",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::UnknownGroup => "unknown_group",
            Self::MembershipBusy => "membership_busy",
            Self::Stopped => "stopped",
        }
    }
}

/// Why a node cannot start or go on. Whoever runs the node must end the process with this message.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The log failed or is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state store failed or is damaged.
    #[error("partition {}: {source}", group.0)]
    Storage {
        /// The group whose state was read or written.
        group: GroupId,
        /// What happened.
        source: StorageError,
    },
    /// What is stored for a group contradicts itself.
    #[error("partition {}: {what}", group.0)]
    Inconsistent {
        /// The group.
        group: GroupId,
        /// The contradiction.
        what: String,
    },
    /// The Raft library refused its configuration or the stored state.
    #[error("partition {}: raft: {message}", group.0)]
    Raft {
        /// The group.
        group: GroupId,
        /// The library's words.
        message: String,
    },
    /// A thread of the node could not be started or ended by a panic.
    #[error("{thread} thread: {message}")]
    Thread {
        /// Which one.
        thread: &'static str,
        /// What happened.
        message: String,
    },
}

impl NodeError {
    pub(crate) fn storage(group: GroupId) -> impl FnOnce(StorageError) -> Self {
        move |source| Self::Storage { group, source }
    }

    pub(crate) fn inconsistent(group: GroupId, what: impl Into<String>) -> Self {
        Self::Inconsistent { group, what: what.into() }
    }
}
