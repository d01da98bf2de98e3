//! One kind of notices, of all partitions: what is ready, what services hold, and for how long.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use ironhub_domain::c2d::LockToken;
use ironhub_domain::limits::FEEDBACK_BATCH_MAX;
use ironhub_domain::notice::{Notice, NoticeKind};
use ironhub_domain::time::UnixMs;

/// How long feedback waits for more of it, counted from the last batch (device-protocols.md 6.2).
const FEEDBACK_WAIT: Duration = Duration::from_secs(15);
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

/// A notice on its way to a service.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) partition: usize,
    pub(super) sequence: u64,
    pub(super) deliveries: u32,
    pub(super) notice: Notice,
}

/// A batch that a service holds.
pub(super) struct Held {
    pub(super) until: UnixMs,
    pub(super) items: Vec<Item>,
}

/// One kind over all partitions.
pub(super) struct Queue {
    pub(super) kind: NoticeKind,
    settings: NoticeSettings,
    pub(super) ready: VecDeque<Item>,
    /// For each partition, the first number that was not read.
    pub(super) cursors: Vec<u64>,
    pub(super) held: HashMap<LockToken, Held>,
    /// When the last batch left.
    pub(super) flushed: UnixMs,
}

impl Queue {
    pub(super) fn new(kind: NoticeKind, settings: NoticeSettings, partitions: usize) -> Self {
        Self {
            kind,
            settings,
            ready: VecDeque::new(),
            cursors: vec![0; partitions],
            held: HashMap::new(),
            flushed: UnixMs::default(),
        }
    }

    /// Gives items back to the front of the queue, which leave again at once: they have waited for company before. Those
    /// whose deliveries are used up come out.
    pub(super) fn give_back(&mut self, mut items: Vec<Item>, counted: bool) -> Vec<Item> {
        items.iter_mut().for_each(|item| item.deliveries += u32::from(counted));
        let max = self.settings.deliveries_max;
        let (ended, items): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.deliveries >= max);
        if !items.is_empty() {
            self.flushed = UnixMs::default();
        }
        items.into_iter().rev().for_each(|item| self.ready.push_front(item));
        ended
    }

    /// What lapsed goes back; what is too old, or came back too often, comes out.
    pub(super) fn tidy(&mut self, now: UnixMs) -> Vec<Item> {
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
    pub(super) fn next(
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
        let second = queue.batch(UnixMs(now.0 + 15_000)).unwrap();
        queue.hold(second.clone(), LockToken([2; 16]), now);
        assert!(queue.give_back(second, true).is_empty());
        assert_eq!(
            queue.batch(now).map(|items| items.len()),
            Some(1),
            "what was given back has waited"
        );
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
