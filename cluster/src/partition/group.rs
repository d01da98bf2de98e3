//! One Raft group of this node: what comes in, and who leads.
//!
//! [`ready`](super::ready) carries out what Raft asks for, [`apply`](super::apply) runs committed entries.

use std::sync::Arc;

use bytes::Bytes;
use prost11::Message as _;
use raft::eraftpb::{ConfChangeV2, Message, MessageType};
use raft::{Config, RawNode, SnapshotStatus};

use super::apply::Batch;
use super::barriers::Barriers;
use super::config::EngineConfig;
use super::defect::Defects;
use super::error::{NodeError, ProposeError};
use super::leadership::election_seed;
use super::limits::{
    APPEND_BYTES_MAX, APPENDS_INFLIGHT_MAX, APPLY_BYTES_MAX, ELECTION_TICKS_MAX,
    ELECTION_TICKS_MIN, HEARTBEAT_TICKS, SNAPSHOT_ANSWER_TICKS_MAX, TAIL_BYTES_MAX,
    TAIL_KEPT_BYTES, UNCOMMITTED_BYTES_MAX, UNRESOLVED_TICKS_MAX,
};
use super::logger::raft_logger;
use super::membership::{MemberChange, Membership, joint_change};
use super::output::{GroupStatus, Leadership, Output};
use super::persist::Persistence;
use super::proposals::Proposals;
use super::ready::is_contiguous;
use super::record::Applied;
use super::snapshot;
use super::tail::TailStorage;
use crate::machine::{GroupId, NodeId, StateMachine};

/// A membership change in the log, and who waits for it.
pub(super) struct MemberWaiter<D> {
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) reply: D,
}

/// One group.
pub(crate) struct Group<M: StateMachine, P, D> {
    pub(super) id: GroupId,
    pub(super) node: NodeId,
    pub(super) raft: RawNode<TailStorage>,
    pub(super) machine: M,
    pub(super) defects: Defects,
    pub(super) proposals: Proposals<P>,
    pub(super) barriers: Barriers<D>,
    pub(super) member_waiter: Option<MemberWaiter<D>>,
    pub(super) persistence: Persistence,
    /// What the state store holds.
    pub(super) applied: Applied,
    pub(super) members: Arc<Membership>,
    /// Raft handed out committed entries up to here.
    pub(super) committed: u64,
    /// The store had no room for this batch; it is tried again.
    pub(super) stalled: Option<Batch<M::Outcome, P>>,
    /// A snapshot is replacing the state, and that is not durable yet: Raft must not read the log below it, so the
    /// group takes part in nothing meanwhile.
    pub(super) installing: bool,
    /// Deliberate mistake of tests: entries up to here are not applied.
    pub(super) skipped_to: u64,
    pub(super) persisted_just_now: bool,
    /// Snapshots under way: receiver and tick of sending.
    pub(super) snapshots_sent: Vec<(u64, u64)>,
    pub(super) ticks: u64,
    /// Since when entries of a lost leadership are unresolved.
    pub(super) unresolved_since: Option<u64>,
    /// Term in which Raft has this node as the leader.
    pub(super) led_term: Option<u64>,
    /// What was told to the outside.
    pub(super) published: Leadership,
    pub(super) election_seed: u64,
    pub(super) election_term: u64,
    pub(super) election_ticks: usize,
}

impl<M: StateMachine, P, D> Group<M, P, D> {
    pub(crate) fn new(
        id: GroupId,
        config: &EngineConfig,
        machine: M,
        storage: TailStorage,
        applied: Applied,
    ) -> Result<Self, NodeError> {
        let raft_config = Config {
            id: config.node.0,
            applied: applied.index,
            election_tick: ELECTION_TICKS_MIN,
            min_election_tick: ELECTION_TICKS_MIN,
            max_election_tick: ELECTION_TICKS_MAX,
            heartbeat_tick: HEARTBEAT_TICKS,
            max_size_per_msg: APPEND_BYTES_MAX,
            max_inflight_msgs: APPENDS_INFLIGHT_MAX,
            max_uncommitted_size: UNCOMMITTED_BYTES_MAX,
            max_committed_size_per_ready: APPLY_BYTES_MAX,
            check_quorum: true,
            pre_vote: true,
            batch_append: true,
            ..Config::default()
        };
        let raft_error =
            |error: raft::Error| NodeError::Raft { group: id, message: error.to_string() };
        let raft = RawNode::new(&raft_config, storage, &raft_logger()).map_err(raft_error)?;
        let mut group = Self {
            id,
            node: config.node,
            raft,
            machine,
            defects: config.defects,
            proposals: Proposals::default(),
            barriers: Barriers::default(),
            member_waiter: None,
            persistence: Persistence::default(),
            committed: applied.index,
            members: Arc::new(Membership::of(&applied.members)),
            applied,
            stalled: None,
            installing: false,
            skipped_to: 0,
            persisted_just_now: false,
            snapshots_sent: Vec::new(),
            ticks: 0,
            unresolved_since: None,
            led_term: None,
            published: Leadership::default(),
            election_seed: election_seed(config.seed, config.node, id),
            election_term: u64::MAX,
            election_ticks: 0,
        };
        group.pin_election_timeout();
        if group.members.is_alone(config.node) {
            group.raft.campaign().map_err(raft_error)?;
            group.pin_election_timeout();
        }
        Ok(group)
    }

    /// One tick. Time stands still for a group whose snapshot is not durable, and for a lone voter whose log is
    /// not: it would win its own election before its log is on disk, which Raft does not allow.
    pub(crate) fn tick(&mut self, out: &mut Output<M::Outcome, P, D>) {
        self.ticks += 1;
        let alone = self.members.is_alone(self.node);
        if self.installing || (alone && !self.leads() && self.persistence.is_outstanding()) {
            return;
        }
        self.raft.tick();
        self.pin_election_timeout();
        if self.ticks.is_multiple_of(SNAPSHOT_ANSWER_TICKS_MAX) {
            // Whoever needed it is gone or has it; it would only take memory and grow old.
            self.raft.store().offer_snapshot(None);
        }
        let late = |sent: u64| sent + SNAPSHOT_ANSWER_TICKS_MAX <= self.ticks;
        let overdue: Vec<u64> =
            self.snapshots_sent.iter().filter(|(_, sent)| late(*sent)).map(|(to, _)| *to).collect();
        self.snapshots_sent.retain(|(to, _)| !overdue.contains(to));
        for to in overdue {
            self.raft.report_snapshot(to, SnapshotStatus::Failure);
        }
        if self.unresolved_since.is_some_and(|since| since + UNRESOLVED_TICKS_MAX <= self.ticks) {
            self.unresolved_since = None;
            self.proposals
                .give_up(|reply| out.completions.push((reply, Err(ProposeError::OutcomeUnknown))));
        }
    }

    /// One message of another node. What is not for this node, damaged, or has no business coming from outside is
    /// dropped, as a network may drop anything.
    pub(crate) fn step(&mut self, from: NodeId, bytes: &[u8]) {
        let Ok(message) = Message::decode(bytes) else {
            tracing::warn!(group = self.id.0, from = from.0, "message does not decode");
            return;
        };
        if message.from != from.0 || message.to != self.node.0 || self.installing {
            return;
        }
        match message.get_msg_type() {
            // Followers refuse proposals and reads instead of forwarding them.
            MessageType::MsgPropose | MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => {
                return;
            }
            MessageType::MsgSnapshot => {
                if !snapshot::is_sound(self.id, message.get_snapshot()) {
                    tracing::warn!(group = self.id.0, from = from.0, "snapshot is damaged");
                    return;
                }
            }
            MessageType::MsgHup
            | MessageType::MsgBeat
            | MessageType::MsgUnreachable
            | MessageType::MsgSnapStatus
            | MessageType::MsgCheckQuorum => return,
            MessageType::MsgAppend => {
                if !is_contiguous(&message) {
                    tracing::warn!(group = self.id.0, from = from.0, "append with a gap");
                    return;
                }
            }
            MessageType::MsgAppendResponse
            | MessageType::MsgRequestVote
            | MessageType::MsgRequestVoteResponse
            | MessageType::MsgHeartbeat
            | MessageType::MsgHeartbeatResponse
            | MessageType::MsgTransferLeader
            | MessageType::MsgTimeoutNow
            | MessageType::MsgRequestPreVote
            | MessageType::MsgRequestPreVoteResponse => {}
        }
        if let Err(error) = self.raft.step(message) {
            tracing::debug!(group = self.id.0, from = from.0, %error, "message refused");
        }
        self.pin_election_timeout();
    }

    /// Queues a command, or gives its reply back.
    pub(crate) fn propose(&mut self, command: Bytes, reply: P) -> Result<(), (P, ProposeError)> {
        if !self.leads() {
            return Err((reply, self.not_leader()));
        }
        if self.stalled.is_some() {
            return Err((reply, ProposeError::StorageFull));
        }
        self.proposals.push(command, reply)
    }

    pub(crate) fn read_barrier(&mut self, reply: D) -> Result<(), (D, ProposeError)> {
        if !self.leads() {
            return Err((reply, self.not_leader()));
        }
        self.barriers.push(reply)
    }

    /// Asks `to` to lead; nothing happens if it cannot.
    pub(crate) fn transfer_leader(&mut self, to: NodeId) {
        if self.leads() && self.members.voters.contains(&to) {
            self.raft.transfer_leader(to.0);
        }
    }

    /// Proposes a joint change; the leader may not take itself out.
    pub(crate) fn change_membership(
        &mut self,
        changes: &[MemberChange],
        reply: D,
    ) -> Result<(), (D, ProposeError)> {
        if !self.leads() {
            return Err((reply, self.not_leader()));
        }
        let after = self.members.voters_after(changes);
        let busy = self.member_waiter.is_some()
            || self.raft.raft.has_pending_conf()
            || !self.members.outgoing.is_empty()
            || self.raft.raft.lead_transferee.is_some();
        if busy || changes.is_empty() || !after.contains(&self.node) {
            return Err((reply, ProposeError::MembershipBusy));
        }
        if self.raft.propose_conf_change(Vec::new(), joint_change(changes)).is_err() {
            return Err((reply, ProposeError::Busy));
        }
        let (index, term) = (self.raft.raft.raft_log.last_index(), self.raft.raft.term);
        self.member_waiter = Some(MemberWaiter { index, term, reply });
        Ok(())
    }

    /// The disk has no room for commands that were proposed: nobody can say when they take effect, and who waits must not
    /// wait for a disk to be cleaned up.
    pub(super) fn give_up_waiting(&mut self, out: &mut Output<M::Outcome, P, D>) {
        self.proposals.give_up(|reply| {
            out.completions.push((reply, Err(ProposeError::OutcomeUnknown)));
        });
    }

    /// Refuses what waits for its entry, for want of room. Returns the command bytes that left the queue.
    pub(super) fn refuse_queued_for_room(&mut self, out: &mut Output<M::Outcome, P, D>) -> usize {
        self.proposals
            .refuse_queued(|reply| out.completions.push((reply, Err(ProposeError::StorageFull))))
    }

    /// Puts what waits into Raft: one entry of commands, the end of a joint change. Called when no log
    /// write is under way, so that commands gather while the disk works. Returns the command bytes that left the queue.
    pub(super) fn propose_gathered(&mut self, out: &mut Output<M::Outcome, P, D>) -> usize {
        if !self.leads() || self.installing {
            return 0;
        }
        if self.stalled.is_some() {
            return self.refuse_queued_for_room(out);
        }
        let raft = &self.raft.raft;
        let mut taken = 0;
        let room = UNCOMMITTED_BYTES_MAX as usize;
        if self.proposals.queued() > 0
            && raft.lead_transferee.is_none()
            && raft.uncommitted_size() + self.proposals.next_entry_bytes() < room
        {
            let entry = self.proposals.next_entry();
            taken = entry.command_bytes;
            crate::metrics::entry(entry.replies.len());
            match self.raft.propose(Vec::new(), entry.data) {
                Ok(()) => {
                    let raft = &self.raft.raft;
                    let (index, term) = (raft.raft_log.last_index(), raft.term);
                    self.proposals.wait(index, term, entry.replies, |reply| {
                        out.completions.push((reply, Err(ProposeError::OutcomeUnknown)));
                    });
                }
                Err(_) => {
                    let busy = |reply| (reply, Err(ProposeError::Busy));
                    out.completions.extend(entry.replies.into_iter().map(busy));
                }
            }
        }
        if !self.members.outgoing.is_empty()
            && !self.raft.raft.has_pending_conf()
            && self.raft.raft.lead_transferee.is_none()
        {
            // A refusal is not final: the next turn asks again.
            let _ = self.raft.propose_conf_change(Vec::new(), ConfChangeV2::default());
        }
        taken
    }

    /// Asks the quorum for the read barriers that wait. A leader that has not committed anything in its own term
    /// would drop the question, so it is not asked before.
    pub(super) fn ask_barriers(&mut self) {
        if self.barriers.wants_question() && self.leads() && self.raft.raft.commit_to_current_term()
        {
            let question = self.barriers.ask();
            self.raft.read_index(question);
        }
    }

    /// Ends everything that waits, because the node stops.
    pub(crate) fn refuse_all(&mut self, out: &mut Output<M::Outcome, P, D>) {
        let stopped = Err(ProposeError::Stopped);
        self.proposals
            .refuse_queued(|reply| out.completions.push((reply, Err(ProposeError::Stopped))));
        self.proposals.give_up(|reply| out.completions.push((reply, Err(ProposeError::Stopped))));
        self.barriers.refuse_all(|reply| out.done.push((reply, stopped)));
        if let Some(waiter) = self.member_waiter.take() {
            out.done.push((waiter.reply, stopped));
        }
    }

    pub(super) fn note_snapshot_sent(&mut self, to: u64) {
        self.snapshots_sent.retain(|(receiver, _)| *receiver != to);
        self.snapshots_sent.push((to, self.ticks));
    }

    /// Lets go of entries in memory that are durable and applied.
    pub(super) fn trim_tail(&mut self) {
        let durable = self.raft.raft.raft_log.persisted;
        let applied = self.applied.index;
        let keep = if self.members.has_peers(self.node) { TAIL_KEPT_BYTES } else { 0 };
        let storage = self.raft.mut_store();
        storage.trim(durable.min(applied), keep);
        if storage.tail_bytes() > TAIL_BYTES_MAX {
            storage.trim(durable, TAIL_BYTES_MAX);
        }
    }

    pub(crate) fn status(&self) -> GroupStatus {
        let log = &self.raft.raft.raft_log;
        GroupStatus {
            leadership: self.published,
            applied: self.applied.index,
            committed: log.committed,
            first_index: self.raft.store().start().index + 1,
            last_index: log.last_index(),
            members: Arc::clone(&self.members),
            queued: self.proposals.queued(),
            stalled: self.stalled.is_some(),
        }
    }
}
