//! Runs committed entries through the state machine and writes what they change, the applied index with it.

use std::sync::Arc;

use prost11::Message as _;
use raft::eraftpb::{ConfChange, ConfChangeV2, Snapshot};
use raft::{INVALID_ID, StateRole};

use super::batch;
use super::defect::Defect;
use super::error::{NodeError, ProposeError};
use super::group::Group;
use super::limits::APPLY_BYTES_MAX;
use super::membership::Membership;
use super::output::Output;
use super::record::Applied;
use super::snapshot;
use crate::log::{EntryKind, LogEntry};
use crate::machine::{ApplyContext, StateMachine};
use crate::storage::{Change, StateStore, StateTx, StorageError};

/// The changes of some entries, or of a snapshot, with the answers to give once they are written.
pub(crate) struct Batch<O, P> {
    changes: Vec<Change>,
    applied: Applied,
    answers: Vec<(P, Result<O, ProposeError>)>,
    is_snapshot: bool,
    /// Whoever waited was told that there is no room.
    is_told: bool,
}

impl<M: StateMachine, P, D> Group<M, P, D> {
    /// Whether entries wait to be applied.
    pub(super) fn wants_apply(&self) -> bool {
        self.applied.index < self.committed && !self.installing
    }

    /// Applies one round of committed entries. `false` if the store has no room: the changes are kept and tried
    /// again by [`retry_stalled`](Self::retry_stalled).
    pub(super) fn apply_round(
        &mut self,
        store: &dyn StateStore,
        out: &mut Output<M::Outcome, P, D>,
    ) -> Result<bool, NodeError> {
        if self.stalled.is_some() {
            return Ok(false);
        }
        let (low, high) = (self.applied.index + 1, self.committed + 1);
        let entries = self.raft.store().read(low, high, APPLY_BYTES_MAX)?;
        let batch = self.run(&entries, store, out)?;
        self.write(batch, store, out)
    }

    /// Tries again to write what had no room.
    pub(super) fn retry_stalled(
        &mut self,
        store: &dyn StateStore,
        out: &mut Output<M::Outcome, P, D>,
    ) -> Result<(), NodeError> {
        match self.stalled.take() {
            Some(batch) => self.write(batch, store, out).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Replaces the group's state by a snapshot.
    pub(super) fn install(
        &mut self,
        snapshot: &Snapshot,
        store: &dyn StateStore,
        out: &mut Output<M::Outcome, P, D>,
    ) -> Result<(), NodeError> {
        let changes = snapshot::changes(self.id, snapshot)
            .ok_or_else(|| NodeError::inconsistent(self.id, "a checked snapshot is damaged"))?;
        let applied = snapshot::applied(snapshot);
        tracing::info!(group = self.id.0, index = applied.index, "installing a snapshot");
        let mut answers = Vec::new();
        if let Some(batch) = self.stalled.take() {
            // Committed, and part of the snapshot, but their outcomes are not known here.
            let unknown = |(reply, _)| (reply, Err(ProposeError::OutcomeUnknown));
            answers.extend(batch.answers.into_iter().map(unknown));
        }
        self.proposals.give_up_to(applied.index, |reply| {
            answers.push((reply, Err(ProposeError::OutcomeUnknown)))
        });
        self.installing = true;
        self.committed = applied.index;
        let batch = Batch { changes, applied, answers, is_snapshot: true, is_told: false };
        self.write(batch, store, out).map(|_| ())
    }

    fn run(
        &mut self,
        entries: &[LogEntry],
        store: &dyn StateStore,
        out: &mut Output<M::Outcome, P, D>,
    ) -> Result<Batch<M::Outcome, P>, NodeError> {
        let mut tx = StateTx::new(store, self.id);
        let mut answers = Vec::new();
        let mut applied = self.applied.clone();
        for entry in entries {
            if entry.index != applied.index + 1 {
                let what = format!("entry {} follows {} in the log", entry.index, applied.index);
                return Err(NodeError::inconsistent(self.id, what));
            }
            match entry.kind {
                EntryKind::Normal => self.run_commands(entry, &mut tx, &mut answers)?,
                EntryKind::ConfChange | EntryKind::ConfChangeV2 => {
                    self.run_membership(entry, &mut applied, out)?;
                }
            }
            applied.index = entry.index;
            applied.term = entry.term;
        }
        let mut changes = tx.into_changes();
        let recorded = if self.defects.has(Defect::ApplyTwice) { &self.applied } else { &applied };
        changes.push(recorded.put(self.id));
        Ok(Batch { changes, applied, answers, is_snapshot: false, is_told: false })
    }

    fn run_commands(
        &mut self,
        entry: &LogEntry,
        tx: &mut StateTx<'_>,
        answers: &mut Vec<(P, Result<M::Outcome, ProposeError>)>,
    ) -> Result<(), NodeError> {
        let commands = batch::commands(entry.data.clone()).ok_or_else(|| {
            NodeError::inconsistent(self.id, format!("entry {} does not decode", entry.index))
        })?;
        let waiting = self.proposals.applied(entry.index, entry.term, self.defects, |reply| {
            answers.push((reply, Err(ProposeError::Dropped)));
        });
        if commands.is_empty() || entry.index <= self.skipped_to {
            return Ok(());
        }
        let context = ApplyContext { group: self.id, index: entry.index, term: entry.term };
        let outcomes =
            self.machine.apply(context, &commands, tx).map_err(NodeError::storage(self.id))?;
        if outcomes.len() != commands.len() {
            let what = format!(
                "the state machine gave {} outcomes for {} commands of entry {}",
                outcomes.len(),
                commands.len(),
                entry.index
            );
            return Err(NodeError::inconsistent(self.id, what));
        }
        if let Some(replies) = waiting {
            answers.extend(replies.into_iter().zip(outcomes.into_iter().map(Ok)));
        }
        Ok(())
    }

    fn run_membership(
        &mut self,
        entry: &LogEntry,
        applied: &mut Applied,
        out: &mut Output<M::Outcome, P, D>,
    ) -> Result<(), NodeError> {
        let damaged =
            |_| NodeError::inconsistent(self.id, format!("change {} does not decode", entry.index));
        let result = match entry.kind {
            EntryKind::ConfChange => {
                let change = ConfChange::decode(&*entry.data).map_err(damaged)?;
                self.raft.apply_conf_change(&change)
            }
            EntryKind::ConfChangeV2 | EntryKind::Normal => {
                let change = ConfChangeV2::decode(&*entry.data).map_err(damaged)?;
                self.raft.apply_conf_change(&change)
            }
        };
        let answer = match result {
            Ok(mut members) => {
                // Raft keeps sets; stored bytes must not depend on their order.
                for nodes in [
                    &mut members.voters,
                    &mut members.learners,
                    &mut members.voters_outgoing,
                    &mut members.learners_next,
                ] {
                    nodes.sort_unstable();
                }
                self.members = Arc::new(Membership::of(&members));
                applied.members = members;
                Ok(())
            }
            Err(error) => {
                // Every replica has the same configuration here and refuses the same change.
                tracing::warn!(group = self.id.0, index = entry.index, %error, "membership change is void");
                Err(ProposeError::Dropped)
            }
        };
        // Whoever is new would refuse a snapshot that does not know it.
        self.raft.store().offer_snapshot(None);
        let raft = &mut self.raft.raft;
        if raft.state == StateRole::Leader && !raft.promotable() {
            let term = raft.term;
            raft.become_follower(term, INVALID_ID);
            self.pin_election_timeout();
        }
        if let Some(waiter) = self.member_waiter.take() {
            if waiter.index > entry.index {
                self.member_waiter = Some(waiter);
            } else {
                let same = waiter.index == entry.index && waiter.term == entry.term;
                let answer = if same { answer } else { Err(ProposeError::Dropped) };
                out.done.push((waiter.reply, answer));
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        mut batch: Batch<M::Outcome, P>,
        store: &dyn StateStore,
        out: &mut Output<M::Outcome, P, D>,
    ) -> Result<bool, NodeError> {
        match store.write(&batch.changes) {
            Ok(()) => {}
            Err(StorageError::Engine { full: true, message }) => {
                if !std::mem::replace(&mut batch.is_told, true) {
                    tracing::error!(group = self.id.0, %message, "no room for applied state, will try again");
                    let unknown = |(reply, _)| (reply, Err(ProposeError::OutcomeUnknown));
                    out.completions.extend(batch.answers.drain(..).map(unknown));
                    self.give_up_waiting(out);
                }
                self.stalled = Some(batch);
                return Ok(false);
            }
            Err(source @ (StorageError::Engine { .. } | StorageError::Damaged(_))) => {
                return Err(NodeError::Storage { group: self.id, source });
            }
        }
        self.applied = batch.applied;
        if batch.is_snapshot {
            self.members = Arc::new(Membership::of(&self.applied.members));
            self.machine.reload(self.id, store).map_err(NodeError::storage(self.id))?;
        } else {
            self.machine.committed();
        }
        out.completions.extend(batch.answers);
        self.barriers.applied(self.applied.index, |reply| out.done.push((reply, Ok(()))));
        self.tell_applied();
        Ok(true)
    }
}
