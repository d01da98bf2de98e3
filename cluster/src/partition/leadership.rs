//! Who leads a group, what that means for those who wait, and when a follower loses patience.

use raft::StateRole;

use super::error::ProposeError;
use super::group::Group;
use super::limits::{ELECTION_TICKS_MAX, ELECTION_TICKS_MIN};
use super::output::{Leadership, Output};
use crate::machine::{GroupId, NodeId, StateMachine};

impl<M: StateMachine, P, D> Group<M, P, D> {
    pub(crate) fn leads(&self) -> bool {
        self.raft.raft.state == StateRole::Leader
    }

    pub(super) fn not_leader(&self) -> ProposeError {
        ProposeError::NotLeader { leader: self.leader() }
    }

    fn leader(&self) -> Option<NodeId> {
        Some(self.raft.raft.leader_id).filter(|id| *id != 0).map(NodeId)
    }

    /// Notices that leadership came or went, and answers who cannot be served here any more. Returns the command bytes
    /// that left the queue.
    pub(super) fn observe_leadership(&mut self, out: &mut Output<M::Outcome, P, D>) -> usize {
        let mut dropped = 0;
        let term = self.raft.raft.term;
        let led = self.leads().then_some(term);
        if led != self.led_term {
            if self.led_term.is_some() {
                let refused = self.not_leader();
                dropped = self
                    .proposals
                    .refuse_queued(|reply| out.completions.push((reply, Err(refused))));
                self.barriers.refuse_all(|reply| out.done.push((reply, Err(refused))));
                if let Some(waiter) = self.member_waiter.take() {
                    out.done.push((waiter.reply, Err(ProposeError::OutcomeUnknown)));
                }
                self.unresolved_since = self.proposals.has_waiters().then_some(self.ticks);
                self.snapshots_sent.clear();
            }
            if led.is_some() {
                self.unresolved_since = None;
            }
            self.led_term = led;
        }
        let leading = led.is_some() && self.applied.term == term;
        let now = Leadership { leader: self.leader(), term, leading };
        if now != self.published {
            let before = self.published.leading.then_some(self.published.term);
            self.published = now;
            let after = leading.then_some(term);
            if before != after {
                self.machine.leadership(after);
            }
            out.leadership.push((self.id, now));
        }
        dropped
    }

    /// Raft draws its election timeouts from a random source of its own; this puts one in place that depends on
    /// the seed, the group, the node and the term only, and so differs between nodes and from election to election.
    pub(super) fn pin_election_timeout(&mut self) {
        let term = self.raft.raft.term;
        if term != self.election_term {
            let span = (ELECTION_TICKS_MAX - ELECTION_TICKS_MIN) as u64;
            self.election_term = term;
            self.election_ticks =
                ELECTION_TICKS_MIN + (mix(self.election_seed.wrapping_add(term)) % span) as usize;
        }
        if self.raft.raft.randomized_election_timeout() != self.election_ticks {
            self.raft.raft.set_randomized_election_timeout(self.election_ticks);
        }
    }
}

/// Where a group's election timeouts on one node come from.
pub(super) fn election_seed(seed: u64, node: NodeId, group: GroupId) -> u64 {
    mix(seed ^ mix(node.0) ^ (u64::from(group.0) << 32))
}

/// Spreads the bits of a number (the finaliser of splitmix64).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
