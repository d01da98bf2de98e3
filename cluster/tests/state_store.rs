//! The batteries of the applied state over memory and RocksDB, and what a killed process leaves of the latter.

#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ironhub_cluster::storage::{Area, Change, RocksOptions, RocksStore, StateStore, StorageError};
use ironhub_cluster::testing::{MemoryStore, batteries};

/// Small memtables, so that flushes happen by themselves.
const SMALL: RocksOptions = RocksOptions {
    cache_bytes: 1 << 20,
    memtable_bytes: 256 << 10,
    open_files_max: 64,
    background_jobs: 2,
    events_file_bytes: 256 << 10,
};
/// Set in the process that is to be killed: where its store is.
const VICTIM: &str = "IRONHUB_TEST_VICTIM_STORE";

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path =
            std::env::temp_dir().join(format!("ironhub-state-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn open(&self) -> RocksStore {
        RocksStore::open(&self.0, SMALL).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_store_keeps_the_contract() {
    batteries::state_store(&MemoryStore::new());
    let directory = Directory::new("contract");
    batteries::state_store(&directory.open());
}

#[test]
fn random_batches_leave_the_same_rows_in_every_store() {
    for seed in 0..4 {
        batteries::state_store_model(&MemoryStore::new(), seed, 200);
        let directory = Directory::new(&format!("model-{seed}"));
        batteries::state_store_model(&directory.open(), seed, 1500);
    }
}

#[test]
fn memory_store_loses_a_suffix_of_whole_batches() {
    let mut kept = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let store = MemoryStore::new();
        (0..5).for_each(|batch| write_batch(&store, batch));
        store.flush().unwrap();
        (5..15).for_each(|batch| write_batch(&store, batch));
        store.crash(seed);
        let left = batches(&store);
        assert!((5..=15).contains(&left));
        kept.insert(left);
    }
    assert!(kept.len() > 8, "{kept:?}");
}

#[test]
fn full_memory_store_refuses_and_recovers() {
    let store = MemoryStore::new();
    store.set_full(true);
    let put = [Change::Put(Area::Records, vec![1], vec![1])];
    assert!(matches!(store.write(&put), Err(StorageError::Engine { full: true, .. })));
    store.set_full(false);
    store.write(&put).unwrap();
}

/// Batch `n` puts a row in both areas, and sometimes drops old events.
fn write_batch(store: &dyn StateStore, batch: u64) {
    let key = batch.to_be_bytes().to_vec();
    let mut changes = vec![
        Change::Put(Area::Records, b"last".to_vec(), key.clone()),
        Change::Put(Area::Records, [&b"r"[..], &key].concat(), vec![7; 200]),
        Change::Put(Area::Events, key, vec![batch as u8; 700]),
    ];
    if batch % 500 == 499 {
        let to = (batch - 100).to_be_bytes().to_vec();
        changes.push(Change::DeleteRange(Area::Events, 0_u64.to_be_bytes().to_vec(), to));
    }
    store.write(&changes).unwrap();
}

/// How many batches the store has; checks that they are a prefix, each whole.
fn batches(store: &dyn StateStore) -> u64 {
    let count = |area, from: &[u8], to: &[u8]| {
        let mut rows = 0;
        let visit = &mut |_: &[u8], _: &[u8]| {
            rows += 1;
            ControlFlow::Continue(())
        };
        store.scan(area, from, to, visit).unwrap();
        rows
    };
    let Some(last) = store.get(Area::Records, b"last").unwrap() else { return 0 };
    let left = u64::from_be_bytes(last.try_into().unwrap()) + 1;
    assert_eq!(count(Area::Records, b"r", b"s"), left, "records");
    let dropped = match left / 500 {
        0 => 0,
        rounds => rounds * 500 - 1 - 100,
    };
    assert_eq!(count(Area::Events, &[], &[0xff; 9]), left - dropped, "events");
    left
}

/// Not a test of its own: the process that [`killed_process_leaves_a_prefix_of_whole_batches`] starts and kills.
#[test]
fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let store = RocksStore::open(Path::new(&path), SMALL).unwrap();
    let first = batches(&store);
    for batch in first.. {
        write_batch(&store, batch);
        if batch % 1000 == 999 {
            store.flush().unwrap();
            println!("flushed {}", batch + 1);
        }
    }
}

#[test]
fn killed_process_leaves_a_prefix_of_whole_batches() {
    use std::io::BufRead;
    let directory = Directory::new("killed");
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture", "--test-threads=1"])
            .env(VICTIM, &directory.0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let flushed =
            lines.filter_map(|line| line.unwrap().strip_prefix("flushed ")?.parse::<u64>().ok());
        let flushed = flushed.take(2 + round).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let left = batches(&directory.open());
        assert!(left >= flushed, "flushed {flushed}, left {left}");
    }
}
