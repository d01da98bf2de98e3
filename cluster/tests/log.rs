//! The log's batteries over the simulated disk and over real files.

#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::path::PathBuf;
use std::sync::Arc;

use ironhub_cluster::log::{FileDisk, LogOptions, LogStore, SegmentLog};
use ironhub_cluster::testing::log_model::log_model;
use ironhub_cluster::testing::{SimDisk, batteries};

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}

#[test]
fn segment_log_over_a_simulated_disk_keeps_the_contract() {
    for segment_bytes in [4096, 1 << 20] {
        let disk = SimDisk::new(1);
        let options = LogOptions { segment_bytes, ..LogOptions::default() };
        let mut seed = 0;
        batteries::log_store(&mut || {
            seed += 1;
            disk.crash(seed);
            let log: Box<dyn LogStore> =
                Box::new(SegmentLog::open(Arc::new(disk.clone()), options).unwrap());
            log
        });
    }
}

#[test]
fn segment_log_over_real_files_keeps_the_contract() {
    let path = std::env::temp_dir().join(format!("ironhub-log-{}", std::process::id()));
    let open = |path: &PathBuf| -> Box<dyn LogStore> {
        let disk = Arc::new(FileDisk::open(path).unwrap());
        let options = LogOptions { segment_bytes: 4096, ..LogOptions::default() };
        Box::new(SegmentLog::open(disk, options).unwrap())
    };
    batteries::log_store(&mut || open(&path));
    std::fs::remove_dir_all(&path).unwrap();
}

#[test]
fn acknowledged_writes_survive_any_crash_and_others_are_whole_or_absent() {
    let mut there = 0;
    let mut absent = 0;
    let mut full = 0;
    for seed in seeds(60) {
        let done = log_model(seed, 400);
        there += done.torn.0;
        absent += done.torn.1;
        full += done.full;
        assert!(done.segments_max < 64, "seed {seed}: idle groups pin segments: {done:?}");
    }
    if std::env::var("SEED").is_err() {
        assert!(there > 20 && absent > 20 && full > 20, "{there} {absent} {full}");
    }
}
