//! A periodic timer with a grain below a millisecond, which tokio's own timers do not have.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use tokio::io::unix::AsyncFd;

/// A timerfd(2) on the monotonic clock.
pub struct Beat(AsyncFd<OwnedFd>);

impl Beat {
    /// First ready `period` from now, then every `period`. Must be called inside a runtime.
    pub fn every(period: Duration) -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: takes numbers only; a new descriptor or -1 comes back.
        let raw = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open, new, and owned by nobody else.
        let timer = unsafe { OwnedFd::from_raw_fd(raw) };
        let each = libc::timespec {
            tv_sec: libc::time_t::try_from(period.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: period.subsec_nanos().into(),
        };
        let setting = libc::itimerspec { it_interval: each, it_value: each };
        // SAFETY: `setting` lives through the call; the old setting is not asked for.
        if unsafe { libc::timerfd_settime(raw, 0, &setting, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: an OwnedFd names the same open descriptor until it is dropped.
        Ok(Self(unsafe { AsyncFd::register(timer) }?))
    }

    /// Waits for the next expiry. Expiries that were missed count as one.
    pub async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let mut expiries = 0u64;
            let read = ready.try_io(|timer| {
                let at = (&raw mut expiries).cast();
                // SAFETY: `at` is valid for writing eight bytes, which is all a timerfd gives.
                let read = unsafe { libc::read(timer.as_raw_fd(), at, size_of::<u64>()) };
                if read < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
            });
            // An error here means: not ready after all, wait again.
            if let Ok(result) = read {
                // One read takes all expiries; trying again only to be told so costs a system call.
                ready.clear_ready();
                return result;
            }
        }
    }
}
