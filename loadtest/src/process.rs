//! What other processes and this one use, read from `/proc`, and this process's limit of open files.

use std::fs;
use std::io;

/// Why a process cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No such process, or it may not be looked at.
    #[error("cannot read /proc/{pid}/{file}: {cause}")]
    Read {
        /// The process.
        pid: u32,
        /// The file below `/proc/PID`.
        file: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel's text is not as proc(5) describes it.
    #[error("cannot understand /proc/{pid}/{file}")]
    Format {
        /// The process.
        pid: u32,
        /// The file below `/proc/PID`.
        file: &'static str,
    },
}

/// What one or several processes used up to one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// User and system time since the start of the processes, in seconds. Grain: 10 ms.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
}

/// Sums the usage of `pids`.
pub fn usage(pids: &[u32]) -> Result<Usage, ProcessError> {
    let mut sum = Usage::default();
    for &pid in pids {
        let stat = read(pid, "stat")?;
        let ticks = cpu_ticks(&stat).ok_or(ProcessError::Format { pid, file: "stat" })?;
        let status = read(pid, "status")?;
        let rss = rss_bytes(&status).ok_or(ProcessError::Format { pid, file: "status" })?;
        sum.cpu_seconds += ticks as f64 / ticks_per_second();
        sum.rss_bytes += rss;
    }
    Ok(sum)
}

fn read(pid: u32, file: &'static str) -> Result<String, ProcessError> {
    fs::read_to_string(format!("/proc/{pid}/{file}")).map_err(|cause| ProcessError::Read {
        pid,
        file,
        cause,
    })
}

/// Fields 14 and 15 of proc(5) `stat`. The second field is the program's name and may hold anything, so
/// counting starts after its closing bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn ticks_per_second() -> f64 {
    // SAFETY: sysconf takes a plain number and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

/// Raises the soft limit of open files to the hard one and returns it.
pub fn raise_file_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live, writable rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a live rlimit, only read.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_program_name() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 170 30 0 0 20 0 1 0 100 1000 10";
        for name in ["hub", "a b", "x) 9 9 9 (y"] {
            assert_eq!(cpu_ticks(&format!("42 ({name}) {tail}")), Some(200), "{name}");
        }
        assert_eq!(cpu_ticks("42 (hub) S 1 2"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(rss_bytes("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    1234 kB\n"), Some(1_263_616));
        assert_eq!(rss_bytes("Name:\tx\n"), None);
    }

    #[test]
    fn several_processes_are_summed_and_a_missing_one_is_named() {
        let own = std::process::id();
        let once = usage(&[own]).unwrap();
        let twice = usage(&[own, own]).unwrap();
        assert!(once.rss_bytes > 0 && twice.rss_bytes > once.rss_bytes);
        assert!(twice.cpu_seconds >= once.cpu_seconds);
        let error = usage(&[u32::MAX]).unwrap_err().to_string();
        assert!(error.contains("/proc/4294967295/stat"), "{error}");
    }
}
