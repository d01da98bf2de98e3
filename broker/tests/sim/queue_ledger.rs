//! What an onlooker knows of one device's queue who sees only commands and answers.

use std::collections::{BTreeMap, HashMap};

use ironhub_domain::HubError;
use ironhub_domain::c2d::{AckMode, Holder, LockToken, Settlement};
use ironhub_domain::notice::FeedbackStatus;
use ironhub_domain::partition::{Command, EnqueueC2d, Outcome};
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;

const LOCK_MS: u64 = 60_000;
const LIVE_MAX: usize = 50;

struct Message {
    id: String,
    expires: UnixMs,
    ack: AckMode,
    abandoned: u32,
    lock: Option<(LockToken, UnixMs, Holder)>,
    /// Locked for the stored session before.
    sent: bool,
}

impl Message {
    fn is_free(&self, now: UnixMs) -> bool {
        self.lock.is_none_or(|(_, until, _)| until <= now)
    }
}

/// A message id, and what became of it.
pub type Feedback = (String, FeedbackStatus);

/// One queue.
#[derive(Default)]
pub struct QueueLedger {
    live: BTreeMap<u64, Message>,
    last_sequence: u64,
    /// What became of those that have left.
    ended: HashMap<u64, FeedbackStatus>,
}

impl QueueLedger {
    /// Checks the answer to a command of this queue. Gives the feedback that must have been written.
    pub fn saw(&mut self, command: &Command, outcome: &Outcome) -> Result<Vec<Feedback>, String> {
        match command {
            Command::EnqueueC2d(enqueue) => self.enqueue(enqueue, outcome),
            Command::LockC2d { tokens, holder, now, .. } => {
                self.lock(tokens, *holder, *now, outcome)
            }
            Command::SettleC2d { lock, settlement, deliveries_max, now, .. } => {
                self.settle(*lock, *settlement, *deliveries_max, *now, outcome)
            }
            Command::ReleaseC2d { now, .. } => {
                let freed = |message: &Message| {
                    matches!(message.lock, Some((_, until, holder))
                        if until <= *now || holder != Holder::Request)
                };
                let count = self.free(freed);
                let ended = self.expire(*now)?;
                affected(outcome, count.max(ended.len()), ended)
            }
            Command::SweepC2d { now, .. } => {
                let count =
                    self.free(|message| message.lock.is_some_and(|(_, until, _)| until <= *now));
                let ended = self.expire(*now)?;
                affected(outcome, count.max(ended.len()), ended)
            }
            Command::PurgeC2d { .. } => {
                let all: Vec<u64> = self.live.keys().copied().collect();
                let ended = self.end(&all, FeedbackStatus::Purged)?;
                match outcome {
                    Outcome::Affected(count) if *count as usize == all.len() => Ok(ended),
                    other => Err(format!("{} were live, the purge said {other:?}", all.len())),
                }
            }
            other => Err(format!("{other:?} is none of a queue's")),
        }
    }

    /// The stored session was forgotten.
    pub fn forget_sent(&mut self) {
        self.live.values_mut().for_each(|message| message.sent = false);
    }

    /// Whether a message was accepted and has not ended.
    pub fn is_live(&self, sequence: u64) -> bool {
        self.live.contains_key(&sequence)
    }

    /// Compares with what is stored. A lock that has lapsed may still be there: nobody has looked since.
    pub fn check(&self, record: &proto::C2dQueueRecord) -> Result<(), String> {
        let stored: Vec<(u64, u32, bool)> = record
            .entries
            .iter()
            .map(|entry| (entry.sequence, entry.delivery_count, entry.sent))
            .collect();
        let known: Vec<(u64, u32, bool)> = self
            .live
            .iter()
            .map(|(sequence, message)| (*sequence, message.abandoned, message.sent))
            .collect();
        if stored != known {
            return Err(format!("live are {known:?}, stored are {stored:?}"));
        }
        for entry in &record.entries {
            let known = self.live[&entry.sequence].lock.map(|(token, until, _)| (token, until.0));
            let stored = entry
                .lock
                .as_ref()
                .and_then(|lock| Some((LockToken(lock.token[..].try_into().ok()?), lock.until_ms)));
            if known != stored {
                let sequence = entry.sequence;
                return Err(format!("{sequence} is locked by {known:?}, stored is {stored:?}"));
            }
        }
        Ok(())
    }

    fn enqueue(
        &mut self,
        enqueue: &EnqueueC2d,
        outcome: &Outcome,
    ) -> Result<Vec<Feedback>, String> {
        let now = enqueue.now;
        let gone = self.live.values().filter(|m| m.is_free(now) && m.expires <= now).count();
        match outcome {
            Outcome::Refused(HubError::QueueFull { .. }) => {
                let live = self.live.len() - gone;
                if live == LIVE_MAX {
                    Ok(Vec::new())
                } else {
                    Err(format!("refused as full with {live} live"))
                }
            }
            Outcome::Enqueued(sequence) => {
                self.free(|message| message.lock.is_some_and(|(_, until, _)| until <= now));
                let ended = self.expire(now)?;
                if self.live.len() >= LIVE_MAX {
                    return Err(format!("accepted with {} live", self.live.len()));
                }
                if *sequence != self.last_sequence + 1 {
                    return Err(format!("sequence {sequence} after {}", self.last_sequence));
                }
                self.last_sequence = *sequence;
                let id = enqueue.message.system.message_id.clone().unwrap_or_default();
                let (expires, ack) = (enqueue.expires, enqueue.message.ack);
                let message = Message { id, expires, ack, abandoned: 0, lock: None, sent: false };
                self.live.insert(*sequence, message);
                Ok(ended)
            }
            other => Err(format!("a good message was answered {other:?}")),
        }
    }

    fn lock(
        &mut self,
        tokens: &[LockToken],
        holder: Holder,
        now: UnixMs,
        outcome: &Outcome,
    ) -> Result<Vec<Feedback>, String> {
        let Outcome::Locked(deliveries) = outcome else {
            return Err(format!("a lock was answered {outcome:?}"));
        };
        for delivery in deliveries {
            match self.live.get(&delivery.sequence) {
                Some(message) if !message.is_free(now) => {
                    return Err(format!("{} is given to two holders", delivery.sequence));
                }
                Some(message) if message.expires <= now => {
                    return Err(format!("{} is delivered too late", delivery.sequence));
                }
                Some(message) => {
                    let sent = delivery.message.system.message_id.as_deref();
                    if sent != Some(&message.id)
                        || delivery.delivery_count != message.abandoned
                        || delivery.sent_before != message.sent
                    {
                        return Err(format!("{} comes as {delivery:?}", delivery.sequence));
                    }
                }
                None => return Err(format!("{} is not live any more", delivery.sequence)),
            }
        }
        self.free(|message| message.lock.is_some_and(|(_, until, _)| until <= now));
        let ended = self.expire(now)?;
        let oldest: Vec<u64> = self
            .live
            .iter()
            .filter(|(_, message)| message.lock.is_none())
            .map(|(sequence, _)| *sequence)
            .take(tokens.len())
            .collect();
        let given: Vec<u64> = deliveries.iter().map(|delivery| delivery.sequence).collect();
        if given != oldest {
            return Err(format!("the oldest free are {oldest:?}, {given:?} were given"));
        }
        for delivery in deliveries {
            let until = UnixMs(now.0 + LOCK_MS);
            if delivery.locked_until != until {
                return Err(format!("locked until {:?}, not {until:?}", delivery.locked_until));
            }
            if let Some(message) = self.live.get_mut(&delivery.sequence) {
                message.lock = Some((delivery.lock, until, holder));
                message.sent |= holder == Holder::StoredSession;
            }
        }
        Ok(ended)
    }

    fn settle(
        &mut self,
        token: LockToken,
        settlement: Settlement,
        deliveries_max: u32,
        now: UnixMs,
        outcome: &Outcome,
    ) -> Result<Vec<Feedback>, String> {
        let held = self.live.iter_mut().find(|(_, message)| {
            message.lock.is_some_and(|(holds, until, _)| holds == token && now < until)
        });
        match (held, outcome) {
            (None, Outcome::Refused(HubError::LockLost)) => Ok(Vec::new()),
            (Some((sequence, message)), Outcome::Affected(1)) => {
                let sequence = *sequence;
                message.lock = None;
                let status = match settlement {
                    Settlement::Complete => FeedbackStatus::Success,
                    Settlement::Reject => FeedbackStatus::Rejected,
                    Settlement::Abandon => {
                        message.abandoned += 1;
                        if message.abandoned >= deliveries_max {
                            FeedbackStatus::DeliveryCountExceeded
                        } else if message.expires <= now {
                            FeedbackStatus::Expired
                        } else {
                            return Ok(Vec::new());
                        }
                    }
                };
                self.end(&[sequence], status)
            }
            (held, outcome) => {
                Err(format!("lock {token} is held: {}, settled: {outcome:?}", held.is_some()))
            }
        }
    }

    fn free(&mut self, is_over: impl Fn(&Message) -> bool) -> usize {
        let mut count = 0;
        for message in self.live.values_mut().filter(|message| is_over(message)) {
            message.lock = None;
            count += 1;
        }
        count
    }

    fn expire(&mut self, now: UnixMs) -> Result<Vec<Feedback>, String> {
        let over = |message: &Message| message.lock.is_none() && message.expires <= now;
        let over: Vec<u64> =
            self.live.iter().filter(|(_, m)| over(m)).map(|(sequence, _)| *sequence).collect();
        self.end(&over, FeedbackStatus::Expired)
    }

    fn end(&mut self, sequences: &[u64], status: FeedbackStatus) -> Result<Vec<Feedback>, String> {
        let mut feedback = Vec::new();
        for sequence in sequences {
            let Some(message) = self.live.remove(sequence) else { continue };
            if let Some(before) = self.ended.insert(*sequence, status) {
                return Err(format!("{sequence} ended as {before:?} and as {status:?}"));
            }
            let success = status == FeedbackStatus::Success;
            let asked = match message.ack {
                AckMode::None => false,
                AckMode::Positive => success,
                AckMode::Negative => !success,
                AckMode::Full => true,
            };
            if asked {
                feedback.push((message.id, status));
            }
        }
        Ok(feedback)
    }
}

/// A release or a sweep says how many messages it touched: at least those that it ended or freed.
fn affected(
    outcome: &Outcome,
    at_least: usize,
    ended: Vec<Feedback>,
) -> Result<Vec<Feedback>, String> {
    match outcome {
        Outcome::Affected(count) if *count as usize >= at_least => Ok(ended),
        other => Err(format!("at least {at_least} were touched, the answer is {other:?}")),
    }
}
