//! What every [`LogStore`] and every [`StateStore`] must do, run against each implementation.
//!
//! [`log_store`] and [`state_store`] check the contract rule by rule; [`state_store_model`] runs random batches against a
//! [`MemoryStore`]. The log's random battery, with crashes, is [`super::log_model`].

use std::ops::ControlFlow;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::digest::{digest, prefix_end};
use super::memory_store::MemoryStore;
use crate::log::{
    EntryKind, GroupWrite, HardState, LogEntry, LogError, LogStart, LogStore, LogWrite,
};
use crate::machine::GroupId;
use crate::storage::{Area, Change, StateStore};

const ONE: GroupId = GroupId(1);
const TWO: GroupId = GroupId(2);

fn entries(from: u64, to: u64, term: u64) -> Vec<LogEntry> {
    let entry = |index| {
        let data = Bytes::from(format!("entry {index} of term {term}"));
        LogEntry { index, term, kind: EntryKind::Normal, data }
    };
    (from..to).map(entry).collect()
}

fn append(group: GroupId, entries: Vec<LogEntry>) -> LogWrite {
    LogWrite { groups: vec![(group, GroupWrite { entries, ..GroupWrite::default() })] }
}

fn terms(log: &dyn LogStore, group: GroupId) -> Vec<(u64, u64)> {
    let found = log.groups().into_iter().find(|(id, _)| *id == group).expect("the group").1;
    let read = log.entries(group, found.start.index + 1, found.last_index + 1, u64::MAX);
    let read = read.expect("entries");
    for entry in &read {
        assert_eq!(log.term(group, entry.index).expect("term"), entry.term);
        assert_eq!(entry.data, entries(entry.index, entry.index + 1, entry.term)[0].data);
    }
    read.iter().map(|entry| (entry.index, entry.term)).collect()
}

/// The contract of [`LogStore`]. Each call of `open` is a restart: the log it gave before was dropped.
///
/// # Panics
/// When a rule is broken.
pub fn log_store(open: &mut dyn FnMut() -> Box<dyn LogStore>) {
    let log = open();
    assert!(log.groups().is_empty());
    assert!(log.bytes() > 0);
    log.write(&LogWrite::default()).expect("nothing to write");
    assert!(matches!(log.term(ONE, 1), Err(LogError::Unavailable { .. })));

    // Two groups in one write; a group's hard state alone.
    let state = HardState { term: 1, vote: 2, commit: 3 };
    let mut write = append(ONE, entries(1, 11, 1));
    write.groups[0].1.hard_state = Some(state);
    write.groups.push((TWO, GroupWrite { hard_state: Some(state), ..GroupWrite::default() }));
    log.write(&write).expect("append");
    drop(log);
    let log = open();
    let found: Vec<_> = log.groups().iter().map(|(id, log)| (*id, log.last_index)).collect();
    assert_eq!(found, [(ONE, 10), (TWO, 0)]);
    assert!(log.groups().iter().all(|(_, log)| log.hard_state == state));

    // A limit in bytes, yet at least one; bounds.
    let read = log.entries(ONE, 3, 9, 40).expect("limited");
    assert_eq!(read.iter().map(|entry| entry.index).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(log.entries(ONE, 3, 9, 0).expect("limited").len(), 1);
    assert!(log.entries(ONE, 3, 3, 9).expect("empty").is_empty());
    assert!(matches!(
        log.entries(ONE, 3, 12, 9),
        Err(LogError::Unavailable { group: ONE, index: 11 })
    ));
    assert!(matches!(log.term(ONE, 11), Err(LogError::Unavailable { .. })));
    assert_eq!(log.term(ONE, 0).expect("the start"), 0);

    // An entry at or below the last cuts; a hole is refused and changes nothing.
    log.write(&append(ONE, entries(5, 7, 2))).expect("conflict");
    assert!(log.write(&append(ONE, entries(8, 9, 2))).is_err());
    let mut hole = entries(7, 9, 2);
    hole.remove(0);
    hole.insert(0, entries(6, 7, 2).remove(0));
    assert!(log.write(&append(ONE, hole)).is_err());
    drop(log);
    let log = open();
    assert_eq!(terms(log.as_ref(), ONE), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2)]);

    // Compaction.
    log.compact(ONE, 4).expect("compact");
    log.compact(ONE, 2).expect("compacting less is nothing");
    assert!(log.compact(ONE, 9).is_err());
    assert!(matches!(log.term(ONE, 3), Err(LogError::Compacted { .. })));
    assert!(matches!(log.entries(ONE, 4, 6, 9), Err(LogError::Compacted { .. })));
    assert_eq!(log.term(ONE, 4).expect("the start"), 1);
    assert_eq!(terms(log.as_ref(), ONE), [(5, 2), (6, 2)]);
    assert!(log.write(&append(ONE, entries(4, 5, 3))).is_err());
    log.write(&append(TWO, entries(1, 3, 1))).expect("append");
    drop(log);
    let log = open();
    assert_eq!(terms(log.as_ref(), ONE).last(), Some(&(6, 2)));
    log.compact(ONE, 6).expect("compact everything");
    log.write(&append(ONE, entries(7, 8, 2))).expect("append behind it");

    // A snapshot replaces the log; entries may follow in the same write.
    let start = LogStart { index: 100, term: 7 };
    let mut write = append(TWO, entries(101, 104, 7));
    write.groups[0].1.reset_to = Some(start);
    log.write(&write).expect("reset");
    drop(log);
    let log = open();
    assert_eq!(terms(log.as_ref(), TWO), [(101, 7), (102, 7), (103, 7)]);
    assert_eq!(log.term(TWO, 100).expect("the start"), 7);
    assert!(matches!(log.term(TWO, 99), Err(LogError::Compacted { .. })));

    // A removed group is gone, and may come back empty.
    log.remove_group(TWO).expect("remove");
    log.remove_group(TWO).expect("twice");
    assert!(log.groups().iter().all(|(id, _)| *id != TWO));
    drop(log);
    let log = open();
    assert!(log.groups().iter().all(|(id, _)| *id != TWO));
    log.write(&append(TWO, entries(1, 2, 9))).expect("append");
    drop(log);
    assert_eq!(terms(open().as_ref(), TWO), [(1, 9)]);
}

fn put(area: Area, key: &[u8], value: &[u8]) -> Change {
    Change::Put(area, key.to_vec(), value.to_vec())
}

fn keys(store: &dyn StateStore, area: Area, from: &[u8], to: &[u8]) -> Vec<Vec<u8>> {
    let (mut forward, mut back) = (Vec::new(), Vec::new());
    let collect = |rows: &mut Vec<Vec<u8>>, key: &[u8]| {
        rows.push(key.to_vec());
        ControlFlow::Continue(())
    };
    store.scan(area, from, to, &mut |key, _| collect(&mut forward, key)).expect("scan");
    store.scan_back(area, from, to, &mut |key, _| collect(&mut back, key)).expect("scan back");
    back.reverse();
    assert_eq!(forward, back, "both directions see the same rows");
    forward
}

/// The contract of [`StateStore`], on an empty store.
///
/// # Panics
/// When a rule is broken.
pub fn state_store(store: &dyn StateStore) {
    // Areas are apart; a batch is applied in order.
    let batch = [
        put(Area::Records, b"a", b"1"),
        put(Area::Events, b"a", b"2"),
        put(Area::Records, b"b", b"3"),
        Change::Delete(Area::Records, b"b".to_vec()),
        Change::Delete(Area::Records, b"c".to_vec()),
        put(Area::Records, b"c", b"4"),
        put(Area::Records, b"", b"empty key"),
        put(Area::Records, b"d", b""),
    ];
    store.write(&batch).expect("write");
    let get = |area, key: &[u8]| store.get(area, key).expect("get");
    assert_eq!(get(Area::Records, b"a").as_deref(), Some(&b"1"[..]));
    assert_eq!(get(Area::Events, b"a").as_deref(), Some(&b"2"[..]));
    assert_eq!(get(Area::Records, b"b"), None);
    assert_eq!(get(Area::Records, b"c").as_deref(), Some(&b"4"[..]));
    assert_eq!(get(Area::Records, b"d").as_deref(), Some(&b""[..]));
    assert_eq!(get(Area::Events, b"c"), None);
    assert_eq!(keys(store, Area::Records, b"", b"z"), [&b""[..], b"a", b"c", b"d"]);

    // Ranges are half open; an empty or reversed one has no rows and deletes none.
    assert_eq!(keys(store, Area::Records, b"a", b"d"), [b"a", b"c"]);
    assert!(keys(store, Area::Records, b"d", b"a").is_empty());
    assert!(keys(store, Area::Records, b"a", b"a").is_empty());
    for (from, to) in [(b"d", b"a"), (b"a", b"a")] {
        let nothing = [Change::DeleteRange(Area::Records, from.to_vec(), to.to_vec())];
        store.write(&nothing).expect("empty range");
    }
    assert_eq!(get(Area::Records, b"a").as_deref(), Some(&b"1"[..]));

    // A visitor stops the scan, and may read the store meanwhile.
    let mut seen = 0;
    let mut visit = |key: &[u8], _: &[u8]| {
        assert!(store.get(Area::Records, key).expect("get").is_some());
        seen += 1;
        ControlFlow::Break(())
    };
    store.scan(Area::Records, b"", b"z", &mut visit).expect("scan");
    assert_eq!(seen, 1);

    // Rows are dropped by range, before and after a flush, and those put behind the drop stay.
    for round in 0_u8..3 {
        let rows: Vec<_> =
            (0_u8..100).map(|row| put(Area::Events, &[9, row], &[round; 1000])).collect();
        store.write(&rows).expect("rows");
        store.flush().expect("flush");
        let drop_and_put = [
            Change::DeleteRange(Area::Events, vec![9, 10], vec![9, 90]),
            put(Area::Events, &[9, 50], &[round]),
        ];
        store.write(&drop_and_put).expect("drop");
        store.flush().expect("flush");
        let left = keys(store, Area::Events, &[9], &[10]);
        assert_eq!(left.len(), 21);
        assert_eq!(get(Area::Events, &[9, 50]), Some(vec![round]));
        assert_eq!(get(Area::Events, &[9, 10]), None);
        assert!(get(Area::Events, &[9, 90]).is_some());
    }
    assert_eq!(get(Area::Events, b"a").as_deref(), Some(&b"2"[..]));
}

/// Random batches and flushes on an empty store; it must hold what a [`MemoryStore`] holds.
///
/// # Panics
/// When it does not.
pub fn state_store_model(store: &dyn StateStore, seed: u64, batches: usize) {
    let model = MemoryStore::new();
    let mut rng = StdRng::seed_from_u64(seed);
    for step in 0..batches {
        let changes = random_batch(&mut rng);
        model.write(&changes).expect("model");
        store.write(&changes).expect("write");
        if rng.random_bool(0.05) {
            store.flush().expect("flush");
        }
        if rng.random_bool(0.05) || step + 1 == batches {
            let prefix = [rng.random_range(0..4)];
            for prefix in [&prefix[..], &[]] {
                let same = digest(store, prefix).expect("digest")
                    == digest(&model, prefix).expect("digest");
                assert!(same, "seed {seed}: rows differ after batch {step}");
            }
            let (from, to) = (random_key(&mut rng), prefix_end(&random_key(&mut rng)));
            for area in [Area::Records, Area::Events] {
                assert_eq!(keys(store, area, &from, &to), keys(&model, area, &from, &to));
            }
        }
    }
}

/// A short key, so that batches meet.
fn random_key(rng: &mut StdRng) -> Vec<u8> {
    let length = rng.random_range(1..4);
    (0..length).map(|_| rng.random_range(0..5)).collect()
}

/// A few changes over a small keyspace.
pub fn random_batch(rng: &mut StdRng) -> Vec<Change> {
    let count = rng.random_range(1..12);
    let change = |_| {
        let area = if rng.random_bool(0.5) { Area::Records } else { Area::Events };
        let key = random_key(rng);
        match rng.random_range(0..10) {
            0..6 => {
                let value = vec![rng.random(); rng.random_range(0..600)];
                Change::Put(area, key, value)
            }
            6..9 => Change::Delete(area, key),
            _ => Change::DeleteRange(area, key, random_key(rng)),
        }
    };
    (0..count).map(change).collect()
}
