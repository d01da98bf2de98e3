use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::c2d::{AckMode, C2dMessage, Ended, Holder, LockToken, Queue, Settlement};
use crate::notice::FeedbackStatus;
use crate::time::UnixMs;

const DELIVERIES_MAX: u32 = 3;
const LOCK_MS: u64 = 60_000;

#[derive(Clone, Debug)]
enum Step {
    Send {
        ttl: u64,
        ack: usize,
        id: bool,
    },
    Lock {
        count: usize,
        holder: Holder,
    },
    /// Settles the newest but `back` of all deliveries ever made.
    Settle {
        back: usize,
        how: usize,
    },
    Release,
    Forget,
    Sweep,
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => (1..200_000u64, 0..4usize, any::<bool>())
            .prop_map(|(ttl, ack, id)| Step::Send { ttl, ack, id }),
        10 => (0..6usize, 0..3usize).prop_map(|(count, holder)| Step::Lock {
            count,
            holder: [Holder::Session, Holder::StoredSession, Holder::Request][holder],
        }),
        10 => (0..9usize, 0..3usize).prop_map(|(back, how)| Step::Settle { back, how }),
        2 => Just(Step::Release),
        1 => Just(Step::Forget),
        3 => Just(Step::Sweep),
        1 => Just(Step::Purge),
    ]
}

/// What an onlooker who sees only steps and answers knows of one message.
struct Seen {
    expires: u64,
    ack: AckMode,
    id: bool,
    abandoned: u32,
    held: Option<(LockToken, u64, Holder)>,
    sent: bool,
    outcome: Option<FeedbackStatus>,
}

#[derive(Default)]
struct Onlooker {
    messages: BTreeMap<u64, Seen>,
    deliveries: Vec<(LockToken, u64)>,
}

impl Onlooker {
    fn live(&self) -> usize {
        self.messages.values().filter(|seen| seen.outcome.is_none()).count()
    }

    /// A message has ended: once, for a reason that was there, and those are told who asked.
    fn ended(&mut self, ended: Ended, now: u64, allowed: &[FeedbackStatus]) {
        let seen = self.messages.get_mut(&ended.sequence).unwrap();
        assert!(seen.outcome.is_none(), "{ended:?} after {:?}", seen.outcome);
        assert!(allowed.contains(&ended.status), "{ended:?}");
        if ended.status == FeedbackStatus::Expired {
            assert!(seen.expires <= now);
            assert!(seen.held.is_none_or(|(_, until, _)| until <= now), "ended under a lock");
        }
        let success = ended.status == FeedbackStatus::Success;
        let asked = match seen.ack {
            AckMode::None => false,
            AckMode::Positive => success,
            AckMode::Negative => !success,
            AckMode::Full => true,
        };
        let told = (asked && seen.id).then(|| ended.sequence.to_string());
        assert_eq!(ended.feedback, told);
        seen.outcome = Some(ended.status);
        seen.held = None;
    }
}

fn run(steps: Vec<(u64, Step)>) {
    use FeedbackStatus::{DeliveryCountExceeded, Expired, Purged, Rejected, Success};
    let mut queue = Queue::default();
    let mut onlooker = Onlooker::default();
    let mut now = 0;
    for (pause, step) in steps {
        now += pause;
        let at = UnixMs(now);
        match step {
            Step::Send { ttl, ack, id } => {
                let ack = [AckMode::None, AckMode::Positive, AckMode::Negative, AckMode::Full][ack];
                let mut message = C2dMessage { ack, ..C2dMessage::default() };
                message.system.message_id = id.then(|| (onlooker.messages.len() + 1).to_string());
                let mut after = queue.clone();
                let accepted = after.enqueue(&message, UnixMs(now + ttl), at);
                let Ok((sequence, ended)) = accepted else {
                    assert_eq!(onlooker.live(), 50, "refused though there was room");
                    continue;
                };
                queue = after;
                ended.into_iter().for_each(|ended| onlooker.ended(ended, now, &[Expired]));
                let new = Seen {
                    expires: now + ttl,
                    ack,
                    id,
                    abandoned: 0,
                    held: None,
                    sent: false,
                    outcome: None,
                };
                assert_eq!(sequence as usize, onlooker.messages.len() + 1, "no gap");
                assert!(onlooker.messages.insert(sequence, new).is_none());
            }
            Step::Lock { count, holder } => {
                let first = onlooker.deliveries.len() as u128;
                let tokens: Vec<_> =
                    (0..count as u128).map(|n| LockToken((first + n).to_be_bytes())).collect();
                let (locked, ended) = queue.lock(&tokens, holder, at);
                ended.into_iter().for_each(|ended| onlooker.ended(ended, now, &[Expired]));
                let free: Vec<u64> = onlooker
                    .messages
                    .iter()
                    .filter(|(_, seen)| seen.outcome.is_none())
                    .filter(|(_, seen)| seen.held.is_none_or(|(_, until, _)| until <= now))
                    .map(|(sequence, _)| *sequence)
                    .take(count)
                    .collect();
                let given: Vec<u64> = locked.iter().map(|entry| entry.sequence).collect();
                assert_eq!(given, free, "the oldest free ones, and nobody else's");
                for entry in locked {
                    let seen = onlooker.messages.get_mut(&entry.sequence).unwrap();
                    let lock = entry.lock.unwrap();
                    assert!(seen.expires > now);
                    assert_eq!(lock.until.0, now + LOCK_MS);
                    assert_eq!(entry.delivery_count, seen.abandoned);
                    assert_eq!(entry.sent, seen.sent);
                    seen.sent |= holder == Holder::StoredSession;
                    seen.held = Some((lock.token, lock.until.0, holder));
                    onlooker.deliveries.push((lock.token, entry.sequence));
                }
            }
            Step::Settle { back, how } => {
                let delivery = onlooker.deliveries.iter().rev().nth(back).copied();
                let (token, sequence) = delivery.unwrap_or((LockToken([0xff; 16]), 0));
                let how = [Settlement::Complete, Settlement::Reject, Settlement::Abandon][how];
                let seen = onlooker.messages.get_mut(&sequence);
                let held = seen.as_ref().is_some_and(|seen| {
                    seen.held.is_some_and(|(holds, until, _)| holds == token && now < until)
                });
                let settled = queue.settle(token, how, DELIVERIES_MAX, at);
                assert_eq!(settled.is_ok(), held, "a lock is lost or is not");
                let (Ok(ended), Some(seen)) = (settled, seen) else { continue };
                seen.held = None;
                let expected: &[FeedbackStatus] = match how {
                    Settlement::Complete => &[Success],
                    Settlement::Reject => &[Rejected],
                    Settlement::Abandon => {
                        seen.abandoned += 1;
                        if seen.abandoned >= DELIVERIES_MAX {
                            &[DeliveryCountExceeded]
                        } else if seen.expires <= now {
                            &[Expired]
                        } else {
                            &[]
                        }
                    }
                };
                assert_eq!(ended.is_none(), expected.is_empty());
                ended.into_iter().for_each(|ended| onlooker.ended(ended, now, expected));
            }
            Step::Release => {
                for seen in onlooker.messages.values_mut() {
                    seen.held = seen.held.filter(|(_, _, holder)| *holder == Holder::Request);
                }
                let (_, ended) = queue.release(at);
                ended.into_iter().for_each(|ended| onlooker.ended(ended, now, &[Expired]));
            }
            Step::Forget => {
                let live = |seen: &&mut Seen| seen.outcome.is_none() && seen.sent;
                let sent = onlooker.messages.values_mut().filter(live);
                let count = sent.map(|seen| seen.sent = false).count();
                assert_eq!(queue.forget_sent(), count > 0);
            }
            Step::Sweep => {
                let (_, ended) = queue.sweep(at);
                ended.into_iter().for_each(|ended| onlooker.ended(ended, now, &[Expired]));
                assert!(queue.next_due().is_none_or(|due| due.0 > now), "a sweep leaves nothing");
            }
            Step::Purge => {
                let ended = queue.purge();
                ended.into_iter().for_each(|ended| onlooker.ended(ended, now, &[Purged]));
                assert_eq!(onlooker.live(), 0);
            }
        }
        assert!(queue.entries.len() <= 50);
        assert_eq!(queue.entries.len(), onlooker.live());
    }
    let ended = queue.purge();
    ended.into_iter().for_each(|ended| onlooker.ended(ended, now, &[Purged]));
    assert!(onlooker.messages.values().all(|seen| seen.outcome.is_some()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_accepted_message_has_one_outcome_and_one_holder_at_a_time(
        steps in vec((0..4_000u64, step()), 1..250),
    ) {
        run(steps);
    }
}
