//! Hands notices to services: one queue of feedback and one of file notifications, each over all partitions, with locks
//! (service-protocols.md 3.5, 3.6).
//!
//! The notices are records of their partitions; who holds which is known here only, so after a restart they are delivered
//! again. What a service completes is removed from its partition before the service is told.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::limits::FEEDBACK_BATCH_MAX;
use ironhub_domain::notice::{Notice, NoticeKind};
use ironhub_domain::partition::Command;
use ironhub_domain::time::UnixMs;
use parking_lot::Mutex;

use crate::actor::Owner;
use crate::partition::records;

/// How long feedback waits for more of it, counted from the last batch (device-protocols.md 6.2).
const FEEDBACK_WAIT: Duration = Duration::from_secs(15);
/// Notices read ahead of one partition.
const READ_AHEAD_MAX: usize = 256;
/// Batches of one kind that services hold locked at a time.
const LOCKED_MAX: usize = 10_000;

/// The limits of one kind of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeSettings {
    /// A notice older than this is dropped: 1 minute to 48 hours.
    pub ttl: Duration,
    /// How long a service may hold a batch: 5 to 300 seconds.
    pub lock: Duration,
    /// A notice that was given back this often is dropped: 1 to 100.
    pub deliveries_max: u32,
}

impl NoticeSettings {
    /// The original's values for feedback (device-protocols.md 6.2).
    pub const FEEDBACK: Self =
        Self { ttl: Duration::from_secs(3600), lock: Duration::from_secs(60), deliveries_max: 10 };
    /// The original's values for file notifications (device-protocols.md 5.3).
    pub const FILE_UPLOAD: Self = Self { deliveries_max: 100, ..Self::FEEDBACK };
}

/// Notices that go to a service together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeBatch {
    /// Names the delivery.
    pub lock: LockToken,
    /// How often it was given back before.
    pub delivery_count: u32,
    /// At most 64 of feedback; one file notification.
    pub notices: Vec<Notice>,
}

#[derive(Clone, Debug)]
struct Item {
    partition: usize,
    sequence: u64,
    deliveries: u32,
    notice: Notice,
}

struct Held {
    until: UnixMs,
    items: Vec<Item>,
}

/// One kind over all partitions.
struct Queue {
    kind: NoticeKind,
    settings: NoticeSettings,
    ready: VecDeque<Item>,
    /// For each partition, the first number that was not read.
    cursors: Vec<u64>,
    held: HashMap<LockToken, Held>,
    /// When the last batch left.
    flushed: UnixMs,
}

impl Queue {
    fn new(kind: NoticeKind, settings: NoticeSettings, partitions: usize) -> Self {
        Self {
            kind,
            settings,
            ready: VecDeque::new(),
            cursors: vec![0; partitions],
            held: HashMap::new(),
            flushed: UnixMs::default(),
        }
    }

    /// Gives items back to the front of the queue; those whose deliveries are used up come out.
    fn give_back(&mut self, mut items: Vec<Item>, counted: bool) -> Vec<Item> {
        items.iter_mut().for_each(|item| item.deliveries += u32::from(counted));
        let max = self.settings.deliveries_max;
        let (ended, items): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.deliveries >= max);
        items.into_iter().rev().for_each(|item| self.ready.push_front(item));
        ended
    }

    /// What lapsed goes back; what is too old, or came back too often, comes out.
    fn tidy(&mut self, now: UnixMs) -> Vec<Item> {
        let lapsed: Vec<LockToken> =
            self.held.iter().filter(|(_, held)| held.until <= now).map(|(lock, _)| *lock).collect();
        let mut ended = Vec::new();
        for lock in lapsed {
            if let Some(held) = self.held.remove(&lock) {
                ended.extend(self.give_back(held.items, true));
            }
        }
        let ttl = u64::try_from(self.settings.ttl.as_millis()).unwrap_or(u64::MAX);
        let old = |item: &Item| item.notice.at().0.saturating_add(ttl) <= now.0;
        if self.ready.iter().any(old) {
            let (too_old, fresh): (VecDeque<_>, VecDeque<_>) = self.ready.drain(..).partition(old);
            self.ready = fresh;
            ended.extend(too_old);
        }
        ended
    }

    /// The next batch, if it is time for one.
    fn batch(&mut self, now: UnixMs) -> Option<Vec<Item>> {
        let max = match self.kind {
            NoticeKind::Feedback => FEEDBACK_BATCH_MAX,
            NoticeKind::FileUpload => 1,
        };
        let wait = match self.kind {
            NoticeKind::Feedback => FEEDBACK_WAIT.as_millis() as u64,
            NoticeKind::FileUpload => 0,
        };
        let due = self.ready.len() >= max || self.flushed.0.saturating_add(wait) <= now.0;
        if self.ready.is_empty() || !due || self.held.len() >= LOCKED_MAX {
            return None;
        }
        Some(self.ready.drain(..max.min(self.ready.len())).collect())
    }

    /// The next batch of what `is_there` still, held for the caller.
    fn next(
        &mut self,
        is_there: impl Fn(&Item) -> bool,
        lock: LockToken,
        now: UnixMs,
    ) -> Option<NoticeBatch> {
        loop {
            let mut items = self.batch(now)?;
            items.retain(&is_there);
            // A batch that is gone as a whole is none: nobody is to wait for the next one because of it.
            if !items.is_empty() {
                return Some(self.hold(items, lock, now));
            }
        }
    }

    fn hold(&mut self, items: Vec<Item>, lock: LockToken, now: UnixMs) -> NoticeBatch {
        let delivery_count = items.iter().map(|item| item.deliveries).max().unwrap_or_default();
        let notices = items.iter().map(|item| item.notice.clone()).collect();
        let lock_ms = u64::try_from(self.settings.lock.as_millis()).unwrap_or(u64::MAX);
        let until = UnixMs(now.0.saturating_add(lock_ms));
        self.flushed = now;
        self.held.insert(lock, Held { until, items });
        NoticeBatch { lock, delivery_count, notices }
    }
}

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
            // It was flushed and not received.
            queue.flushed = UnixMs::default();
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

#[cfg(test)]
mod tests {
    use ironhub_domain::ids::DeviceId;
    use ironhub_domain::notice::FeedbackStatus;

    use super::*;

    fn item(sequence: u64, at: u64) -> Item {
        let notice = Notice::Feedback {
            original_message_id: format!("m{sequence}"),
            identity: DeviceId::new("d").unwrap().into(),
            generation: "g".into(),
            status: FeedbackStatus::Success,
            at: UnixMs(at),
        };
        Item { partition: 0, sequence, deliveries: 0, notice }
    }

    fn queue(kind: NoticeKind, items: u64) -> Queue {
        let mut queue = Queue::new(kind, NoticeSettings::FEEDBACK, 1);
        queue.ready = (0..items).map(|n| item(n, 1_000_000)).collect();
        queue
    }

    fn sequences<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<u64> {
        items.into_iter().map(|item| item.sequence).collect()
    }

    #[test]
    fn feedback_leaves_at_once_and_then_in_batches_or_after_a_wait() {
        let mut queue = queue(NoticeKind::Feedback, 3);
        let now = UnixMs(1_000_000);
        let first = queue.batch(now).unwrap();
        assert_eq!(sequences(&first), [0, 1, 2]);
        queue.hold(first, LockToken([1; 16]), now);
        queue.ready.push_back(item(3, now.0));
        assert!(queue.batch(UnixMs(now.0 + 14_999)).is_none());
        assert_eq!(queue.batch(UnixMs(now.0 + 15_000)).map(|items| items.len()), Some(1));
        queue.ready = (0..70).map(|n| item(n, now.0)).collect();
        assert_eq!(
            queue.batch(now).map(|items| items.len()),
            Some(64),
            "a full batch waits for nothing"
        );
    }

    #[test]
    fn a_batch_that_is_gone_as_a_whole_is_not_held_and_delays_nothing() {
        let (now, lock) = (UnixMs(1_000_000), LockToken([1; 16]));
        let mut feedback = queue(NoticeKind::Feedback, 64 + 64 + 3);
        let batch = feedback.next(|item| item.sequence == 70, lock, now).unwrap();
        assert_eq!(batch.notices, [item(70, now.0).notice]);
        assert_eq!((feedback.held.len(), feedback.ready.len()), (1, 3));

        let mut feedback = queue(NoticeKind::Feedback, 64 + 3);
        assert_eq!(feedback.next(|_| false, lock, now), None);
        assert!(feedback.held.is_empty() && feedback.ready.is_empty());
        feedback.ready.push_back(item(99, now.0));
        assert!(feedback.next(|_| true, lock, now).is_some(), "no batch has left yet");

        let mut files = queue(NoticeKind::FileUpload, 3);
        let batch = files.next(|item| item.sequence == 2, lock, now).unwrap();
        assert_eq!(batch.notices, [item(2, now.0).notice]);
    }

    #[test]
    fn files_are_told_one_by_one() {
        let mut queue = queue(NoticeKind::FileUpload, 2);
        for expected in [[0], [1]] {
            let items = queue.batch(UnixMs(5)).unwrap();
            assert_eq!(sequences(&items), expected);
            queue.hold(items, LockToken([expected[0] as u8; 16]), UnixMs(5));
        }
        assert!(queue.batch(UnixMs(5)).is_none());
    }

    #[test]
    fn a_lapsed_lock_gives_its_notices_back_in_front_and_counts() {
        let mut queue = queue(NoticeKind::FileUpload, 2);
        let (now, lock) = (UnixMs(1_000_000), LockToken([1; 16]));
        let items = queue.batch(now).unwrap();
        queue.hold(items, lock, now);
        assert!(queue.tidy(UnixMs(now.0 + 59_999)).is_empty());
        assert_eq!(sequences(&queue.ready), [1]);
        assert!(queue.tidy(UnixMs(now.0 + 60_000)).is_empty());
        assert_eq!(sequences(&queue.ready), [0, 1]);
        assert_eq!(queue.ready[0].deliveries, 1);
        for _ in 1..10 {
            let items = queue.batch(now).unwrap();
            let ended = queue.give_back(items, true);
            if !ended.is_empty() {
                assert_eq!((sequences(&ended), sequences(&queue.ready)), (vec![0], vec![1]));
                return;
            }
        }
        panic!("it was given back more often than it may");
    }

    #[test]
    fn what_is_too_old_comes_out() {
        let mut queue = queue(NoticeKind::Feedback, 2);
        queue.ready.push_back(item(2, 2_000_000));
        assert_eq!(sequences(&queue.tidy(UnixMs(1_000_000 + 3_600_000))), [0, 1]);
        assert_eq!(sequences(&queue.ready), [2]);
    }
}
