//! The queues of notices: rows by number, and for feedback a row by device that leads to it.

use std::ops::ControlFlow;

use ironhub_cluster::storage::StorageError;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::limits::NOTICES_MAX;
use ironhub_domain::notice::{Notice, NoticeKind};

use super::super::encode::{damaged, notice};
use super::super::keys::c2d as keys;
use super::Transaction;

impl Transaction<'_, '_> {
    pub(super) fn append_notice(&mut self, new: &Notice) -> Result<(), StorageError> {
        let kind = new.kind();
        let mut counters = self.notice_counters(kind)?;
        self.tx.put(keys::notice(self.group, kind, counters.next), notice::encode(new));
        if let Notice::Feedback { identity, .. } = new {
            let by_device = keys::feedback_of(self.group, &identity.device, counters.next);
            self.tx.put(by_device, Vec::new());
        }
        counters.next += 1;
        counters.count += 1;
        while counters.count > NOTICES_MAX {
            let Some(oldest) = self.oldest_notice(kind, counters)? else { break };
            self.remove_notice(kind, oldest)?;
            counters.first = oldest + 1;
            counters.count -= 1;
        }
        self.tx.put(keys::notice_counters(self.group, kind), notice::encode_counters(counters));
        Ok(())
    }

    pub(super) fn remove_notices(
        &mut self,
        kind: NoticeKind,
        sequences: &[u64],
    ) -> Result<(), StorageError> {
        let mut counters = self.notice_counters(kind)?;
        let before = counters;
        for sequence in sequences {
            if self.remove_notice(kind, *sequence)? {
                counters.count = counters.count.saturating_sub(1);
            }
        }
        if counters != before {
            // Readers need not pass over what is gone.
            counters.first = self.oldest_notice(kind, counters)?.unwrap_or(counters.next);
            self.tx.put(keys::notice_counters(self.group, kind), notice::encode_counters(counters));
        }
        Ok(())
    }

    pub(super) fn remove_feedback_of(&mut self, device: &DeviceId) -> Result<(), StorageError> {
        let (from, to) = keys::all_feedback_of(self.group, device);
        let mut sequences = Vec::new();
        self.tx.scan(&from, &to, &mut |key, _| {
            sequences.extend(keys::sequence_of(key));
            ControlFlow::Continue(())
        })?;
        self.remove_notices(NoticeKind::Feedback, &sequences)
    }

    fn notice_counters(&self, kind: NoticeKind) -> Result<notice::Counters, StorageError> {
        let counters =
            self.read(&keys::notice_counters(self.group, kind), notice::decode_counters)?;
        Ok(counters.unwrap_or_default())
    }

    fn oldest_notice(
        &self,
        kind: NoticeKind,
        counters: notice::Counters,
    ) -> Result<Option<u64>, StorageError> {
        let from = keys::notice(self.group, kind, counters.first);
        let to = keys::notice(self.group, kind, counters.next);
        let mut oldest = Ok(None);
        self.tx.scan(&from, &to, &mut |key, _| {
            let sequence = keys::sequence_of(key);
            oldest = sequence.map(Some).ok_or_else(|| damaged("key of a notice", "too short"));
            ControlFlow::Break(())
        })?;
        oldest
    }

    /// Whether it was there.
    fn remove_notice(&mut self, kind: NoticeKind, sequence: u64) -> Result<bool, StorageError> {
        let key = keys::notice(self.group, kind, sequence);
        let Some(found) = self.read(&key, notice::decode)? else { return Ok(false) };
        self.tx.delete(key);
        if let Notice::Feedback { identity, .. } = found {
            self.tx.delete(keys::feedback_of(self.group, &identity.device, sequence));
        }
        Ok(true)
    }
}
