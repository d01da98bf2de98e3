//! What the engine wants done, and what it tells.

use std::sync::Arc;

use super::error::ProposeError;
use super::membership::Membership;
use crate::log::LogWrite;
use crate::machine::{GroupId, NodeId};

/// Names one log write between [`Output::write`] and the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteToken(pub u64);

/// One log write to carry out. Only one is under way at a time.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    /// Given back with the answer.
    pub token: WriteToken,
    /// A snapshot was installed: the state store must be flushed before the log is written.
    pub flush_state_first: bool,
    /// What to write.
    pub write: Arc<LogWrite>,
}

/// Who leads a group, as one node sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The leader, if one is known.
    pub leader: Option<NodeId>,
    /// The newest term this node knows.
    pub term: u64,
    /// This node leads, and has applied everything that earlier leaders acknowledged.
    pub leading: bool,
}

/// Figures of one group on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupStatus {
    /// Who leads.
    pub leadership: Leadership,
    /// Highest applied index.
    pub applied: u64,
    /// Highest index known to be committed.
    pub committed: u64,
    /// First index that is in the log.
    pub first_index: u64,
    /// Last index that is in the log, durable or not.
    pub last_index: u64,
    /// Who the replicas are.
    pub members: Arc<Membership>,
    /// Commands that wait for their entry.
    pub queued: usize,
    /// The state store has no room: committed entries wait to be applied.
    pub stalled: bool,
}

/// One message to another node; opaque to whoever carries it. It may be lost, delayed, doubled or overtaken.
pub type PeerMessage = (NodeId, GroupId, Vec<u8>);

/// Everything one [`poll`](super::Engine::poll) produced.
///
/// Order of work: start `write`, send `messages`, hand out the answers. Nothing in `messages` depends on `write`: what must
/// wait for the disk is held back by the engine.
#[derive(Debug)]
pub struct Output<O, P, D> {
    /// Messages to other nodes.
    pub messages: Vec<PeerMessage>,
    /// A log write to start; answer with `persisted` or `write_refused`.
    pub write: Option<WriteRequest>,
    /// Flush the state store in the background and answer with `flushed`.
    pub flush: bool,
    /// Log prefixes that are needed no more, for `LogStore::compact`.
    pub compact: Vec<(GroupId, u64)>,
    /// Answers to proposals.
    pub completions: Vec<(P, Result<O, ProposeError>)>,
    /// Answers to read barriers and membership changes.
    pub done: Vec<(D, Result<(), ProposeError>)>,
    /// Groups whose leadership changed.
    pub leadership: Vec<(GroupId, Leadership)>,
    /// Apply rounds in this output.
    pub applied: usize,
    /// There is more to do at once: poll again after this output is under way.
    pub more: bool,
}

impl<O, P, D> Default for Output<O, P, D> {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            write: None,
            flush: false,
            compact: Vec::new(),
            completions: Vec::new(),
            done: Vec::new(),
            leadership: Vec::new(),
            applied: 0,
            more: false,
        }
    }
}
