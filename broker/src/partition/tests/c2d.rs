use ironhub_domain::HubError;
use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::c2d::{AckMode, C2dMessage, C2dProperties, Holder, LockToken, Settlement};
use ironhub_domain::device::{FilterKind, StoredSession, Subscription};
use ironhub_domain::ids::{IdentityId, ModuleId};
use ironhub_domain::notice::NoticeKind;
use ironhub_domain::partition::{Command, EnqueueC2d};
use ironhub_domain::registry::{DeviceRequest, Fresh, IfMatch, PutDevice, PutMode};
use ironhub_domain::upload::{UploadResult, UploadTicket};

use super::*;
use crate::partition::records;

pub(super) fn identity(device: &str) -> IdentityId {
    DeviceId::new(device).unwrap().into()
}

pub(super) fn create(device: &str) -> Command {
    let keys = SymmetricKeys { primary: "p".into(), secondary: "s".into() };
    let fresh = Fresh { generation: "g".into(), etag: "e".into(), keys, now: UnixMs(1) };
    let request = DeviceRequest::new(DeviceId::new(device).unwrap());
    Command::PutDevice(Box::new(PutDevice { mode: PutMode::Create, request, fresh }))
}

pub(super) fn delete(device: &str) -> Command {
    let id = DeviceId::new(device).unwrap();
    Command::DeleteDevice { id, precondition: IfMatch::Any }
}

/// A message whose feedback is wanted.
pub(super) fn message(name: &str) -> C2dMessage {
    C2dMessage {
        system: C2dProperties { message_id: Some(name.into()), ..C2dProperties::default() },
        ack: AckMode::Full,
        properties: vec![AppProperty { name: "p".into(), value: Some(String::new()) }],
        body: Bytes::copy_from_slice(name.as_bytes()),
    }
}

pub(super) fn send(device: &str, name: &str, expires: u64) -> Command {
    Command::EnqueueC2d(Box::new(EnqueueC2d {
        identity: identity(device),
        message: message(name),
        expires: UnixMs(expires),
        now: UnixMs(1),
    }))
}

fn lock(device: &str, tokens: &[u8], now: u64) -> Command {
    let tokens = tokens.iter().map(|number| LockToken([*number; 16])).collect();
    let (identity, now) = (identity(device), UnixMs(now));
    Command::LockC2d { identity, tokens, holder: Holder::Session, now }
}

fn settle(device: &str, token: u8, settlement: Settlement, now: u64) -> Command {
    Command::SettleC2d {
        identity: identity(device),
        lock: LockToken([token; 16]),
        settlement,
        deliveries_max: 10,
        now: UnixMs(now),
    }
}

pub(super) fn purge(device: &str) -> Command {
    Command::PurgeC2d { identity: identity(device), now: UnixMs(2) }
}

/// One entry of these commands, as bytes.
pub(super) fn run(rig: &mut Rig, commands: &[Command]) -> Vec<Outcome> {
    let commands: Vec<_> = commands.iter().map(commands::encode).collect();
    rig.apply(&commands)
}

#[track_caller]
fn locked(outcome: &Outcome) -> Vec<C2dMessage> {
    match outcome {
        Outcome::Locked(deliveries) => {
            deliveries.iter().map(|delivery| delivery.message.clone()).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn due(rig: &Rig, now: u64) -> Vec<String> {
    let due = records::c2d_due(&*rig.store, GROUP, UnixMs(now), 10).unwrap();
    due.iter().map(ToString::to_string).collect()
}

#[test]
fn a_message_is_stored_until_it_is_settled() {
    for one_entry in [true, false] {
        let mut rig = Rig::new();
        let empty = rig.digest();
        let steps = [
            create("d"),
            send("d", "a", 9000),
            send("d", "b", 9000),
            lock("d", &[1, 2], 5),
            settle("d", 1, Settlement::Complete, 6),
            settle("d", 1, Settlement::Complete, 6),
            settle("d", 2, Settlement::Abandon, 6),
            lock("d", &[3, 4], 7),
            settle("d", 3, Settlement::Reject, 8),
        ];
        let outcomes = if one_entry {
            run(&mut rig, &steps)
        } else {
            steps.iter().map(|step| run(&mut rig, std::slice::from_ref(step)).remove(0)).collect()
        };
        assert_eq!(outcomes[1..3], [Outcome::Enqueued(1), Outcome::Enqueued(2)]);
        assert_eq!(locked(&outcomes[3]), [message("a"), message("b")]);
        assert_eq!(outcomes[4], Outcome::Affected(1));
        assert_eq!(outcomes[5], Outcome::Refused(HubError::LockLost));
        assert_eq!(outcomes[6], Outcome::Affected(1));
        assert_eq!(locked(&outcomes[7]), [message("b")]);
        assert_eq!(outcomes[8], Outcome::Affected(1));
        let queue = records::c2d_queue(&*rig.store, GROUP, &identity("d")).unwrap();
        assert_eq!((queue.next_sequence, queue.entries.len()), (3, 0));
        for sequence in 0..4 {
            let stored = records::c2d_message(&*rig.store, GROUP, &identity("d"), sequence);
            assert_eq!(stored.unwrap(), None);
        }
        let told = records::notices(&*rig.store, GROUP, NoticeKind::Feedback, 0, 10).unwrap();
        assert_eq!(told.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(due(&rig, u64::MAX), [""; 0]);
        // A device that is deleted leaves nothing but the counters of notices.
        let drop = Command::DropNotices { kind: NoticeKind::Feedback, sequences: vec![1] };
        run(&mut rig, &[send("d", "c", 9000), lock("d", &[7], 9), drop, delete("d")]);
        let told = records::notices(&*rig.store, GROUP, NoticeKind::Feedback, 0, 10).unwrap();
        assert_eq!(told, []);
        let mut rows = 0;
        rig.store
            .scan(ironhub_cluster::storage::Area::Records, &[], &[0xff; 9], &mut |_, _| {
                rows += 1;
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(rows, 1);
        assert_ne!(rig.digest(), empty);
    }
}

#[test]
fn what_is_due_is_found_by_time() {
    let mut rig = Rig::new();
    assert_eq!(records::next_c2d_due(&*rig.store, GROUP).unwrap(), None);
    run(&mut rig, &[create("d"), create("e"), create("f")]);
    run(&mut rig, &[send("d", "a", 300_000), send("e", "a", 200_000), send("f", "a", 100_000)]);
    assert_eq!(due(&rig, 99_999), [""; 0]);
    assert_eq!(due(&rig, 100_000), ["f"]);
    assert_eq!(due(&rig, 400_000), ["f", "e", "d"]);
    assert_eq!(
        records::c2d_due(&*rig.store, GROUP, UnixMs(400_000), 2).unwrap(),
        [identity("f"), identity("e")]
    );
    assert_eq!(records::c2d_due(&*rig.store, GROUP, UnixMs(400_000), 0).unwrap(), []);
    assert_eq!(records::next_c2d_due(&*rig.store, GROUP).unwrap(), Some(UnixMs(100_000)));
    // A lock is due before its message; a queue is in the index once.
    run(&mut rig, &[lock("d", &[1], 1), lock("f", &[2], 90_000)]);
    assert_eq!(due(&rig, 60_001), ["d"]);
    assert_eq!(due(&rig, 149_999), ["d"]);
    assert_eq!(due(&rig, 150_000), ["d", "f"]);
    let sweep = |now| Command::SweepC2d { identity: identity("d"), now: UnixMs(now) };
    run(&mut rig, &[sweep(60_001), purge("f"), settle("d", 1, Settlement::Complete, 2)]);
    assert_eq!(due(&rig, u64::MAX), ["e", "d"]);
    run(&mut rig, &[sweep(300_000), delete("e")]);
    assert_eq!(due(&rig, u64::MAX), [""; 0]);
}

#[test]
fn sessions_and_uploads_are_stored() {
    let mut rig = Rig::new();
    let session = StoredSession {
        subscriptions: vec![Subscription {
            kind: FilterKind::Methods,
            filter: "$iothub/methods/POST/#".into(),
            qos: 1,
        }],
    };
    let put = |session| Command::PutSession { identity: identity("d"), session };
    let ticket =
        UploadTicket { correlation_id: "c".into(), blob_name: "d/b".into(), expires: UnixMs(10) };
    let device = DeviceId::new("d").unwrap();
    let open =
        Command::OpenUpload { device: device.clone(), ticket: ticket.clone(), now: UnixMs(1) };
    run(&mut rig, &[create("d"), put(Some(session.clone())), open]);
    let stored = |rig: &Rig| records::session(&*rig.store, GROUP, &identity("d")).unwrap();
    assert_eq!(stored(&rig), Some(session));
    assert_eq!(records::uploads(&*rig.store, GROUP, &device).unwrap(), [ticket]);
    let close = Command::CloseUpload {
        device: device.clone(),
        correlation_id: "c".into(),
        result: UploadResult::Failed,
        notify: true,
        now: UnixMs(2),
    };
    run(&mut rig, &[put(None), close]);
    assert_eq!(stored(&rig), None);
    assert_eq!(records::uploads(&*rig.store, GROUP, &device).unwrap(), []);
}

#[test]
fn commands_are_read_as_they_were_written() {
    let module = IdentityId::module(DeviceId::new("d").unwrap(), ModuleId::new("m").unwrap());
    let full = C2dMessage {
        system: C2dProperties {
            message_id: Some("m".into()),
            correlation_id: Some(String::new()),
            user_id: Some("u".into()),
            content_type: Some("t".into()),
            content_encoding: Some("e".into()),
            creation_time: Some(UnixMs(0)),
            absolute_expiry: Some(UnixMs(8)),
        },
        ..message("m")
    };
    let enqueue = |identity: IdentityId, message, expires, now| {
        let (expires, now) = (UnixMs(expires), UnixMs(now));
        Command::EnqueueC2d(Box::new(EnqueueC2d { identity, message, expires, now }))
    };
    let stored = |device: &str| Command::CloseUpload {
        device: DeviceId::new(device).unwrap(),
        correlation_id: "c".into(),
        result: UploadResult::Stored {
            blob_uri: "https://h/b".into(),
            bytes: u64::MAX,
            last_updated: UnixMs(4),
        },
        notify: false,
        now: UnixMs(5),
    };
    let mut all = vec![
        enqueue(module.clone(), full, 9, 8),
        enqueue(identity("d"), C2dMessage::default(), 0, 0),
        lock("d", &[], 3),
        lock("d", &[1, 2], 3),
        Command::LockC2d {
            identity: module.clone(),
            tokens: vec![LockToken([9; 16])],
            holder: Holder::Request,
            now: UnixMs(4),
        },
        Command::LockC2d {
            identity: identity("d"),
            tokens: vec![LockToken([8; 16])],
            holder: Holder::StoredSession,
            now: UnixMs(4),
        },
        Command::ReleaseC2d { identity: module.clone(), now: UnixMs(1) },
        Command::SweepC2d { identity: module.clone(), now: UnixMs(2) },
        Command::PurgeC2d { identity: module.clone(), now: UnixMs(3) },
        Command::PutSession { identity: module.clone(), session: None },
        Command::PutSession { identity: module.clone(), session: Some(StoredSession::default()) },
        stored("d"),
        Command::DropNotices { kind: NoticeKind::Feedback, sequences: vec![0, u64::MAX] },
        Command::DropNotices { kind: NoticeKind::FileUpload, sequences: Vec::new() },
    ];
    for settlement in [Settlement::Complete, Settlement::Reject, Settlement::Abandon] {
        all.push(settle("d", 7, settlement, 1));
    }
    let kinds = [
        FilterKind::C2d,
        FilterKind::Inputs,
        FilterKind::Module,
        FilterKind::TwinResponses,
        FilterKind::Desired,
        FilterKind::Methods,
    ];
    let subscriptions = kinds
        .into_iter()
        .map(|kind| Subscription { kind, filter: format!("{kind:?}/#"), qos: 1 })
        .collect();
    let session = Some(StoredSession { subscriptions });
    all.push(Command::PutSession { identity: module, session });
    for command in all {
        let bytes = commands::encode(&command);
        let read = super::super::encode::command::decode(&bytes);
        assert_eq!(read.as_ref(), Ok(&command));
        for cut in 0..bytes.len() {
            // It may be another command then, but reading it does no harm.
            let _ = super::super::encode::command::decode(&bytes[..cut]);
        }
    }
}

#[test]
fn a_lock_token_has_sixteen_bytes() {
    let mut bytes = commands::encode(&settle("d", 1, Settlement::Complete, 1)).to_vec();
    let at = bytes.windows(2).position(|field| field == [0x12, 16]).unwrap();
    bytes.remove(at + 2);
    bytes[at + 1] = 15;
    let mut rig = Rig::new();
    let outcome = rig.apply_one(bytes.into());
    assert!(matches!(outcome, Outcome::Refused(HubError::Internal(_))), "{outcome:?}");
}
