//! What one event costs in the log: `cargo run --release -p ironhub-cluster --example log_bench [directory] [seconds]`.
//!
//! Writes 300-byte events to a [`SegmentLog`] on real files, each batch durable before the next, and prints events per
//! second and CPU microseconds (user and system, this process) per event; once with a batch in one entry, as the
//! engine does, and once with an entry per event. Run it on a quiet machine, in a directory on the disk in question.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ironhub_cluster::GroupId;
use ironhub_cluster::log::{
    EntryKind, FileDisk, GroupWrite, HardState, LogEntry, LogError, LogOptions, LogStore, LogWrite,
    SegmentLog,
};

const EVENT_BYTES: usize = 300;
/// Groups that share each write, as partitions of a hub do.
const GROUPS: u32 = 4;
/// Entries that each group keeps.
const KEPT: u64 = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = match arguments.next() {
        Some(path) => PathBuf::from(path),
        None => std::env::temp_dir().join(format!("log_bench-{}", std::process::id())),
    };
    let seconds = arguments.next().map_or(Ok(3), |text| text.parse())?;
    println!("batch  entries      events/s  CPU us/event   us/write");
    for batch in [1, 16, 64, 512, 4096] {
        for one_entry in [true, false] {
            run(&directory.join("log"), batch, one_entry, Duration::from_secs(seconds))?;
        }
    }
    Ok(())
}

fn run(path: &PathBuf, batch: u64, one_entry: bool, time: Duration) -> Result<(), LogError> {
    let fatal = |operation| move |source| LogError::Fatal { operation, source };
    let disk = Arc::new(FileDisk::open(path).map_err(fatal("open"))?);
    let log = SegmentLog::open(disk, LogOptions::default())?;
    let event = Bytes::from(vec![0x5a; EVENT_BYTES]);
    let whole = Bytes::from(vec![0x5a; EVENT_BYTES * batch.div_ceil(u64::from(GROUPS)) as usize]);
    let mut next = vec![1_u64; GROUPS as usize];
    let (begun, cpu) = (Instant::now(), cpu_time());
    let (mut events, mut writes) = (0, 0);
    while begun.elapsed() < time {
        let mut write = LogWrite::default();
        for group in 0..GROUPS.min(batch as u32) {
            let index = &mut next[group as usize];
            let share = batch.div_ceil(u64::from(GROUPS));
            let (count, data) = if one_entry { (1, &whole) } else { (share, &event) };
            let entry =
                |index| LogEntry { index, term: 1, kind: EntryKind::Normal, data: data.clone() };
            let entries = (*index..*index + count).map(entry).collect();
            let hard_state = Some(HardState { term: 1, vote: 1, commit: *index - 1 });
            write.groups.push((GroupId(group), GroupWrite { hard_state, reset_to: None, entries }));
            *index += count;
            events += share;
        }
        log.write(&write)?;
        writes += 1;
        if writes % 1000 == 0 {
            for group in 0..GROUPS.min(batch as u32) {
                let keep = if one_entry { KEPT / batch } else { KEPT };
                log.compact(GroupId(group), next[group as usize].saturating_sub(keep + 1))?;
            }
        }
    }
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_time() - cpu);
    println!(
        "{batch:>5}  {:>7}  {:>12.0}  {:>12.3}  {:>9.0}",
        if one_entry { "one" } else { "each" },
        events as f64 / wall,
        cpu * 1e6 / events as f64,
        wall * 1e6 / f64::from(writes),
    );
    drop(log);
    std::fs::remove_dir_all(path).map_err(fatal("remove"))
}

/// Seconds of CPU that this process has used.
fn cpu_time() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: all-zero is a valid rusage, and the call only writes to it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
