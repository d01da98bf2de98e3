use super::*;
use crate::partition::event_log::{Append, Stream, TrimMark};

const OTHER: Stream = Stream(7);

fn with_events() -> Memory {
    let mut records = Memory::default();
    for stream in [Stream::BUILT_IN, OTHER] {
        let batch = Append { count: 10, bytes: 100, last_event_at: 90, stamped: UnixMs(1) };
        let log = records.logs.entry(stream).or_default();
        log.append(batch).unwrap();
    }
    records
}

#[test]
fn each_log_is_trimmed_for_itself() {
    let mut records = with_events();
    let trim = |sequence| Command::TrimEvents(TrimMark { stream: OTHER, sequence, offset: 40 });
    run(trim(4), &mut records);
    run(trim(3), &mut records);
    assert_eq!(records.dropped, [(OTHER, 0, 4)]);
    assert_eq!(records.logs[&OTHER].first_sequence, 4);
    assert_eq!(records.logs[&Stream::BUILT_IN].first_sequence, 0);
}

#[test]
fn a_cursor_moves_forward_and_not_beyond_the_end() {
    let mut records = with_events();
    for (sequence, expected) in [(3, 3), (2, 3), (10, 10), (11, 10), (u64::MAX, 10)] {
        run(Command::MoveCursor { stream: OTHER, sequence }, &mut records);
        assert_eq!(records.cursors[&OTHER], expected, "{sequence}");
    }
}

#[test]
fn a_log_that_is_forgotten_leaves_nothing_and_the_built_in_one_stays() {
    let mut records = with_events();
    run(Command::MoveCursor { stream: OTHER, sequence: 5 }, &mut records);
    for stream in [OTHER, Stream::BUILT_IN] {
        run(Command::ForgetStream(stream), &mut records);
    }
    assert_eq!(records.dropped, [(OTHER, 0, 10)]);
    assert!(records.cursors.is_empty());
    assert_eq!(records.logs.keys().collect::<Vec<_>>(), [&Stream::BUILT_IN]);
}
