//! Guards of what a node has too little of: disk space and memory. Sampled, so both keep a reserve.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::actor::NodeFacts;
use crate::metrics;

/// How often disk and memory are looked at. A disk that fills faster than this meets the log's own refusal.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);

/// Size and free bytes of a file system.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Bytes in all.
    pub size: u64,
    /// Bytes that this process may still use.
    pub free: u64,
}

/// Asks the file system that holds `path`.
pub fn space(path: &Path) -> std::io::Result<Space> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: statvfs reads a NUL-terminated path and fills the struct, which is read only on success.
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return Err(std::io::Error::last_os_error());
        }
        stat.assume_init()
    };
    Ok(Space { size: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize })
}

/// The free space below which writes are refused, unless the configuration names one: a twentieth of the file system.
pub fn disk_reserve(space: Space) -> u64 {
    (space.size / 20).clamp(32 << 20, 1 << 30)
}

/// Watches until dropped. `storage_full` is told whenever the answer changes.
pub async fn watch(
    data_dir: PathBuf,
    reserve: u64,
    memory_max: u64,
    facts: Arc<NodeFacts>,
    storage_full: impl Fn(bool),
    mut sampled: impl FnMut(),
) {
    let mut full = false;
    loop {
        let free = space(&data_dir).map_or(u64::MAX, |space| space.free);
        // Writes go on only when there is clearly room again, so that the answer does not flap.
        let now_full =
            if full { free < reserve.saturating_add(reserve / 4) } else { free < reserve };
        if now_full != full {
            full = now_full;
            storage_full(full);
            if full {
                tracing::error!(
                    free,
                    reserve,
                    "disk nearly full: writes are refused until there is room"
                );
            } else {
                tracing::info!(free, "disk has room again: writes are accepted");
            }
        }
        let resident = metrics::process::sample(free);
        let overloaded = resident > memory_max;
        if overloaded != facts.overloaded.swap(overloaded, Ordering::Relaxed) {
            tracing::warn!(
                resident,
                memory_max,
                overloaded,
                "memory mark crossed: new sessions are refused above it"
            );
        }
        sampled();
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
}
