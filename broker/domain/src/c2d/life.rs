//! The life of a message in a queue: free, locked, ended (device-protocols.md 7.4).
//!
//! These are changes of the index alone. What has to be done elsewhere, deleting the bodies of ended messages and telling
//! their senders, is in [`Ended`].

use crate::HubError;
use crate::c2d::message::{AckMode, C2dMessage};
use crate::c2d::queue::{Entry, Holder, Lock, LockToken, Queue, Settlement};
use crate::limits::{C2D_LOCK_MS, C2D_QUEUE_MAX, C2D_SHORT_NUMBERS};
use crate::notice::FeedbackStatus;
use crate::time::UnixMs;

/// A message that has left its queue for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its place in the queue.
    pub sequence: u64,
    /// What became of it.
    pub status: FeedbackStatus,
    /// The message id that feedback is to be written for, if its sender wants to hear of this outcome and gave one.
    pub feedback: Option<String>,
}

impl Ended {
    fn new(entry: Entry, status: FeedbackStatus) -> Self {
        let feedback = entry.message_id.filter(|_| entry.ack.asks_for(status));
        Self { sequence: entry.sequence, status, feedback }
    }
}

impl AckMode {
    /// Whether a sender who asked for this hears of that outcome.
    pub const fn asks_for(self, status: FeedbackStatus) -> bool {
        match self {
            Self::None => false,
            Self::Full => true,
            Self::Positive => matches!(status, FeedbackStatus::Success),
            Self::Negative => !matches!(status, FeedbackStatus::Success),
        }
    }
}

impl Entry {
    /// When something happens to it by itself: its lock lapses, or, if it has none, it expires. A time to live that ends
    /// while the message is locked takes effect when the lock returns.
    fn due(&self) -> UnixMs {
        self.lock.map_or(self.expires, |lock| lock.until)
    }
}

impl Queue {
    /// When [`sweep`](Self::sweep) next has something to do; `None` while the queue is empty.
    pub fn next_due(&self) -> Option<UnixMs> {
        self.entries.iter().map(Entry::due).min()
    }

    /// Returns lapsed locks and ends what has expired. Gives the number of messages returned but not ended, and those ended.
    pub fn sweep(&mut self, now: UnixMs) -> (u32, Vec<Ended>) {
        self.free(now, |lock| lock.until <= now)
    }

    /// Returns what the session held and ends what has expired, as [`sweep`](Self::sweep) does.
    pub fn release(&mut self, now: UnixMs) -> (u32, Vec<Ended>) {
        self.free(now, |lock| lock.until <= now || lock.holder.is_session())
    }

    fn free(&mut self, now: UnixMs, is_over: impl Fn(&Lock) -> bool) -> (u32, Vec<Ended>) {
        let (mut returned, mut ended) = (0, Vec::new());
        for mut entry in std::mem::take(&mut self.entries) {
            let was_locked = entry.lock.is_some();
            entry.lock = entry.lock.filter(|lock| !is_over(lock));
            if entry.lock.is_none() && entry.expires <= now {
                ended.push(Ended::new(entry, FeedbackStatus::Expired));
            } else {
                returned += u32::from(was_locked && entry.lock.is_none());
                self.entries.push(entry);
            }
        }
        (returned, ended)
    }

    /// Takes a message. What has expired makes room for it first; locked messages count.
    pub fn enqueue(
        &mut self,
        message: &C2dMessage,
        expires: UnixMs,
        now: UnixMs,
    ) -> Result<(u64, Vec<Ended>), HubError> {
        let (_, ended) = self.sweep(now);
        if self.entries.len() >= C2D_QUEUE_MAX {
            return Err(HubError::QueueFull { max: C2D_QUEUE_MAX });
        }
        let mut sequence = self.next_sequence.max(1);
        // As often as there are live messages, at most.
        while self.entries.iter().any(|entry| is_alike(entry.sequence, sequence)) {
            sequence += 1;
        }
        self.next_sequence = sequence + 1;
        self.entries.push(Entry {
            sequence,
            enqueued: now,
            expires,
            delivery_count: 0,
            lock: None,
            sent: false,
            ack: message.ack,
            message_id: message.system.message_id.clone(),
        });
        Ok((sequence, ended))
    }

    /// Locks the oldest free messages, one with each token, until [`C2D_LOCK_MS`] from now. Lapsed locks return before,
    /// so a message that somebody failed to settle comes again at its old place. Gives them with their locks, and with
    /// [`Entry::sent`] as it was before.
    pub fn lock(
        &mut self,
        tokens: &[LockToken],
        holder: Holder,
        now: UnixMs,
    ) -> (Vec<Entry>, Vec<Ended>) {
        let (_, ended) = self.sweep(now);
        let until = UnixMs(now.0.saturating_add(C2D_LOCK_MS));
        let free = self.entries.iter_mut().filter(|entry| entry.lock.is_none());
        let locked = free.zip(tokens).map(|(entry, token)| {
            entry.lock = Some(Lock { token: *token, until, holder });
            let locked = entry.clone();
            entry.sent |= holder == Holder::StoredSession;
            locked
        });
        (locked.collect(), ended)
    }

    /// Settles one delivery. A lock that is over is lost even if nobody has swept it yet. An abandoned message returns
    /// to its old place unless it was abandoned `deliveries_max` times or its time is over.
    pub fn settle(
        &mut self,
        token: LockToken,
        settlement: Settlement,
        deliveries_max: u32,
        now: UnixMs,
    ) -> Result<Option<Ended>, HubError> {
        let held =
            |entry: &Entry| entry.lock.is_some_and(|lock| lock.token == token && now < lock.until);
        let place = self.entries.iter().position(held).ok_or(HubError::LockLost)?;
        let entry = &mut self.entries[place];
        let status = match settlement {
            Settlement::Complete => FeedbackStatus::Success,
            Settlement::Reject => FeedbackStatus::Rejected,
            Settlement::Abandon => {
                entry.lock = None;
                entry.delivery_count = entry.delivery_count.saturating_add(1);
                if entry.delivery_count >= deliveries_max {
                    FeedbackStatus::DeliveryCountExceeded
                } else if entry.expires <= now {
                    FeedbackStatus::Expired
                } else {
                    return Ok(None);
                }
            }
        };
        Ok(Some(Ended::new(self.entries.remove(place), status)))
    }

    /// The stored session is forgotten, and with it what it was sent. Whether that changed anything.
    pub fn forget_sent(&mut self) -> bool {
        let sent = self.entries.iter_mut().filter(|entry| entry.sent);
        sent.map(|entry| entry.sent = false).count() > 0
    }

    /// Ends all messages, locked ones too.
    pub fn purge(&mut self) -> Vec<Ended> {
        let entries = self.entries.drain(..);
        entries.map(|entry| Ended::new(entry, FeedbackStatus::Purged)).collect()
    }
}

/// Whether both sequence numbers have the same short form.
fn is_alike(one: u64, other: u64) -> bool {
    one % C2D_SHORT_NUMBERS == other % C2D_SHORT_NUMBERS
}
