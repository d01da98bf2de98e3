//! Which events are old enough to go.

use crate::partition::event_log::EventLog;
use crate::time::UnixMs;

/// How long events stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Milliseconds after they were taken.
    pub age_ms: u64,
    /// Encoded bytes of one partition; the oldest go first. `None`: no bound.
    pub bytes_max: Option<u64>,
}

/// A stretch of events that is kept or dropped as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Offset at which it starts.
    pub first_offset: u64,
    /// Time of its newest event.
    pub last_enqueued: UnixMs,
}

/// What a [`Retention`] means right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoff {
    enqueued: UnixMs,
    offset: u64,
}

impl Retention {
    /// The cut through a log at this moment.
    pub fn cutoff(&self, log: &EventLog, now: UnixMs) -> Cutoff {
        Cutoff {
            enqueued: UnixMs(now.0.saturating_sub(self.age_ms)),
            offset: self.bytes_max.map_or(0, |max| log.next_offset.saturating_sub(max)),
        }
    }
}

impl Cutoff {
    /// Whether a stretch stays. Along a log the answer changes once at most, from no to yes.
    pub fn keeps(&self, stretch: Stretch) -> bool {
        stretch.last_enqueued >= self.enqueued && stretch.first_offset >= self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(retention: Retention, first_offset: u64, last_enqueued: u64, keeps: bool) {
        let log = EventLog { next_offset: 1000, ..EventLog::default() };
        let stretch = Stretch { first_offset, last_enqueued: UnixMs(last_enqueued) };
        assert_eq!(retention.cutoff(&log, UnixMs(5000)).keeps(stretch), keeps, "{stretch:?}");
    }

    #[test]
    fn what_is_older_than_the_age_goes() {
        let retention = Retention { age_ms: 1000, bytes_max: None };
        check(retention, 0, 3999, false);
        check(retention, 0, 4000, true);
        check(Retention { age_ms: u64::MAX, bytes_max: None }, 0, 0, true);
    }

    #[test]
    fn what_is_beyond_the_bytes_goes_however_young() {
        let retention = Retention { age_ms: u64::MAX, bytes_max: Some(400) };
        check(retention, 599, 5000, false);
        check(retention, 600, 5000, true);
        check(Retention { age_ms: u64::MAX, bytes_max: Some(2000) }, 0, 5000, true);
    }
}
