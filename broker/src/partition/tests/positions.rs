use ironhub_domain::HubError;
use ironhub_domain::event::StartPosition::{
    self, Earliest, EnqueuedTime, Latest, Offset, Sequence,
};
use ironhub_domain::partition::{Command, Stream, TrimMark};

use super::*;

/// Ten rows of three events in two batches; times 1000, 1010, … per row, the second batch 5 later.
fn filled() -> Rig {
    let mut rig = Rig::new();
    for row in 0..10 {
        let time = 1000 + row * 10;
        rig.apply(&[batch("d1", time, &["a", "bb"]), batch("d2", time + 5, &["ccc"])]);
    }
    rig
}

/// Every position, asked of the reader and of a plain search over all events.
#[test]
fn every_position_is_the_first_event_that_lies_behind_it() {
    let mut rig = filled();
    for trimmed in [0, 12, 30] {
        let all = Rig::over(rig.store.clone()).all();
        let log = rig.reader().bounds();
        let offset =
            all.iter().find(|e| e.sequence == trimmed).map_or(log.next_offset, |e| e.offset);
        let mark = TrimMark { stream: Stream::BUILT_IN, sequence: trimmed, offset };
        rig.apply_one(commands::encode(&Command::TrimEvents(mark)));
        let (all, reader) = (rig.all(), rig.reader());
        let log = reader.bounds();
        assert_eq!(log.first_sequence, trimmed);
        let check = |position: StartPosition, wanted: &dyn Fn(&Event) -> bool| {
            let expected = all.iter().find(|e| wanted(e)).map_or(log.next_sequence, |e| e.sequence);
            assert_eq!(reader.resolve(position), Ok(expected), "{position:?} trimmed {trimmed}");
        };
        check(Earliest, &|_| true);
        check(Latest, &|_| false);
        for value in 0..=log.next_sequence {
            check(Sequence { value, inclusive: true }, &|e| e.sequence >= value);
            check(Sequence { value, inclusive: false }, &|e| e.sequence > value);
        }
        for value in 0..=log.next_offset {
            check(Offset { value, inclusive: true }, &|e| e.offset >= value);
            check(Offset { value, inclusive: false }, &|e| e.offset > value);
        }
        for time in (990..1110).map(UnixMs) {
            check(EnqueuedTime { time, inclusive: true }, &|e| e.enqueued >= time);
            check(EnqueuedTime { time, inclusive: false }, &|e| e.enqueued > time);
        }
        check(EnqueuedTime { time: UnixMs(u64::MAX), inclusive: false }, &|_| false);
    }
}

#[test]
fn a_number_that_the_log_has_not_reached_is_refused() {
    let rig = filled();
    let reader = rig.reader();
    let log = reader.bounds();
    for inclusive in [true, false] {
        for position in [
            Sequence { value: log.next_sequence + 1, inclusive },
            Sequence { value: u64::MAX, inclusive },
            Offset { value: log.next_offset + 1, inclusive },
            Offset { value: u64::MAX, inclusive },
        ] {
            let refused = reader.resolve(position);
            assert!(matches!(refused, Err(HubError::InvalidArgument(_))), "{position:?}");
        }
    }
}

#[test]
fn an_empty_partition_starts_at_its_first_event_to_come() {
    let reader = Rig::new().reader();
    let time = UnixMs(5);
    for position in [
        Earliest,
        Latest,
        Sequence { value: 0, inclusive: true },
        Sequence { value: 0, inclusive: false },
        Offset { value: 0, inclusive: false },
        EnqueuedTime { time, inclusive: false },
    ] {
        assert_eq!(reader.resolve(position), Ok(0), "{position:?}");
    }
}
