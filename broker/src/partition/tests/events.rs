use std::sync::Arc;

use ironhub_domain::partition::{Command, Retention, Stream, TrimMark};

use super::*;
use crate::partition::retention::trim_command;

/// Three entries: several batches in the first, other commands between them, a clock that goes back.
fn fill(rig: &mut Rig) -> Vec<Outcome> {
    let mut outcomes = rig.apply(&[
        batch("d1", 1000, &["a", "b"]),
        commands::encode(&Command::DeleteConsumerGroup("nobody".into())),
        batch("d2", 1001, &["c"]),
        Bytes::from_static(b"\x01 too short"),
        Bytes::new(),
    ]);
    outcomes.extend(rig.apply(&[batch("d1", 500, &["d", "e", "f"])]));
    outcomes.extend(rig.apply(&[batch("d2", 3000, &["g"])]));
    outcomes
}

#[test]
fn events_come_back_as_they_were_sent_numbered_without_gap() {
    let mut rig = Rig::new();
    fill(&mut rig);
    let events = rig.all();
    assert_eq!(bodies(&events), ["a", "b", "c", "d", "e", "f", "g"]);
    let numbers: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(events[0].offset, 0);
    assert!(events.is_sorted_by(|a, b| a.offset < b.offset), "offsets grow strictly");
    let times: Vec<_> = events.iter().map(|event| event.enqueued.0).collect();
    assert_eq!(times, [1000, 1000, 1001, 1001, 1001, 1001, 3000], "time never goes back");
    for event in &events {
        let device =
            if "cg".contains(&bodies(&events)[event.sequence as usize]) { "d2" } else { "d1" };
        assert_eq!(event.origin, origin(device));
        assert_eq!(event.message.properties, message("x").properties);
    }
}

#[test]
fn outcomes_give_the_numbers_that_readers_see() {
    let mut rig = Rig::new();
    let outcomes = fill(&mut rig);
    let events = rig.all();
    let mut ranges = Vec::new();
    for outcome in &outcomes {
        if let Outcome::Events(appended) = outcome {
            ranges.push((appended.first_sequence, appended.last_sequence));
            let first = &events[appended.first_sequence as usize];
            let last = &events[appended.last_sequence as usize];
            assert_eq!(first.offset, appended.first_offset);
            assert_eq!(last.offset, appended.last_offset);
            assert_eq!(last.enqueued, appended.enqueued);
        }
    }
    assert_eq!(ranges, [(0, 1), (2, 2), (3, 5), (6, 6)]);
    let refused = outcomes.iter().filter(|o| matches!(o, Outcome::Refused(_))).count();
    assert_eq!(refused, 3, "each command has its own outcome");
    let log = rig.reader().bounds();
    assert_eq!((log.last_offset, log.last_enqueued), (events[6].offset, events[6].enqueued));
}

#[test]
fn the_same_entries_give_the_same_bytes_and_other_ones_do_not() {
    let (mut one, mut two) = (Rig::new(), Rig::new());
    assert_eq!(fill(&mut one), fill(&mut two));
    assert_eq!(one.digest(), two.digest());
    one.apply(&[batch("d", 4000, &["x"])]);
    two.apply(&[batch("d", 4000, &["y"])]);
    assert_ne!(one.digest(), two.digest());
}

#[test]
fn a_restart_goes_on_where_the_store_is() {
    let mut rig = Rig::new();
    fill(&mut rig);
    let (log, events) = (rig.reader().bounds(), rig.all());
    let mut rig = Rig::over(rig.store);
    assert_eq!(rig.reader().bounds(), log, "published before anything is applied");
    assert_eq!(rig.all(), events);
    rig.apply(&[batch("d1", 1, &["h"])]);
    let newest = rig.all().pop().unwrap();
    assert_eq!((newest.sequence, newest.enqueued), (7, log.last_enqueued));
    assert_eq!(newest.offset, log.next_offset);
}

#[test]
fn reads_stop_at_the_bounds_given_and_go_on_anywhere() {
    let mut rig = Rig::new();
    fill(&mut rig);
    let reader = rig.reader();
    let all = rig.all();
    for from in 0..=8 {
        for events_max in 0..=8 {
            let expected: Vec<_> =
                all.iter().skip(from as usize).take(events_max).cloned().collect();
            let got = reader.read(from, usize::MAX, events_max).unwrap();
            assert_eq!(got, expected, "{events_max} from {from}");
        }
    }
    assert_eq!(reader.read(1, 0, usize::MAX).unwrap().len(), 1, "at least one");
    assert!(reader.read(u64::MAX, 0, usize::MAX).unwrap().is_empty());
}

#[test]
fn an_empty_partition_has_no_events_and_no_trouble() {
    let rig = Rig::new();
    assert!(rig.all().is_empty());
    let retention = Retention { age_ms: 0, bytes_max: Some(0) };
    assert_eq!(trim_command(&rig.reader(), &retention, UnixMs(u64::MAX)).unwrap(), None);
}

#[test]
fn trimmed_events_are_gone_from_readers_and_from_the_store() {
    let mut rig = Rig::new();
    fill(&mut rig);
    let before = rig.store.bytes();
    let old_reader_saw = rig.all();
    let mark = TrimMark { stream: Stream::BUILT_IN, sequence: 3, offset: old_reader_saw[3].offset };
    assert_eq!(rig.apply_one(commands::encode(&Command::TrimEvents(mark))), Outcome::Done);
    assert!(rig.store.bytes() < before);
    assert_eq!(bodies(&rig.all()), ["d", "e", "f", "g"]);
    assert_eq!(rig.all(), old_reader_saw[3..]);
    let digest = rig.digest();
    rig.apply_one(commands::encode(&Command::TrimEvents(mark)));
    assert_eq!(rig.digest(), digest, "again changes nothing");
    assert_eq!(Rig::over(rig.store).reader().bounds().first_sequence, 3);
}

#[test]
fn retention_trims_whole_rows_by_age_and_by_bytes() {
    let check = |retention: Retention, now: u64, left: &[&str]| {
        let mut rig = Rig::new();
        fill(&mut rig);
        if let Some(command) = trim_command(&rig.reader(), &retention, UnixMs(now)).unwrap() {
            assert_eq!(rig.apply_one(commands::encode(&command)), Outcome::Done);
            let log = rig.reader().bounds();
            assert_eq!(log.bytes() == 0, left.is_empty());
            let again = trim_command(&rig.reader(), &retention, UnixMs(now)).unwrap();
            assert_eq!(again, None, "one trim does it all");
        }
        assert_eq!(bodies(&rig.all()), left, "{retention:?} at {now}");
        rig.apply(&[batch("d1", now, &["next"])]);
        assert_eq!(rig.all().pop().unwrap().sequence, 7, "numbers go on");
    };
    let by_age = Retention { age_ms: 1000, bytes_max: None };
    check(by_age, 2001, &["a", "b", "c", "d", "e", "f", "g"]);
    check(by_age, 2002, &["g"]);
    check(by_age, 4000, &["g"]);
    check(by_age, 4001, &[]);
    let all = {
        let mut rig = Rig::new();
        fill(&mut rig);
        rig.reader().bounds().bytes()
    };
    let by_bytes = |max| Retention { age_ms: u64::MAX, bytes_max: Some(max) };
    check(by_bytes(all), 9000, &["a", "b", "c", "d", "e", "f", "g"]);
    check(by_bytes(all - 1), 9000, &["d", "e", "f", "g"]);
    check(by_bytes(1), 9000, &[]);
}

#[test]
fn readers_learn_of_new_events() {
    let mut rig = Rig::new();
    let mut watermark = rig.reader().watermark();
    watermark.mark_unchanged();
    rig.apply(&[Bytes::new()]);
    assert!(!watermark.has_changed().unwrap(), "nothing came");
    rig.apply(&[batch("d", 1, &["a"])]);
    assert!(watermark.has_changed().unwrap());
    assert_eq!(watermark.borrow().next_sequence, 1);
}

#[test]
fn a_damaged_row_is_an_error_and_what_lies_before_it_is_read() {
    use ironhub_cluster::storage::{Area, Change};
    let mut rig = Rig::new();
    fill(&mut rig);
    let key = crate::partition::keys::event_row(GROUP, Stream::BUILT_IN, 3);
    let row = rig.store.get(Area::Events, &key).unwrap().unwrap();
    for cut in [0, 10, 29, 40, row.len() - 1] {
        let store = Arc::clone(&rig.store);
        store.write(&[Change::Put(Area::Events, key.clone(), row[..cut].to_vec())]).unwrap();
        assert_eq!(bodies(&rig.all())[..3], ["a", "b", "c"], "{cut}");
        assert!(rig.reader().read(3, usize::MAX, usize::MAX).is_err(), "{cut}");
    }
}

#[test]
fn each_log_has_its_own_numbers_and_rows() {
    const OTHER: Stream = Stream(3);
    let mut rig = Rig::new();
    let both = commands::bundle(
        None,
        &[(Stream::BUILT_IN, batch("d", 10, &["a"])), (OTHER, batch("d", 10, &["a", "b"]))],
    );
    for command in [batch("d", 5, &["first"]), both.clone(), both] {
        assert!(matches!(rig.apply_one(command), Outcome::Events(_)));
    }
    let bodies = |rig: &Rig, stream| -> Vec<(u64, String)> {
        let events = rig.reader_of(stream).read(0, usize::MAX, 100).unwrap();
        let text = |event: Event| String::from_utf8(event.message.body.to_vec()).unwrap();
        events.into_iter().map(|event| (event.sequence, text(event))).collect()
    };
    let named = |list: &[(u64, &str)]| -> Vec<(u64, String)> {
        list.iter().map(|(sequence, body)| (*sequence, (*body).to_owned())).collect()
    };
    assert_eq!(bodies(&rig, Stream::BUILT_IN), named(&[(0, "first"), (1, "a"), (2, "a")]));
    let others = named(&[(0, "a"), (1, "b"), (2, "a"), (3, "b")]);
    assert_eq!(bodies(&rig, OTHER), others);

    let rig = Rig::over(rig.store.clone());
    assert_eq!(bodies(&rig, OTHER), others, "after a restart");
    let mut rig = rig;
    let mark = TrimMark { stream: OTHER, sequence: 2, offset: 0 };
    rig.apply_one(commands::encode(&Command::TrimEvents(mark)));
    assert_eq!(bodies(&rig, OTHER), others[2..]);
    rig.apply_one(commands::encode(&Command::MoveCursor { stream: OTHER, sequence: 3 }));
    assert_eq!(crate::partition::records::cursor(&*rig.store, GROUP, OTHER).unwrap(), 3);
    rig.apply_one(commands::encode(&Command::ForgetStream(OTHER)));
    let rig = Rig::over(rig.store.clone());
    assert!(bodies(&rig, OTHER).is_empty());
    assert_eq!(crate::partition::records::cursor(&*rig.store, GROUP, OTHER).unwrap(), 0);
    assert_eq!(bodies(&rig, Stream::BUILT_IN).len(), 3);
}

#[test]
fn of_a_change_that_is_refused_nothing_is_told() {
    let mut rig = Rig::new();
    let delete = commands::encode(&Command::DeleteConsumerGroup("none".into()));
    let told = [(Stream::BUILT_IN, batch("d", 10, &["gone"]))];
    let outcome = rig.apply_one(commands::bundle(Some(&delete), &told));
    assert!(matches!(outcome, Outcome::Refused(_)));
    let group = ironhub_domain::partition::ConsumerGroup { name: "g".into(), created: UnixMs(1) };
    let put = commands::encode(&Command::PutConsumerGroup(group));
    assert_eq!(rig.apply_one(commands::bundle(Some(&put), &told)), Outcome::Done);
    assert_eq!(rig.reader().read(0, usize::MAX, 10).unwrap().len(), 1);
    let whole = commands::bundle(Some(&put), &told);
    for cut in 1..whole.len() {
        let outcome = rig.apply_one(whole.slice(..cut));
        let applied_change = cut == 5 + put.len();
        assert_eq!(matches!(outcome, Outcome::Refused(_)), !applied_change, "{cut}");
    }
    assert_eq!(rig.reader().read(0, usize::MAX, 10).unwrap().len(), 1);
}
