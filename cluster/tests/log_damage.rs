//! What recovery makes of every way in which the last frame can be torn, and of damage that no crash explains.

#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::sync::Arc;

use bytes::Bytes;
use ironhub_cluster::GroupId;
use ironhub_cluster::log::{
    EntryKind, GroupWrite, HardState, LogEntry, LogError, LogOptions, LogStore, LogWrite,
    SegmentLog,
};
use ironhub_cluster::testing::SimDisk;
use proptest::prelude::*;

const OPTIONS: LogOptions = LogOptions { segment_bytes: 4096, rewrite_after: 100 };
const GROUP: GroupId = GroupId(3);

fn open(disk: &SimDisk) -> Result<SegmentLog, LogError> {
    SegmentLog::open(Arc::new(disk.clone()), OPTIONS)
}

fn write(log: &SegmentLog, index: u64) {
    let data = Bytes::from(format!("the data of entry {index}"));
    let entry = LogEntry { index, term: 1, kind: EntryKind::Normal, data };
    let hard_state = Some(HardState { term: 1, vote: 1, commit: index - 1 });
    let group = GroupWrite { hard_state, reset_to: None, entries: vec![entry] };
    log.write(&LogWrite { groups: vec![(GROUP, group)] }).unwrap();
}

/// The indexes that a log holds, after checking that they read back.
fn last_index(log: &SegmentLog) -> u64 {
    let last = log.groups().first().map_or(0, |(_, log)| log.last_index);
    assert_eq!(log.entries(GROUP, 1, last + 1, u64::MAX).map_or(0, |read| read.len() as u64), last);
    last
}

fn newest(disk: &SimDisk) -> String {
    use ironhub_cluster::log::Disk;
    disk.list().unwrap().pop().unwrap()
}

/// A disk with `count` writes, and where the last frame stands: file, from, to.
fn written(count: u64) -> (SimDisk, String, usize, usize) {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    let end = |disk: &SimDisk, name: &str| frames_end(&disk.contents(name).unwrap());
    (1..count).for_each(|index| write(&log, index));
    let name = newest(&disk);
    let from = end(&disk, &name);
    write(&log, count);
    assert_eq!(newest(&disk), name, "the last write must not begin a segment");
    let to = end(&disk, &name);
    drop(log);
    (disk.fork(), name, from, to)
}

/// Where the frames of an undamaged segment end: each says its body's length behind four bytes of magic.
fn frames_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes[at..].starts_with(b"IrLf") {
        at += 24 + u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    at
}

/// Changes one file of a copy of the disk.
fn damaged(disk: &SimDisk, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> SimDisk {
    let copy = disk.fork();
    let mut bytes = copy.contents(name).unwrap();
    change(&mut bytes);
    copy.set_contents(name, bytes);
    copy
}

/// The last write is gone, the rest is there, and the log goes on from there through another restart.
fn check_cut(disk: &SimDisk, before: u64) {
    let log = open(disk).unwrap();
    assert_eq!(last_index(&log), before);
    let wiped = disk.contents(&newest(disk)).unwrap();
    assert!(wiped[frames_end(&wiped)..].iter().all(|byte| *byte == 0), "the tail is clean");
    write(&log, before + 1);
    drop(log);
    disk.crash(7);
    assert_eq!(last_index(&open(disk).unwrap()), before + 1);
}

#[test]
fn last_frame_torn_at_any_byte_is_dropped_whole() {
    let (disk, name, from, to) = written(20);
    let whole = disk.contents(&name).unwrap();
    let check = |change: &dyn Fn(&mut Vec<u8>)| {
        let torn = damaged(&disk, &name, |bytes| change(bytes));
        // Losing zeros is losing nothing, as long as the file is as long as before.
        let lost = torn.contents(&name).unwrap() != whole;
        check_cut(&torn, if lost { 19 } else { 20 });
    };
    for cut in from..to {
        check(&|bytes| bytes[cut..].fill(0));
        check(&|bytes| bytes[from..=cut].fill(0));
        check(&|bytes| bytes.truncate(cut));
    }
    check_cut(&damaged(&disk, &name, |_| {}), 20);
}

#[test]
fn last_frame_with_any_byte_changed_is_dropped_whole() {
    let (disk, name, from, to) = written(20);
    for at in from..to {
        check_cut(&damaged(&disk, &name, |bytes| bytes[at] ^= 0x41), 19);
    }
}

#[test]
fn changed_byte_before_the_last_frame_is_refused() {
    let (disk, name, from, _) = written(20);
    for at in 0..from {
        for change in [0x01, 0x80, 0xff] {
            let copy = damaged(&disk, &name, |bytes| bytes[at] ^= change);
            assert!(matches!(open(&copy), Err(LogError::Damaged { .. })), "byte {at}");
        }
    }
}

#[test]
fn damage_in_an_older_segment_is_refused() {
    let (disk, name, ..) = written(130);
    let older = "00000002.log";
    assert!(older < name.as_str());
    let whole = disk.contents(older).unwrap();
    let used = frames_end(&whole);
    for at in (0..used).step_by(7).chain(used - 30..used) {
        let copy = damaged(&disk, older, |bytes| bytes[at] ^= 0x10);
        assert!(matches!(open(&copy), Err(LogError::Damaged { .. })), "byte {at}");
        let copy = damaged(&disk, older, |bytes| bytes[at..].fill(0));
        let lost = copy.contents(older).unwrap() != whole;
        assert_eq!(matches!(open(&copy), Err(LogError::Damaged { .. })), lost, "cut at {at}");
    }
}

#[test]
fn missing_segment_is_refused() {
    use ironhub_cluster::log::Disk;
    let (disk, ..) = written(130);
    let names = disk.list().unwrap();
    assert!(names.len() > 2);
    for name in &names[..names.len() - 1] {
        let copy = disk.fork();
        copy.delete(name).unwrap();
        assert!(matches!(open(&copy), Err(LogError::Damaged { .. })), "{name}");
    }
}

#[test]
fn unfinished_new_segment_is_dropped() {
    let (disk, name, ..) = written(130);
    let next = format!("{:08x}.log", u32::from_str_radix(&name[..8], 16).unwrap() + 1);
    for bytes in [vec![], vec![0; 4096], vec![0x5a; 100]] {
        let copy = disk.fork();
        copy.set_contents(&next, bytes);
        check_cut(&copy, 130);
    }
}

#[test]
fn bytes_of_another_segment_are_no_frames() {
    let (disk, name, _, to) = written(130);
    let old = disk.contents("00000002.log").unwrap();
    let copy = damaged(&disk, &name, |bytes| {
        let length = bytes.len();
        bytes[to..].copy_from_slice(&old[to..length]);
    });
    check_cut(&copy, 130);
}

#[test]
fn damage_that_appears_while_running_shows_at_the_read() {
    let (disk, name, from, _) = written(20);
    let log = open(&disk).unwrap();
    let mut bytes = disk.contents(&name).unwrap();
    bytes[from + 24 + 30] ^= 1;
    let copy = disk.fork();
    copy.set_contents(&name, bytes.clone());
    assert_eq!(last_index(&log), 20);
    ironhub_cluster::log::Disk::open(&disk, &name).unwrap().write_at(0, &bytes).unwrap();
    assert!(matches!(log.entries(GROUP, 20, 21, 100), Err(LogError::Damaged { .. })));
    assert!(log.entries(GROUP, 1, 20, u64::MAX).is_ok());
}

#[test]
fn full_disk_refuses_the_write_and_takes_it_later() {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    disk.set_capacity(Some(disk.used()));
    let data = Bytes::from(vec![1; 3000]);
    let entry = |index| LogEntry { index, term: 1, kind: EntryKind::Normal, data: data.clone() };
    let group = |index| GroupWrite { entries: vec![entry(index)], ..GroupWrite::default() };
    let big = |index| LogWrite { groups: vec![(GROUP, group(index))] };
    log.write(&big(1)).unwrap();
    for _ in 0..3 {
        let Err(LogError::Full { needed }) = log.write(&big(2)) else { panic!("it fits") };
        assert!(needed >= 3000);
        assert_eq!(last_index(&log), 1);
    }
    // What needs no new segment still works, and a restart sees nothing of the refused write.
    let hard_state = Some(HardState { term: 2, vote: 1, commit: 1 });
    let small = GroupWrite { hard_state, ..GroupWrite::default() };
    log.write(&LogWrite { groups: vec![(GROUP, small)] }).unwrap();
    disk.set_capacity(None);
    log.write(&big(2)).unwrap();
    assert_eq!(last_index(&log), 2);
    disk.crash(3);
    assert_eq!(last_index(&open(&disk).unwrap()), 2);
}

#[test]
fn compaction_frees_a_disk_that_is_full_to_the_last_byte() {
    let disk = SimDisk::new(1);
    let log = open(&disk).unwrap();
    disk.set_capacity(Some(3 * 4096));
    let append = |index, bytes: usize| {
        let data = Bytes::from(vec![1; bytes]);
        let entry = LogEntry { index, term: 1, kind: EntryKind::Normal, data };
        let group = GroupWrite { entries: vec![entry], ..GroupWrite::default() };
        log.write(&LogWrite { groups: vec![(GROUP, group)] })
    };
    let mut last = 0;
    for round in 0..20 {
        // First large entries, then the smallest frames that there are.
        while append(last + 1, 700).is_ok() {
            last += 1;
        }
        let hard_state = Some(HardState { term: 1, vote: 1, commit: last });
        let small = GroupWrite { hard_state, ..GroupWrite::default() };
        while log.write(&LogWrite { groups: vec![(GROUP, small.clone())] }).is_ok() {}
        assert!(matches!(append(last + 1, 3000), Err(LogError::Full { .. })));
        log.compact(GROUP, last - round % 2).unwrap();
        append(last + 1, 3000).unwrap();
        last += 1;
    }
    disk.crash(1);
    assert_eq!(open(&disk).unwrap().groups()[0].1.last_index, last);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sectors_of_the_last_frame_may_be_lost(kept in proptest::collection::vec(any::<bool>(), 8)) {
        let (disk, name, from, _) = written(60);
        let copy = damaged(&disk, &name, |bytes| {
            for at in from..bytes.len() {
                if !kept[at / 512] {
                    bytes[at] = 0;
                }
            }
        });
        let log = open(&copy).unwrap();
        prop_assert!([59, 60].contains(&last_index(&log)));
    }
}
