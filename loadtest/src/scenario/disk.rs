//! What the disk under a data directory can do: the floor under every figure of a broker that syncs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use super::bar;
use crate::report::{Latencies, LatencySummary, grouped, row};

/// Bytes of one append of the latency probe.
const APPEND_BYTES: usize = 4 * 1024;
/// Bytes of one record of the throughput probe.
const RECORD_BYTES: usize = 256;
/// Records per sync.
const GROUPS: [usize; 3] = [64, 1_024, 4_096];
/// No probe writes more than this, whatever the time.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Probes a disk: appends with fdatasync in a file that is removed afterwards
#[derive(Debug, Clone, clap::Args)]
pub struct DiskArgs {
    /// Directory on the disk to probe; the hub's data directory
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// Seconds for each of the four probes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10))]
    duration: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct DiskReport {
    scenario: &'static str,
    dir: PathBuf,
    append_4k_fdatasync_ms: Option<LatencySummary>,
    records_256: Vec<GroupReport>,
}

#[derive(Debug, Serialize)]
struct GroupReport {
    records_per_sync: usize,
    records_per_second: f64,
    sync_ms: Option<LatencySummary>,
}

/// A file that is removed whatever happens.
struct Scratch {
    file: File,
    path: PathBuf,
}

impl Scratch {
    fn create(directory: &Path) -> io::Result<Self> {
        let path = directory.join(format!(".ironhub-loadtest-{}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Runs the probes.
pub async fn run(args: DiskArgs) -> anyhow::Result<bool> {
    let json = args.json;
    let probing = tokio::task::spawn_blocking(move || probe(&args));
    // Ctrl-C: the file is small and the probe short, so it ends by itself and removes the file.
    let report = tokio::select! {
        report = probing => report??,
        never = async { let _ = tokio::signal::ctrl_c().await; super::second_interrupt().await } =>
            match never {},
    };
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(true)
}

fn probe(args: &DiskArgs) -> anyhow::Result<DiskReport> {
    let failed = || format!("probing {}", args.dir.display());
    let length = Duration::from_secs(args.duration);
    let bar = bar(GROUPS.len() as u64 + 1, "probing");
    let (_, _, append) = appends(&args.dir, APPEND_BYTES, length).with_context(failed)?;
    bar.inc(1);
    let mut records_256 = Vec::new();
    for records_per_sync in GROUPS {
        let (count, seconds, sync) =
            appends(&args.dir, RECORD_BYTES * records_per_sync, length).with_context(failed)?;
        let records_per_second = (count * records_per_sync as u64) as f64 / seconds;
        records_256.push(GroupReport { records_per_sync, records_per_second, sync_ms: sync });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let dir = args.dir.canonicalize().unwrap_or_else(|_| args.dir.clone());
    Ok(DiskReport { scenario: "disk", dir, append_4k_fdatasync_ms: append, records_256 })
}

/// Appends of `size` bytes, each followed by fdatasync: how many, in how many seconds, how long each took.
fn appends(
    directory: &Path,
    size: usize,
    length: Duration,
) -> io::Result<(u64, f64, Option<LatencySummary>)> {
    let mut scratch = Scratch::create(directory)?;
    let bytes: Vec<u8> =
        (0..size).map(|at| (at as u32).wrapping_mul(2_654_435_761) as u8).collect();
    let (mut latencies, mut count) = (Latencies::new(), 0);
    let start = Instant::now();
    while start.elapsed() < length && count * (size as u64) < FILE_BYTES_MAX {
        let begun = Instant::now();
        scratch.file.write_all(&bytes)?;
        scratch.file.sync_data()?;
        latencies.add(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX), 1);
        count += 1;
    }
    Ok((count, start.elapsed().as_secs_f64(), latencies.summary()))
}

impl DiskReport {
    fn text(&self) -> String {
        let mut out = format!("disk under {}\n", self.dir.display());
        if let Some(append) = &self.append_4k_fdatasync_ms {
            let text = format!(
                "p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms",
                append.p50, append.p99, append.max
            );
            row(&mut out, "4 KiB + sync", &text);
        }
        for group in &self.records_256 {
            let text = format!(
                "{} records of 256 bytes per second",
                grouped(group.records_per_second.round() as u64)
            );
            row(&mut out, &format!("sync per {}", group.records_per_sync), &text);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_measures_and_leaves_no_file_behind() {
        let directory =
            std::env::temp_dir().join(format!("ironhub-loadtest-{}-disk", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (count, seconds, latency) = appends(&directory, 512, Duration::from_millis(5)).unwrap();
        assert!(count > 0 && seconds > 0.0);
        assert_eq!(latency.unwrap().messages, count);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir_all(&directory).unwrap();
        assert!(appends(&directory, 512, Duration::from_millis(5)).is_err());
    }
}
