//! What a group needs beside the write path: snapshots for laggards, and a log that does not grow for ever.

use super::error::NodeError;
use super::group::Group;
use super::snapshot;
use crate::machine::StateMachine;
use crate::storage::StateStore;

impl<M: StateMachine, P, D> Group<M, P, D> {
    /// Whether something waits for the log to be free.
    pub(super) fn has_gathered(&self) -> bool {
        self.proposals.queued() > 0
            || self.persistence.wants_write()
            || !self.members.outgoing.is_empty()
    }

    /// Whether nobody waits for anything here.
    pub(super) fn is_idle(&self) -> bool {
        self.proposals.queued() == 0 && !self.proposals.has_waiters() && !self.wants_apply()
    }

    /// Builds the snapshot that Raft asked for, from what is applied.
    pub(super) fn build_snapshot(
        &mut self,
        store: &dyn StateStore,
        bytes_max: usize,
    ) -> Result<(), NodeError> {
        if self.stalled.is_some() || self.installing {
            return Ok(());
        }
        match snapshot::build(self.id, &self.applied, store, bytes_max) {
            Ok(snapshot) => self.raft.store().offer_snapshot(Some(snapshot)),
            Err(snapshot::BuildError::Storage(source)) => {
                return Err(NodeError::Storage { group: self.id, source });
            }
            Err(error @ snapshot::BuildError::TooLarge { .. }) => {
                tracing::error!(group = self.id.0, %error, "cannot bring in a replica");
            }
        }
        Ok(())
    }

    /// Lets Raft forget entries behind flushed state; returns the index up to which the log may forget them too.
    pub(super) fn compact(
        &mut self,
        flushed: u64,
        laggard_entries_kept: u64,
    ) -> Result<Option<u64>, NodeError> {
        let mut index = flushed.min(self.raft.raft.raft_log.applied);
        if self.members.has_peers(self.node) {
            let lagging = index.saturating_sub(laggard_entries_kept);
            let slowest = if self.leads() {
                self.raft.raft.prs().iter().map(|(_, progress)| progress.matched).min()
            } else {
                None
            };
            index = index.min(slowest.unwrap_or(0).max(lagging));
        }
        if self.installing || index <= self.raft.store().start().index {
            return Ok(None);
        }
        self.raft.mut_store().compact(index)?;
        Ok(Some(index))
    }
}
