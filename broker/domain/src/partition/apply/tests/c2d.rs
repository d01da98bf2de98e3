use super::memory::Memory;
use super::*;
use crate::auth::SymmetricKeys;
use crate::c2d::{AckMode, C2dMessage, Holder, LockToken, Settlement};
use crate::device::DeviceStatus;
use crate::ids::{IdentityId, ModuleId};
use crate::notice::{FeedbackStatus, Notice};
use crate::partition::EnqueueC2d;
use crate::registry::{
    AuthenticationRequest, DeviceRequest, Fresh, ModuleRequest, PutMode, PutModule,
};

pub(super) fn id(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

pub(super) fn identity(device: &str) -> IdentityId {
    id(device).into()
}

fn fresh(now: u64) -> Fresh {
    Fresh {
        generation: format!("generation{now}"),
        etag: format!("etag{now}"),
        keys: SymmetricKeys { primary: "p".into(), secondary: "s".into() },
        now: UnixMs(now),
    }
}

/// Creates the device or changes its status.
pub(super) fn put(device: &str, status: DeviceStatus) -> Command {
    Command::PutDevice(Box::new(PutDevice {
        mode: PutMode::CreateOrUpdate(IfMatch::Any),
        request: DeviceRequest { status, ..DeviceRequest::new(id(device)) },
        fresh: fresh(1),
    }))
}

pub(super) fn with_device() -> Memory {
    let mut records = Memory::default();
    assert!(matches!(run(put("d", DeviceStatus::Enabled), &mut records), Outcome::Device(_)));
    records
}

fn message(name: &str) -> C2dMessage {
    let mut message = C2dMessage { ack: AckMode::Full, ..C2dMessage::default() };
    message.system.message_id = Some(name.into());
    message.body = name.as_bytes().to_vec().into();
    message
}

pub(super) fn send(identity: IdentityId, name: &str, expires: u64, now: u64) -> Command {
    let message = message(name);
    let (expires, now) = (UnixMs(expires), UnixMs(now));
    Command::EnqueueC2d(Box::new(EnqueueC2d { identity, message, expires, now }))
}

fn token(number: u8) -> LockToken {
    LockToken([number; 16])
}

fn lock(identity: IdentityId, tokens: &[u8], now: u64) -> Command {
    let tokens = tokens.iter().map(|number| token(*number)).collect();
    Command::LockC2d { identity, tokens, holder: Holder::Session, now: UnixMs(now) }
}

fn complete(identity: IdentityId, number: u8, now: u64) -> Command {
    Command::SettleC2d {
        identity,
        lock: token(number),
        settlement: Settlement::Complete,
        deliveries_max: 10,
        now: UnixMs(now),
    }
}

#[track_caller]
fn locked(outcome: Outcome) -> Vec<C2dMessage> {
    match outcome {
        Outcome::Locked(deliveries) => deliveries.into_iter().map(|d| d.message).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_stored_delivered_settled_and_reported() {
    let mut records = with_device();
    let d = identity("d");
    assert_eq!(run(send(d.clone(), "a", 9000, 1), &mut records), Outcome::Enqueued(1));
    assert_eq!(run(send(d.clone(), "b", 9000, 2), &mut records), Outcome::Enqueued(2));
    let deliveries = run(lock(d.clone(), &[1, 2, 3], 3), &mut records);
    assert_eq!(locked(deliveries), [message("a"), message("b")]);
    assert_eq!(run(complete(d.clone(), 1, 4), &mut records), Outcome::Affected(1));
    let lost = Outcome::Refused(HubError::LockLost);
    assert_eq!(run(complete(d.clone(), 1, 4), &mut records), lost);
    assert_eq!(records.messages.len(), 1, "the body of a settled message goes");
    let feedback = Notice::Feedback {
        original_message_id: "a".into(),
        identity: d.clone(),
        generation: "generation1".into(),
        status: FeedbackStatus::Success,
        at: UnixMs(4),
    };
    assert_eq!(records.notices, [Some(feedback)]);
    let now = UnixMs(5);
    let release = Command::ReleaseC2d { identity: d.clone(), now };
    assert_eq!(run(release, &mut records), Outcome::Affected(1));
    let sweep = |now| Command::SweepC2d { identity: d.clone(), now: UnixMs(now) };
    assert_eq!(run(sweep(8999), &mut records), Outcome::Affected(0));
    assert_eq!(run(sweep(9000), &mut records), Outcome::Affected(1));
    assert_eq!(run(send(d.clone(), "c", 9999, 9000), &mut records), Outcome::Enqueued(3));
    let purge = Command::PurgeC2d { identity: d, now: UnixMs(9000) };
    assert_eq!(run(purge, &mut records), Outcome::Affected(1));
    assert_eq!(records.messages.len(), 0);
    let told: Vec<_> = records.notices.iter().flatten().map(status).collect();
    assert_eq!(told, [FeedbackStatus::Success, FeedbackStatus::Expired, FeedbackStatus::Purged]);
}

fn status(notice: &Notice) -> FeedbackStatus {
    match notice {
        Notice::Feedback { status, .. } => *status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_queue_needs_a_registered_identity() {
    let mut records = with_device();
    let module = |id: &str| ModuleId::new(id).unwrap();
    let request = ModuleRequest {
        device: id("d"),
        id: module("m"),
        authentication: AuthenticationRequest::None,
        managed_by: None,
    };
    let put = PutModule { mode: PutMode::Create, request, fresh: fresh(1) };
    assert!(matches!(run(Command::PutModule(Box::new(put)), &mut records), Outcome::Module(_)));
    let m = IdentityId::module(id("d"), module("m"));
    assert_eq!(run(send(m, "a", 9, 1), &mut records), Outcome::Enqueued(1));
    for (identity, refusal) in [
        (identity("x"), HubError::DeviceNotFound("x".into())),
        (IdentityId::module(id("x"), module("m")), HubError::DeviceNotFound("x".into())),
        (IdentityId::module(id("d"), module("x")), HubError::ModuleNotFound("d/x".into())),
    ] {
        let refused = Outcome::Refused(refusal);
        assert_eq!(run(send(identity.clone(), "a", 9, 1), &mut records), refused);
        assert_eq!(run(lock(identity.clone(), &[1], 1), &mut records), refused);
        assert_eq!(run(complete(identity.clone(), 1, 1), &mut records), refused);
        let sweep = Command::SweepC2d { identity, now: UnixMs(1) };
        assert_eq!(run(sweep, &mut records), Outcome::Affected(0));
    }
}

#[test]
fn messages_wait_for_a_disabled_device_which_gets_and_settles_none() {
    let mut records = with_device();
    let d = identity("d");
    run(send(d.clone(), "a", 9000, 1), &mut records);
    run(lock(d.clone(), &[1], 1), &mut records);
    run(put("d", DeviceStatus::Disabled), &mut records);
    let disabled = Outcome::Refused(HubError::DeviceDisabled("d".into()));
    assert_eq!(run(send(d.clone(), "b", 9000, 1), &mut records), Outcome::Enqueued(2));
    assert_eq!(run(lock(d.clone(), &[2], 1), &mut records), disabled);
    assert_eq!(run(complete(d.clone(), 1, 1), &mut records), disabled);
    run(put("d", DeviceStatus::Enabled), &mut records);
    assert_eq!(run(complete(d, 1, 1), &mut records), Outcome::Affected(1));
}

#[test]
fn what_may_not_be_sent_changes_nothing() {
    let mut records = with_device();
    let d = identity("d");
    for (expires, now) in [(1, 1), (0, 1), (1 + 48 * 3_600_000 + 1, 1)] {
        let outcome = run(send(d.clone(), "a", expires, now), &mut records);
        assert!(matches!(outcome, Outcome::Refused(HubError::InvalidExpiry(_))), "{outcome:?}");
    }
    let outcome = run(send(d.clone(), &"a".repeat(129), 9, 1), &mut records);
    assert!(matches!(outcome, Outcome::Refused(HubError::InvalidArgument(_))), "{outcome:?}");
    for n in 1..=50 {
        assert_eq!(run(send(d.clone(), "a", 900, 1), &mut records), Outcome::Enqueued(n));
    }
    run(lock(d.clone(), &[1], 1), &mut records);
    let (queues, messages) = (records.queues.clone(), records.messages.clone());
    let full = Outcome::Refused(HubError::QueueFull { max: 50 });
    // By now the lock has lapsed; a refusal does not even note that.
    assert_eq!(run(send(d, "late", 99_000, 899), &mut records), full);
    assert_eq!((records.queues, records.messages), (queues, messages));
}
