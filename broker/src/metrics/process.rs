//! The process itself, read from the kernel.

use metrics::{Unit, describe_gauge, gauge};

/// Resident memory.
pub const RESIDENT: &str = "process.resident.memory.bytes";
/// CPU time used, user and system.
pub const CPU: &str = "process.cpu.seconds";
/// Free space of the data directory's file system.
pub const DISK_FREE: &str = "ironhub.disk.free.bytes";

pub(super) fn describe() {
    describe_gauge!(RESIDENT, Unit::Bytes, "resident memory");
    describe_gauge!(CPU, Unit::Seconds, "CPU time used, user and system");
    describe_gauge!(DISK_FREE, Unit::Bytes, "free space of the data directory's file system");
}

/// Resident memory in bytes; 0 where the kernel does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    pages * 4096
}

fn cpu_seconds() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct passed to it, and an all-zero rusage is a valid one if it does not.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Sets the gauges; called about once a second.
pub(crate) fn sample(disk_free: u64) -> u64 {
    let resident = resident_bytes();
    gauge!(RESIDENT).set(resident as f64);
    gauge!(CPU).set(cpu_seconds());
    gauge!(DISK_FREE).set(disk_free as f64);
    resident
}
