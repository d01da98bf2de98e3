//! Carries out what Raft asks for, in its order.

use prost11::Message as _;
use raft::eraftpb::{Message, MessageType};

use super::defect::Defect;
use super::error::NodeError;
use super::group::Group;
use super::output::Output;
use super::tail::from_raft;
use crate::log::{GroupWrite, HardState, LogEntry, LogStart};
use crate::machine::{NodeId, StateMachine};
use crate::storage::StateStore;

impl<M: StateMachine, P, D> Group<M, P, D> {
    /// Handles every ready that Raft has. Between `ready` and `advance_append_async` nothing else touches Raft.
    pub(super) fn handle_readies(
        &mut self,
        store: &dyn StateStore,
        out: &mut Output<M::Outcome, P, D>,
    ) -> Result<(), NodeError> {
        while self.raft.has_ready() {
            let mut ready = self.raft.ready();
            let number = ready.number();
            let must_sync = ready.must_sync();

            // 1. A leader's messages travel while its own disk writes.
            self.send(ready.take_messages(), out);

            // 2. A snapshot replaces state and log; it is durable before step 5's messages leave.
            if !ready.snapshot().is_empty() {
                let metadata = ready.snapshot().get_metadata();
                let start = LogStart { index: metadata.index, term: metadata.term };
                self.raft.mut_store().reset(start);
                self.persistence.reset(start);
                self.install(ready.snapshot(), store, out)?;
            }

            // 3. Entries are readable at once, and on disk when the write returns.
            let entries: Vec<LogEntry> = ready.take_entries().into_iter().map(from_raft).collect();
            self.raft.mut_store().append(&entries);
            self.persistence.append(entries);

            // 4. Vote and term go with the entries; a commit index alone needs no sync.
            if let Some(hard_state) = ready.hs() {
                self.persistence.hard_state(HardState {
                    term: hard_state.term,
                    vote: hard_state.vote,
                    commit: hard_state.commit,
                });
            }
            self.persistence.note_ready(number);
            if must_sync {
                self.persistence.must_sync();
            }

            // 5. Votes and acknowledgements leave when all of the above is durable.
            let free = self.persistence.hold(ready.take_persisted_messages());
            self.send(free, out);

            // 6. Committed entries are applied from the log later; only their end is noted.
            if let Some(last) = ready.take_committed_entries().last() {
                if self.persisted_just_now
                    && self.defects.has(Defect::DropAfterPersist)
                    && (last.index + self.node.0).is_multiple_of(5)
                {
                    self.skipped_to = last.index;
                }
                self.committed = self.committed.max(last.index);
            }
            self.persisted_just_now = false;

            // 7. Confirmed reads wait for their index to be applied.
            for read in ready.take_read_states() {
                self.barriers.confirm(&read.request_ctx, read.index);
            }
            self.barriers.applied(self.applied.index, |reply| out.done.push((reply, Ok(()))));

            // 8. There is no light ready on this path: what a finished write makes possible comes with the next ready.
            self.raft.advance_append_async(ready);
            if !self.persistence.is_outstanding() {
                self.raft.on_persist_ready(number);
            }
        }
        Ok(())
    }

    /// What this group wants in the next log write, if it needs one. Waits for a snapshot whose state has no room.
    pub(super) fn begin_write(&mut self) -> Option<GroupWrite> {
        let blocked = self.installing && self.stalled.is_some();
        (self.persistence.wants_write() && !blocked).then(|| self.persistence.begin())
    }

    /// The log write is durable.
    pub(super) fn finish_write(&mut self, out: &mut Output<M::Outcome, P, D>) {
        let Some(written) = self.persistence.finish() else { return };
        self.raft.on_persist_ready(written.ready);
        if written.installs {
            self.installing = false;
        }
        self.persisted_just_now = true;
        self.send(written.messages, out);
        self.tell_applied();
    }

    /// Tells Raft how far entries are applied, as far as it can hear it: a snapshot's index not before it is durable.
    pub(super) fn tell_applied(&mut self) {
        let log = &self.raft.raft.raft_log;
        let known = self.applied.index.min(log.persisted).min(log.committed);
        if known > log.applied {
            self.raft.advance_apply_to(known);
        }
    }

    fn send(&mut self, messages: Vec<Message>, out: &mut Output<M::Outcome, P, D>) {
        for mut message in messages {
            if message.get_msg_type() == MessageType::MsgSnapshot {
                self.note_snapshot_sent(message.to);
                self.raft.store().offer_snapshot(None);
            }
            if !self.joins_up(&mut message) {
                continue;
            }
            out.messages.push((NodeId(message.to), self.id, message.encode_to_vec()));
        }
    }

    /// Makes the entries of an append follow the position that it names; `false` if that cannot be done.
    ///
    /// With `batch_append` raft 0.7.0 adds entries to an append without entries that is still unsent, and does not
    /// look whether they follow: after a rejection in the same turn they may begin before it. The receiver would skip
    /// the entries that it has and acknowledge one that it has not. (Found by the simulator: seed 3 of its first runs.)
    fn joins_up(&self, message: &mut Message) -> bool {
        let Some(first) = message.entries.first().map(|entry| entry.index) else { return true };
        if message.get_msg_type() != MessageType::MsgAppend || first == message.index + 1 {
            return true;
        }
        match self.raft.raft.raft_log.term(first - 1) {
            Ok(term) if term > 0 => {
                message.index = first - 1;
                message.log_term = term;
                true
            }
            // Compacted meanwhile. A lost message is made good by the next heartbeat.
            Ok(_) | Err(_) => false,
        }
    }
}

/// Whether the entries of a message follow each other and the position that it names.
pub(super) fn is_contiguous(message: &Message) -> bool {
    let mut last = message.index;
    message.entries.iter().all(|entry| {
        let follows = last.checked_add(1) == Some(entry.index);
        last = entry.index;
        follows
    })
}

#[cfg(test)]
mod tests {
    use raft::eraftpb::Entry;

    use super::*;

    #[test]
    fn append_whose_entries_do_not_follow_its_position_is_noticed() {
        let check = |position, indexes: &[u64], expected| {
            let entry = |index: &u64| Entry { index: *index, ..Entry::default() };
            let entries = indexes.iter().map(entry).collect();
            let message = Message { index: position, entries, ..Message::default() };
            assert_eq!(is_contiguous(&message), expected, "{position} {indexes:?}");
        };
        check(73, &[], true);
        check(73, &[74, 75], true);
        check(73, &[73], false);
        check(73, &[75], false);
        check(73, &[74, 76], false);
        check(u64::MAX, &[0], false);
    }
}
