//! Hands notices to services: one queue of feedback and one of file notifications, each over all partitions, with locks
//! (service-protocols.md 3.5, 3.6).
//!
//! The notices are records of their partitions; who holds which is known here only, so after a restart they are delivered
//! again. What a service completes is removed from its partition before the service is told.

use std::collections::HashMap;
use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::limits::FEEDBACK_BATCH_MAX;
use ironhub_domain::notice::NoticeKind;
use ironhub_domain::partition::Command;
use ironhub_domain::time::UnixMs;
use parking_lot::Mutex;

use super::notice_queue::{Item, NoticeBatch, NoticeSettings, Queue};
use crate::actor::Owner;
use crate::partition::records;

/// Notices read ahead of one partition.
const READ_AHEAD_MAX: usize = 256;

/// See the module.
pub struct NoticeDesk {
    owners: Vec<Arc<Owner>>,
    feedback: Mutex<Queue>,
    file_uploads: Mutex<Queue>,
}

impl NoticeDesk {
    pub(crate) fn new(
        owners: Vec<Arc<Owner>>,
        feedback: NoticeSettings,
        file_uploads: NoticeSettings,
    ) -> Self {
        let partitions = owners.len();
        let queue = |kind, settings| Mutex::new(Queue::new(kind, settings, partitions));
        Self {
            feedback: queue(NoticeKind::Feedback, feedback),
            file_uploads: queue(NoticeKind::FileUpload, file_uploads),
            owners,
        }
    }

    /// The next batch, locked for the caller; `None` if there is nothing, or not yet. Reads the disk, a little.
    pub fn take(&self, kind: NoticeKind, now: UnixMs) -> Option<NoticeBatch> {
        let mut queue = self.queue(kind).lock();
        let mut ended = queue.tidy(now);
        if queue.ready.len() < FEEDBACK_BATCH_MAX {
            self.read_ahead(&mut queue);
            ended.extend(queue.tidy(now));
        }
        // A device that was deleted meanwhile took its feedback along.
        let is_there = |item: &Item| self.is_there(kind, item);
        let batch = queue.next(is_there, LockToken(rand::random()), now);
        drop(queue);
        self.forget(kind, ended);
        batch
    }

    /// Settles a batch: complete and reject remove its notices for good, abandon gives them back. `LockLost` if the batch
    /// is not held by that lock (any more).
    pub async fn settle(
        &self,
        kind: NoticeKind,
        lock: LockToken,
        how: Settlement,
        now: UnixMs,
    ) -> Result<(), HubError> {
        let held = self.queue(kind).lock().held.remove(&lock).ok_or(HubError::LockLost)?;
        let (items, lapsed) = (held.items, held.until <= now);
        if lapsed || how == Settlement::Abandon {
            let ended = self.queue(kind).lock().give_back(items, true);
            self.forget(kind, ended);
            return if lapsed { Err(HubError::LockLost) } else { Ok(()) };
        }
        if let Err(error) = self.remove(kind, &items).await {
            // What was removed already is found missing before it is delivered again.
            self.queue(kind).lock().give_back(items, false);
            return Err(error);
        }
        Ok(())
    }

    /// Gives a batch back at once, without counting: its receiver is gone.
    pub fn release(&self, kind: NoticeKind, lock: LockToken) {
        let mut queue = self.queue(kind).lock();
        if let Some(held) = queue.held.remove(&lock) {
            queue.give_back(held.items, false);
        }
    }

    fn queue(&self, kind: NoticeKind) -> &Mutex<Queue> {
        match kind {
            NoticeKind::Feedback => &self.feedback,
            NoticeKind::FileUpload => &self.file_uploads,
        }
    }

    fn read_ahead(&self, queue: &mut Queue) {
        for (partition, owner) in self.owners.iter().enumerate() {
            if !owner.partition().is_led() {
                continue;
            }
            let (group, from) = (owner.partition().group(), queue.cursors[partition]);
            match records::notices(owner.store(), group, queue.kind, from, READ_AHEAD_MAX) {
                Ok(found) => {
                    for (sequence, notice) in found {
                        queue.cursors[partition] = sequence + 1;
                        queue.ready.push_back(Item { partition, sequence, deliveries: 0, notice });
                    }
                }
                Err(error) => tracing::error!(group = group.0, %error, "notices cannot be read"),
            }
        }
    }

    fn is_there(&self, kind: NoticeKind, item: &Item) -> bool {
        let owner = &self.owners[item.partition];
        let found =
            records::notices(owner.store(), owner.partition().group(), kind, item.sequence, 1);
        found.is_ok_and(|found| found.first().is_some_and(|(number, _)| *number == item.sequence))
    }

    async fn remove(&self, kind: NoticeKind, items: &[Item]) -> Result<(), HubError> {
        for (partition, owner) in self.owners.iter().enumerate() {
            let sequences: Vec<u64> = items
                .iter()
                .filter(|item| item.partition == partition)
                .map(|item| item.sequence)
                .collect();
            if !sequences.is_empty() {
                owner.partition().change(&Command::DropNotices { kind, sequences }).await?;
            }
        }
        Ok(())
    }

    /// Removes what ended by itself; what cannot be removed now is read again after the next start, and ends again.
    fn forget(&self, kind: NoticeKind, ended: Vec<Item>) {
        if ended.is_empty() {
            return;
        }
        let mut by_partition: HashMap<usize, Vec<u64>> = HashMap::new();
        for item in ended {
            by_partition.entry(item.partition).or_default().push(item.sequence);
        }
        for (partition, sequences) in by_partition {
            let partition = self.owners[partition].partition().clone();
            actix_rt::spawn(async move {
                let command = Command::DropNotices { kind, sequences };
                if let Err(error) = partition.change(&command).await {
                    tracing::debug!(%error, "notices that ended are not removed yet");
                }
            });
        }
    }
}
