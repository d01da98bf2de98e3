use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::log::{EntryKind, GroupWrite, HardState, LogStart};
use crate::testing::SimDisk;

fn entry(index: u64, term: u64, data: &str) -> LogEntry {
    LogEntry { index, term, kind: EntryKind::Normal, data: Bytes::copy_from_slice(data.as_bytes()) }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let disk = SimDisk::new(1);
    let options = LogOptions { segment_bytes: 4096, rewrite_after: 4 };
    let log = SegmentLog::open(Arc::new(disk.clone()), options).unwrap();
    for index in 1..200 {
        let group = GroupWrite {
            hard_state: Some(HardState { term: 1, vote: 2, commit: index - 1 }),
            reset_to: None,
            entries: vec![entry(index, 1, "some bytes that fill the segment")],
        };
        log.write(&LogWrite { groups: vec![(GroupId(1), group)] }).unwrap();
    }
    disk.crash(1);
    let log = SegmentLog::open(Arc::new(disk.clone()), options).unwrap();
    assert_eq!(log.groups()[0].1.last_index, 199);
    assert_eq!(log.entries(GroupId(1), 1, 200, u64::MAX).unwrap().len(), 199);
    let before = log.bytes();
    log.compact(GroupId(1), 150).unwrap();
    let hard_state = Some(HardState::default());
    let group = GroupWrite { hard_state, ..GroupWrite::default() };
    log.write(&LogWrite { groups: vec![(GroupId(1), group)] }).unwrap();
    assert!(log.bytes() < before);
    disk.crash(2);
    let log = SegmentLog::open(Arc::new(disk.clone()), options).unwrap();
    assert_eq!(log.groups()[0].1.start, LogStart { index: 150, term: 1 });
    assert_eq!(log.entries(GroupId(1), 151, 200, u64::MAX).unwrap().len(), 49);
}
