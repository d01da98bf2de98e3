use ironhub_domain::limits::NOTICES_MAX;
use ironhub_domain::notice::{FeedbackStatus, Notice, NoticeKind};
use ironhub_domain::partition::{Command, Records};
use ironhub_domain::upload::{UploadResult, UploadTicket};

use super::c2d::{create, delete, identity, purge, run, send};
use super::*;
use crate::partition::machine::Logs;
use crate::partition::records;
use crate::partition::transaction::Transaction;

fn read(rig: &Rig, kind: NoticeKind, from: u64, max: usize) -> Vec<(u64, Notice)> {
    records::notices(&*rig.store, GROUP, kind, from, max).unwrap()
}

/// Number and message id of each feedback.
fn feedback(rig: &Rig, from: u64, max: usize) -> Vec<(u64, String)> {
    let notices = read(rig, NoticeKind::Feedback, from, max).into_iter();
    notices
        .map(|(sequence, notice)| match notice {
            Notice::Feedback { original_message_id, .. } => (sequence, original_message_id),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn drop(kind: NoticeKind, sequences: &[u64]) -> Command {
    Command::DropNotices { kind, sequences: sequences.to_vec() }
}

fn numbered(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(number, id)| (*number, (*id).to_owned())).collect()
}

#[test]
fn notices_are_numbered_read_in_order_and_dropped_one_by_one() {
    let mut rig = Rig::new();
    run(&mut rig, &[create("d"), create("e")]);
    assert_eq!(feedback(&rig, 0, 9), []);
    run(&mut rig, &[send("d", "a", 9), send("d", "b", 9), purge("d")]);
    run(&mut rig, &[send("e", "c", 9), purge("e"), send("d", "f", 9), purge("d")]);
    let all = numbered(&[(1, "a"), (2, "b"), (3, "c"), (4, "f")]);
    assert_eq!(feedback(&rig, 0, 9), all);
    assert_eq!(feedback(&rig, 2, 2), all[1..3]);
    assert_eq!(feedback(&rig, 5, 9), []);
    assert_eq!(feedback(&rig, 0, 0), []);
    let expected = Notice::Feedback {
        original_message_id: "c".into(),
        identity: identity("e"),
        generation: "g".into(),
        status: FeedbackStatus::Purged,
        at: UnixMs(2),
    };
    assert_eq!(read(&rig, NoticeKind::Feedback, 3, 1), [(3, expected)]);
    run(
        &mut rig,
        &[drop(NoticeKind::Feedback, &[3, 1, 1, 99]), drop(NoticeKind::FileUpload, &[2])],
    );
    assert_eq!(feedback(&rig, 0, 9), numbered(&[(2, "b"), (4, "f")]));
    // Its number is never given again, though the newest has gone.
    run(&mut rig, &[drop(NoticeKind::Feedback, &[2, 4]), send("d", "g", 9), purge("d")]);
    assert_eq!(feedback(&rig, 0, 9), numbered(&[(5, "g")]));
}

#[test]
fn the_feedback_of_a_deleted_device_goes_and_nobody_elses() {
    for one_entry in [true, false] {
        let mut rig = Rig::new();
        let mut steps = vec![create("d"), create("d2"), create("c")];
        for device in ["c", "d", "d2", "d"] {
            steps.extend([send(device, device, 9), purge(device)]);
        }
        steps.push(delete("d"));
        if one_entry {
            run(&mut rig, &steps);
        } else {
            for step in steps {
                run(&mut rig, &[step]);
            }
        }
        assert_eq!(feedback(&rig, 0, 9), numbered(&[(1, "c"), (3, "d2")]));
        run(&mut rig, &[create("d"), send("d", "new", 9), purge("d")]);
        assert_eq!(feedback(&rig, 0, 9), numbered(&[(1, "c"), (3, "d2"), (5, "new")]));
    }
}

#[test]
fn uploaded_files_have_a_queue_of_their_own() {
    let mut rig = Rig::new();
    run(&mut rig, &[create("d"), send("d", "a", 9), purge("d")]);
    let device = DeviceId::new("d").unwrap();
    let ticket =
        UploadTicket { correlation_id: "c".into(), blob_name: "d/b".into(), expires: UnixMs(10) };
    let close = Command::CloseUpload {
        device: device.clone(),
        correlation_id: "c".into(),
        result: UploadResult::Stored {
            blob_uri: "https://h/b".into(),
            bytes: 3,
            last_updated: UnixMs(2),
        },
        notify: true,
        now: UnixMs(3),
    };
    run(&mut rig, &[Command::OpenUpload { device: device.clone(), ticket, now: UnixMs(1) }, close]);
    let expected = Notice::FileUpload {
        device,
        blob_uri: "https://h/b".into(),
        blob_name: "d/b".into(),
        last_updated: UnixMs(2),
        bytes: 3,
        at: UnixMs(3),
    };
    assert_eq!(read(&rig, NoticeKind::FileUpload, 0, 9), [(1, expected.clone())]);
    // What a service has not heard of yet outlives its device, unlike feedback.
    run(&mut rig, &[delete("d")]);
    assert_eq!(read(&rig, NoticeKind::FileUpload, 0, 9), [(1, expected)]);
    assert_eq!(feedback(&rig, 0, 9), []);
}

#[test]
fn of_too_many_notices_the_oldest_go() {
    let store = MemoryStore::new();
    let notice = |number: u64| Notice::Feedback {
        original_message_id: number.to_string(),
        identity: identity("d"),
        generation: String::new(),
        status: FeedbackStatus::Success,
        at: UnixMs(number),
    };
    let mut logs = Logs::default();
    let mut change = |work: &mut dyn FnMut(&mut Transaction<'_, '_>)| {
        let mut tx = StateTx::new(&store, GROUP);
        work(&mut Transaction { group: GROUP, logs: &mut logs, tx: &mut tx });
        store.write(&tx.into_changes()).unwrap();
    };
    let read = |from| records::notices(&store, GROUP, NoticeKind::Feedback, from, 1).unwrap();
    change(&mut |transaction| {
        for number in 1..=NOTICES_MAX {
            transaction.push_notice(&notice(number)).unwrap();
        }
    });
    assert_eq!(read(0), [(1, notice(1))]);
    change(&mut |transaction| {
        transaction.drop_notices(NoticeKind::Feedback, &[2, 4]).unwrap();
        for number in 1..=2 {
            transaction.push_notice(&notice(number)).unwrap();
        }
    });
    assert_eq!(read(0), [(1, notice(1))], "two went, two came");
    change(&mut |transaction| transaction.push_notice(&notice(7)).unwrap());
    assert_eq!(read(0), [(3, notice(3))]);
    change(&mut |transaction| transaction.push_notice(&notice(8)).unwrap());
    assert_eq!(read(0), [(5, notice(5))]);
    assert_eq!(read(NOTICES_MAX + 4), [(NOTICES_MAX + 4, notice(8))]);
    change(&mut |transaction| {
        transaction.drop_feedback_of(&DeviceId::new("d").unwrap()).unwrap();
    });
    assert_eq!(read(0), []);
}
