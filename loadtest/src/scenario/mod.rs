//! The scenarios, one file each, and what they share.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::process::{self, ProcessError, Usage};
use crate::report::ProcessReport;

pub mod connect;
pub mod d2c;
pub mod disk;
pub mod registry;
pub mod sink;

/// Connections being dialled at a time, per thread or client process.
pub const DIALS_AT_ONCE: usize = 64;
/// Files a process needs beside its connections.
const FILES_RESERVED: u64 = 64;

/// Why a scenario's options cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum OptionError {
    /// More connections than this process may hold files.
    #[error(
        "{wanted} connections need {needed} open files, this process may hold {limit}; {advice}"
    )]
    Files {
        /// Asked for.
        wanted: usize,
        /// Files that takes.
        needed: u64,
        /// The hard limit.
        limit: u64,
        /// What to do.
        advice: &'static str,
    },
}

/// Raises the limit of open files and checks that `connections` fit.
pub fn check_files(connections: usize, advice: &'static str) -> Result<(), OptionError> {
    // Where the limit cannot be read, connecting will tell.
    let limit = process::raise_file_limit().unwrap_or(u64::MAX);
    let needed = connections as u64 + FILES_RESERVED;
    if needed > limit {
        return Err(OptionError::Files { wanted: connections, needed, limit, advice });
    }
    Ok(())
}

/// A bar on standard error; invisible when that is no terminal.
pub fn bar(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what);
    let template = "{msg:12} {wide_bar} {human_pos}/{human_len} {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A bar over time, in milliseconds; its message is a running figure.
pub fn time_bar(length: Duration) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} {wide_bar} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Looks at processes and remembers their largest resident memory.
pub struct Watch {
    pids: Vec<u32>,
    peak: u64,
}

impl Watch {
    /// Fails when one of `pids` cannot be looked at. No process at all is fine.
    pub fn new(pids: &[u32]) -> Result<Self, ProcessError> {
        let peak = process::usage(pids)?.rss_bytes;
        Ok(Self { pids: pids.to_vec(), peak })
    }

    /// Usage now; `None` when nothing is watched or a process has ended.
    pub fn look(&mut self) -> Option<Usage> {
        if self.pids.is_empty() {
            return None;
        }
        let usage = process::usage(&self.pids).ok()?;
        self.peak = self.peak.max(usage.rss_bytes);
        Some(usage)
    }

    /// Forgets the largest memory seen so far: a window begins.
    pub fn forget_peak(&mut self) {
        self.peak = 0;
    }

    /// What the processes used from `before` to `after`, with `messages` between them.
    pub fn report(&self, before: Usage, after: Usage, messages: u64) -> ProcessReport {
        ProcessReport::new(&self.pids, before, after, self.peak, messages)
    }
}

/// CPU-seconds of this program so far.
pub fn own_cpu_seconds() -> f64 {
    process::usage(&[std::process::id()]).map_or(0.0, |usage| usage.cpu_seconds)
}

/// Ends the program at the second Ctrl-C; the first one is the scenario's to handle.
pub async fn second_interrupt() -> std::convert::Infallible {
    let _ = tokio::signal::ctrl_c().await;
    eprintln!("interrupted again: ending at once");
    std::process::exit(130);
}

/// Progress is refreshed, and processes are looked at, this often.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);
