use super::*;
use crate::testing::{MemoryStore, digest};

#[test]
fn key_before_the_end_of_a_range_is_inside_it() {
    for end in [&[1, 0, 0][..], &[1, 2], &[1], &[7, 255], &[0, 1]] {
        assert!(key_before(end).as_slice() < end, "{end:?}");
    }
}

#[test]
fn second_opener_is_told_why() {
    let path = std::env::temp_dir().join(format!("ironhub-rocks-{}", std::process::id()));
    let store = RocksStore::open(&path, RocksOptions::default()).unwrap();
    let Err(StorageError::Engine { message, full }) =
        RocksStore::open(&path, RocksOptions::default())
    else {
        panic!("opened twice")
    };
    assert!(message.contains("another ironhub uses this data directory"), "{message}");
    assert!(!full);
    drop(store);
    std::fs::remove_dir_all(&path).unwrap();
}

/// Rows of three groups, of which one drops its oldest again and again.
#[test]
fn dropped_event_ranges_give_whole_files_back_and_nothing_comes_back() {
    let path = std::env::temp_dir().join(format!("ironhub-ranges-{}", std::process::id()));
    let options = RocksOptions {
        memtable_bytes: 256 << 10,
        events_file_bytes: 64 << 10,
        ..RocksOptions::default()
    };
    let store = RocksStore::open(&path, options).unwrap();
    let model = MemoryStore::new();
    let row = |group: u8, at: u64| [&[group][..], &at.to_be_bytes()].concat();
    let mut unlinked = 0;
    for batch in 0..6000_u64 {
        let value = vec![batch as u8; 900];
        let put = |group| Change::Put(Area::Events, row(group, batch), value.clone());
        let mut changes: Vec<_> = (0..3).map(put).collect();
        let last = batch % 600 == 599;
        if last {
            let drop = (row(1, batch.saturating_sub(900)), row(1, batch - 50));
            changes.push(Change::DeleteRange(Area::Events, drop.0, drop.1));
        }
        store.write(&changes).unwrap();
        model.write(&changes).unwrap();
        if last {
            unlinked += u32::from(store.any_file_inside(&store.ranges.lock()).unwrap());
            store.flush().unwrap();
            assert!(!*store.paused.lock());
            let same = digest(&store, &[]).unwrap() == digest(&model, &[]).unwrap();
            assert!(same, "rows differ after batch {batch}");
        }
    }
    assert!(unlinked > 0, "no file was ever inside a dropped range");
    drop(store);
    let store = RocksStore::open(&path, options).unwrap();
    assert_eq!(digest(&store, &[]).unwrap(), digest(&model, &[]).unwrap());
    drop(store);
    std::fs::remove_dir_all(&path).unwrap();
}
