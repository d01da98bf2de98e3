use super::c2d::{id, identity, put, send, with_device};
use super::memory::Memory;
use super::*;
use crate::c2d::{Holder, LockToken};
use crate::device::{DeviceStatus, FilterKind, StoredSession, Subscription};
use crate::notice::Notice;
use crate::upload::{UploadResult, UploadTicket};

fn session(filters: usize, filter: &str) -> StoredSession {
    let subscription = Subscription { kind: FilterKind::C2d, filter: filter.to_owned(), qos: 1 };
    StoredSession { subscriptions: vec![subscription; filters] }
}

fn keep(device: &str, session: Option<StoredSession>) -> Command {
    Command::PutSession { identity: identity(device), session }
}

#[test]
fn a_session_is_kept_replaced_and_forgotten() {
    let mut records = with_device();
    let d = identity("d");
    for count in [1, 10] {
        let put = keep("d", Some(session(count, "devices/d/messages/devicebound/#")));
        assert_eq!(run(put, &mut records), Outcome::Done);
        assert_eq!(records.sessions[&d].subscriptions.len(), count);
    }
    for too_much in [session(11, "f"), session(1, &"f".repeat(1025))] {
        let outcome = run(keep("d", Some(too_much)), &mut records);
        assert!(matches!(outcome, Outcome::Refused(HubError::InvalidArgument(_))));
    }
    assert_eq!(records.sessions[&d].subscriptions.len(), 10);
    for _ in 0..2 {
        assert_eq!(run(keep("d", None), &mut records), Outcome::Done);
        assert!(records.sessions.is_empty());
    }
    let unknown = Outcome::Refused(HubError::DeviceNotFound("x".into()));
    assert_eq!(run(keep("x", Some(session(1, "f"))), &mut records), unknown);
}

#[test]
fn what_a_stored_session_was_sent_is_known_until_it_is_forgotten() {
    let mut records = with_device();
    let d = identity("d");
    run(send(d.clone(), "a", 9000, 1), &mut records);
    let put = keep("d", Some(session(1, "devices/d/messages/devicebound/#")));
    run(put.clone(), &mut records);
    let mut sent_before = |forget: bool, number: u8| {
        if forget {
            assert_eq!(run(keep("d", None), &mut records), Outcome::Done);
        }
        run(put.clone(), &mut records);
        let (tokens, now) = (vec![LockToken([number; 16])], UnixMs(2));
        let lock =
            Command::LockC2d { identity: d.clone(), tokens, holder: Holder::StoredSession, now };
        let outcome = run(lock, &mut records);
        run(Command::ReleaseC2d { identity: d.clone(), now }, &mut records);
        let Outcome::Locked(deliveries) = outcome else { panic!("{outcome:?}") };
        deliveries.iter().map(|delivery| delivery.sent_before).collect::<Vec<_>>()
    };
    assert_eq!(sent_before(false, 1), [false]);
    assert_eq!(sent_before(false, 2), [true], "also if its subscriptions change");
    assert_eq!(sent_before(true, 3), [false]);
    assert_eq!(sent_before(false, 4), [true]);
}

fn open(name: &str, expires: u64, now: u64) -> Command {
    let ticket = UploadTicket {
        correlation_id: name.to_owned(),
        blob_name: format!("d/{name}"),
        expires: UnixMs(expires),
    };
    Command::OpenUpload { device: id("d"), ticket, now: UnixMs(now) }
}

fn close(name: &str, stored: bool, notify: bool, now: u64) -> Command {
    let result = if stored {
        let blob_uri = format!("https://h/{name}");
        UploadResult::Stored { blob_uri, bytes: 7, last_updated: UnixMs(3) }
    } else {
        UploadResult::Failed
    };
    let (correlation_id, now) = (name.to_owned(), UnixMs(now));
    Command::CloseUpload { device: id("d"), correlation_id, result, notify, now }
}

fn open_now(records: &Memory) -> Vec<&str> {
    let tickets = records.uploads.get(&id("d"));
    tickets.into_iter().flatten().map(|ticket| ticket.correlation_id.as_str()).collect()
}

#[test]
fn an_upload_ends_once_and_a_stored_blob_is_reported_if_wanted() {
    let mut records = with_device();
    for name in ["a", "b", "c"] {
        assert_eq!(run(open(name, 100, 1), &mut records), Outcome::Done);
    }
    assert_eq!(run(close("a", true, true, 5), &mut records), Outcome::Done);
    assert_eq!(run(close("b", true, false, 5), &mut records), Outcome::Done);
    assert_eq!(run(close("c", false, true, 5), &mut records), Outcome::Done);
    assert!(open_now(&records).is_empty());
    let notice = Notice::FileUpload {
        device: id("d"),
        blob_uri: "https://h/a".into(),
        blob_name: "d/a".into(),
        last_updated: UnixMs(3),
        bytes: 7,
        at: UnixMs(5),
    };
    assert_eq!(records.notices, [Some(notice)]);
    let unknown = Outcome::Refused(HubError::UploadNotFound("a".into()));
    assert_eq!(run(close("a", true, true, 6), &mut records), unknown);
}

#[test]
fn ten_uploads_are_open_at_a_time_and_those_that_are_over_do_not_count() {
    let mut records = with_device();
    run(open("short", 50, 1), &mut records);
    for n in 1..10 {
        assert_eq!(run(open(&n.to_string(), 100, 1), &mut records), Outcome::Done);
    }
    let full = Outcome::Refused(HubError::TooManyUploads { max: 10 });
    assert_eq!(run(open("more", 100, 49), &mut records), full);
    let over = Outcome::Refused(HubError::UploadExpired);
    assert_eq!(run(close("short", true, true, 50), &mut records), over);
    assert_eq!(run(open("more", 100, 50), &mut records), Outcome::Done);
    assert_eq!(open_now(&records), ["1", "2", "3", "4", "5", "6", "7", "8", "9", "more"]);
    assert_eq!(run(close("9", false, true, 60), &mut records), Outcome::Done);
    assert_eq!(run(open("again", 100, 60), &mut records), Outcome::Done);
    assert!(records.notices.is_empty());
}

#[test]
fn a_disabled_device_begins_and_ends_nothing() {
    let mut records = with_device();
    run(open("a", 100, 1), &mut records);
    run(put("d", DeviceStatus::Disabled), &mut records);
    for command in [open("b", 100, 1), close("a", true, true, 1), keep("d", Some(session(1, "f")))]
    {
        let disabled = Outcome::Refused(HubError::DeviceDisabled("d".into()));
        assert_eq!(run(command, &mut records), disabled);
    }
    let mut unknown = Memory::default();
    let missing = Outcome::Refused(HubError::DeviceNotFound("d".into()));
    assert_eq!(run(open("a", 100, 1), &mut unknown), missing);
    assert_eq!(run(close("a", true, true, 1), &mut unknown), missing);
}
