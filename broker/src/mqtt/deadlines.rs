//! When a connection ends by itself. One timer per connection serves them all: it is armed for the earliest and looks
//! again when it fires, so that a packet costs no timer operation.

use std::time::Duration;

use ironhub_domain::time::UnixMs;
use tokio::time::Instant;

use super::errors::Cause;

/// Longest silence that is allowed (device-protocols.md 2.4).
const SILENCE_MAX: Duration = Duration::from_secs(1767);
/// A keep alive of 0 counts as this many seconds.
const KEEP_ALIVE_OF_ZERO: u16 = 1177;
/// A client that takes nothing of what is sent to it for this long is gone.
const STALL_MAX: Duration = Duration::from_secs(30);

/// How long a client may be silent: one and a half times its keep alive.
pub(super) fn silence(keep_alive_seconds: u16) -> Duration {
    let seconds = if keep_alive_seconds == 0 { KEEP_ALIVE_OF_ZERO } else { keep_alive_seconds };
    (Duration::from_secs(seconds.into()) * 3 / 2).min(SILENCE_MAX)
}

/// See the module.
pub(super) struct Deadlines {
    last_packet: Instant,
    silence: Duration,
    /// `None` without a token.
    token: Option<Instant>,
}

impl Deadlines {
    /// `wall_clock` is the time at `now`. The connection may outlive its token by `grace` (device-protocols.md 1.6).
    pub(super) fn new(
        now: Instant,
        wall_clock: UnixMs,
        keep_alive_seconds: u16,
        token_expires: Option<UnixMs>,
        grace: Duration,
    ) -> Self {
        let token = token_expires.and_then(|expires| {
            let left = Duration::from_millis(expires.0.saturating_sub(wall_clock.0));
            // An expired token that was let in by the skew of clocks counts from its end, not from now.
            let late = Duration::from_millis(wall_clock.0.saturating_sub(expires.0));
            now.checked_add(left.checked_add(grace.saturating_sub(late))?)
        });
        Self { last_packet: now, silence: silence(keep_alive_seconds), token }
    }

    /// A complete packet came, or reading begins again after the hub itself had stopped it.
    pub(super) fn packet(&mut self, now: Instant) {
        self.last_packet = now;
    }

    /// The earliest deadline; `reading` is false while the hub does not read, when silence means nothing.
    pub(super) fn due(&self, reading: bool, stalled_since: Option<Instant>) -> Instant {
        let silence = reading.then(|| self.last_packet + self.silence);
        let stall = stalled_since.map(|since| since + STALL_MAX);
        let due = [silence, stall, self.token].into_iter().flatten().min();
        due.unwrap_or_else(|| Instant::now() + SILENCE_MAX)
    }

    /// What has run out at `now`.
    pub(super) fn expired(
        &self,
        now: Instant,
        reading: bool,
        stalled_since: Option<Instant>,
    ) -> Option<Cause> {
        if self.token.is_some_and(|token| token <= now) {
            return Some(Cause::TokenExpired);
        }
        if stalled_since.is_some_and(|since| since + STALL_MAX <= now) {
            return Some(Cause::WriteStalled);
        }
        (reading && self.last_packet + self.silence <= now).then_some(Cause::KeepAlive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_one_and_a_half_keep_alives_up_to_a_limit() {
        for (keep_alive, millis) in [
            (1, 1500),
            (60, 90_000),
            (1177, 1_765_500),
            (0, 1_765_500),
            (1178, 1_767_000),
            (65535, 1_767_000),
        ] {
            assert_eq!(silence(keep_alive), Duration::from_millis(millis), "{keep_alive}");
        }
    }

    fn check(now_s: u64, expires_ms: u64, grace_s: u64, ends_after_ms: Option<u64>) {
        let now = Instant::now();
        let wall_clock = UnixMs(now_s * 1000);
        let expires = Some(UnixMs(expires_ms));
        let deadlines = Deadlines::new(now, wall_clock, 60, expires, Duration::from_secs(grace_s));
        let ends = deadlines.token.map(|token| token.duration_since(now).as_millis() as u64);
        assert_eq!(ends, ends_after_ms);
    }

    #[test]
    fn a_connection_outlives_its_token_by_the_grace() {
        check(1000, 1_060_000, 600, Some(660_000));
        check(1000, 1_000_500, 0, Some(500));
        check(1000, 900_000, 600, Some(500_000));
        check(1000, 900_000, 0, Some(0));
        check(1000, u64::MAX, 600, Some(u64::MAX - 400_000));
    }

    #[test]
    fn the_earliest_deadline_counts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let expires = Some(UnixMs(100_000));
        let mut deadlines = Deadlines::new(start, UnixMs(0), 60, expires, Duration::ZERO);
        assert_eq!(deadlines.due(true, None), at(90));
        assert_eq!(deadlines.due(true, Some(at(5))), at(35));
        assert_eq!(
            deadlines.due(false, None),
            at(100),
            "the hub's own pause is not the client's silence"
        );
        assert!(deadlines.expired(at(89), true, None).is_none());
        assert!(matches!(deadlines.expired(at(90), true, None), Some(Cause::KeepAlive)));
        assert!(deadlines.expired(at(90), false, None).is_none());
        assert!(matches!(deadlines.expired(at(35), true, Some(at(5))), Some(Cause::WriteStalled)));
        deadlines.packet(at(80));
        assert_eq!(deadlines.due(true, None), at(100));
        assert!(matches!(deadlines.expired(at(100), true, None), Some(Cause::TokenExpired)));
    }
}
