use crate::HubError;
use crate::c2d::{AckMode, C2dMessage, Ended, Holder, LockToken, Queue, Settlement};
use crate::notice::FeedbackStatus;
use crate::time::UnixMs;

/// Abandoned this often, a message ends.
const DELIVERIES_MAX: u32 = 3;

fn token(number: u8) -> LockToken {
    LockToken([number; 16])
}

fn seconds(text: &str) -> UnixMs {
    UnixMs(text.parse::<u64>().unwrap() * 1000)
}

/// One queue's life. A line is `time in seconds, step = result`; a result ends with the feedback that it brings.
///
/// * `send a 100 full`: a message `a` that expires at 100 with this ack mode gives its sequence number.
/// * `lock 2`, `stored 2` (by a stored session) and `poll 2` (by a request) give messages with their tokens, which are numbered
///   from 1 over the script; a `!` marks what the stored session may have been sent.
/// * `forget` forgets the stored session.
/// * `complete 1`, `reject 1`, `abandon 1` name a token.
fn check(script: &str) {
    let mut queue = Queue::default();
    let mut names = vec!["nobody".to_owned()];
    let mut last_token = 0;
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (step, expected) = line.split_once(" = ").unwrap();
        let words: Vec<&str> = step.split(' ').collect();
        let now = seconds(words[0]);
        let held = |text: &str| token(text.parse().unwrap());
        let mut settle =
            |settlement| match queue.settle(held(words[2]), settlement, DELIVERIES_MAX, now) {
                Ok(ended) => ("ok".to_owned(), ended.into_iter().collect()),
                Err(error) => {
                    assert_eq!(error, HubError::LockLost);
                    ("lost".to_owned(), Vec::new())
                }
            };
        let (mut result, ended): (String, Vec<Ended>) = match words[1] {
            "send" => {
                let mut message = C2dMessage::default();
                message.system.message_id = Some(words[2].to_owned());
                message.ack = AckMode::parse(words.get(4).unwrap_or(&"none")).unwrap();
                let mut after = queue.clone();
                match after.enqueue(&message, seconds(words[3]), now) {
                    Ok((sequence, ended)) => {
                        queue = after;
                        names.push(words[2].to_owned());
                        (sequence.to_string(), ended)
                    }
                    Err(error) => {
                        assert_eq!(error, HubError::QueueFull { max: 50 });
                        ("full".to_owned(), Vec::new())
                    }
                }
            }
            verb @ ("lock" | "stored" | "poll") => {
                let holder = match verb {
                    "lock" => Holder::Session,
                    "stored" => Holder::StoredSession,
                    _ => Holder::Request,
                };
                let wanted: u8 = words[2].parse().unwrap();
                let tokens: Vec<_> = (1..=wanted).map(|n| token(last_token + n)).collect();
                let (locked, ended) = queue.lock(&tokens, holder, now);
                last_token += wanted;
                let locked: Vec<_> = locked
                    .iter()
                    .map(|entry| {
                        let token = entry.lock.unwrap().token.0[0];
                        let sent = if entry.sent { "!" } else { "" };
                        format!("{}/{token}{sent}", names[entry.sequence as usize])
                    })
                    .collect();
                (if locked.is_empty() { "none".into() } else { locked.join(" ") }, ended)
            }
            "complete" => settle(Settlement::Complete),
            "reject" => settle(Settlement::Reject),
            "abandon" => settle(Settlement::Abandon),
            "purge" => {
                let ended = queue.purge();
                (ended.len().to_string(), ended)
            }
            verb @ ("sweep" | "release") => {
                let tended = if verb == "sweep" { queue.sweep(now) } else { queue.release(now) };
                ((tended.0 as usize + tended.1.len()).to_string(), tended.1)
            }
            "forget" => (queue.forget_sent().to_string(), Vec::new()),
            "due" => {
                let due = queue.next_due().map(|due| (due.0 / 1000).to_string());
                (due.unwrap_or_else(|| "never".into()), Vec::new())
            }
            other => panic!("{other}"),
        };
        for ended in ended {
            if let Some(id) = ended.feedback {
                assert_eq!(id, names[ended.sequence as usize]);
                result += &format!(" {id}:{}", ended.status.as_str());
            }
        }
        assert_eq!(result, expected, "{line}\nof {script}");
    }
}

#[test]
fn messages_are_delivered_in_order_and_each_to_one_holder() {
    check(
        "0 send a 900 = 1
         0 send b 900 = 2
         0 send c 900 = 3
         1 lock 2 = a/1 b/2
         2 poll 5 = c/3
         3 lock 1 = none
         4 complete 2 = ok
         4 complete 2 = lost
         4 complete 1 = ok
         4 complete 3 = ok
         5 due = never
         5 send d 900 = 4",
    );
}

#[test]
fn an_outcome_is_reported_to_those_who_asked() {
    for (ack, success, rejected, expired, exceeded, purged) in [
        ("none", "", "", "", "", ""),
        ("positive", " a:Success", "", "", "", ""),
        ("negative", "", " a:Rejected", " a:Expired", " a:DeliveryCountExceeded", " a:Purged"),
        (
            "full",
            " a:Success",
            " a:Rejected",
            " a:Expired",
            " a:DeliveryCountExceeded",
            " a:Purged",
        ),
    ] {
        check(&format!(
            "0 send a 900 {ack} = 1
             0 lock 1 = a/1
             0 complete 1 = ok{success}
             0 send a 900 {ack} = 2
             0 lock 1 = a/2
             0 reject 2 = ok{rejected}
             0 send a 900 {ack} = 3
             899 sweep = 0
             900 sweep = 1{expired}
             900 send a 999 {ack} = 4
             900 lock 1 = a/3
             900 abandon 3 = ok
             900 lock 1 = a/4
             900 abandon 4 = ok
             900 lock 1 = a/5
             900 abandon 5 = ok{exceeded}
             900 send a 999 {ack} = 5
             900 purge = 1{purged}"
        ));
    }
}

#[test]
fn a_message_without_id_gives_no_feedback() {
    let mut queue = Queue::default();
    let message = C2dMessage { ack: AckMode::Full, ..C2dMessage::default() };
    queue.enqueue(&message, UnixMs(9), UnixMs(0)).unwrap();
    let ended = Ended { sequence: 1, status: FeedbackStatus::Purged, feedback: None };
    assert_eq!(queue.purge(), [ended]);
}

#[test]
fn a_lapsed_lock_is_lost_whether_or_not_anybody_swept_it() {
    check(
        "0 send a 900 = 1
         0 lock 1 = a/1
         0 due = 60
         59 sweep = 0
         60 complete 1 = lost
         60 reject 1 = lost
         60 abandon 1 = lost
         60 sweep = 1
         60 sweep = 0
         60 due = 900
         61 lock 1 = a/2
         61 complete 1 = lost
         62 complete 2 = ok",
    );
    check(
        "0 send a 900 = 1
         0 lock 1 = a/1
         60 lock 1 = a/2
         60 complete 1 = lost
         119 complete 2 = ok",
    );
}

#[test]
fn abandoned_and_lapsed_messages_return_to_their_old_place() {
    check(
        "0 send a 900 full = 1
         0 send b 900 = 2
         0 send c 900 = 3
         0 lock 2 = a/1 b/2
         1 abandon 1 = ok
         1 lock 1 = a/3
         1 abandon 3 = ok
         60 lock 9 = a/4 b/5 c/6
         60 abandon 4 = ok a:DeliveryCountExceeded",
    );
}

#[test]
fn locks_that_return_by_themselves_do_not_count_as_deliveries() {
    check(
        "0 send a 900 = 1
         0 lock 1 = a/1
         0 release = 1
         1 lock 1 = a/2
         1 release = 1
         2 lock 1 = a/3
         62 lock 1 = a/4
         63 abandon 4 = ok
         63 lock 1 = a/5
         63 abandon 5 = ok
         63 due = 900",
    );
}

#[test]
fn the_end_of_a_session_frees_what_it_held_and_no_more() {
    check(
        "0 send a 900 = 1
         0 send b 900 = 2
         0 poll 1 = a/1
         0 lock 1 = b/2
         1 release = 1
         1 complete 2 = lost
         1 lock 2 = b/3
         2 complete 1 = ok",
    );
}

#[test]
fn a_stored_session_is_told_what_it_may_have_been_sent_until_it_is_forgotten() {
    check(
        "0 send a 900 = 1
         0 send b 900 = 2
         0 stored 1 = a/1
         1 release = 1
         1 complete 1 = lost
         1 stored 2 = a/2! b/3
         2 release = 2
         2 poll 1 = a/4!
         2 lock 1 = b/5!
         3 abandon 4 = ok
         3 complete 5 = ok
         4 stored 1 = a/6!
         64 stored 1 = a/7!
         65 release = 1
         65 forget = true
         65 forget = false
         65 lock 1 = a/8
         66 release = 1
         66 stored 1 = a/9
         67 complete 9 = ok",
    );
}

#[test]
fn no_two_live_messages_have_the_same_short_number() {
    let mut queue = Queue::default();
    let send =
        |queue: &mut Queue| queue.enqueue(&C2dMessage::default(), UnixMs(9), UnixMs(0)).unwrap().0;
    assert_eq!((send(&mut queue), send(&mut queue)), (1, 2));
    queue.next_sequence = 0x7fff;
    let sequences: Vec<u64> = (0..3).map(|_| send(&mut queue)).collect();
    assert_eq!(sequences, [0x7fff, 0x8002, 0x8003], "1 and 2 live on");
}

#[test]
fn time_that_ends_under_a_lock_takes_effect_when_the_lock_returns() {
    check(
        "0 send a 30 full = 1
         0 send b 30 full = 2
         0 send c 30 full = 3
         0 send d 30 full = 4
         0 lock 4 = a/1 b/2 c/3 d/4
         31 sweep = 0
         31 due = 60
         31 complete 1 = ok a:Success
         31 abandon 2 = ok b:Expired
         32 reject 3 = ok c:Rejected
         32 release = 1 d:Expired",
    );
    check(
        "0 send a 30 full = 1
         0 lock 1 = a/1
         60 complete 1 = lost
         60 lock 1 = none a:Expired",
    );
}

#[test]
fn a_purge_takes_locked_messages_too() {
    check(
        "0 send a 900 full = 1
         0 send b 900 = 2
         0 lock 1 = a/1
         1 purge = 2 a:Purged
         1 complete 1 = lost
         1 purge = 0
         1 send c 900 = 3",
    );
}

#[test]
fn fifty_messages_fit_locked_ones_counted_and_expired_ones_not() {
    let sends: String = (1..=49).map(|n| format!("0 send m{n} 900 = {}\n", n + 1)).collect();
    check(&format!(
        "0 send short 30 full = 1
         {sends}
         0 lock 2 = short/1 m1/2
         1 send late 900 = full
         31 send late 900 = full
         60 send late 900 = 51 short:Expired
         61 send later 900 = full
         61 lock 1 = m1/3
         61 complete 3 = ok
         61 send later 900 = 52
         61 due = 900"
    ));
}
