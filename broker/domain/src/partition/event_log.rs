//! The numbers of a partition's event log: which sequence number, offset and time each event gets.
//!
//! Events are numbered in batches and not looked at. A batch has `bytes` encoded bytes; an event's offset is the
//! batch's offset plus the position at which its encoding starts, so offsets grow strictly and say how much came before.

use crate::HubError;
use crate::time::UnixMs;

/// One event log of a partition. Each endpoint that messages are routed to has its own; numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream(pub u32);

impl Stream {
    /// The log behind the built-in endpoint, `events`.
    pub const BUILT_IN: Self = Self(0);
}

/// The counters of one log of a partition; a record of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventLog {
    /// Oldest event that is still there; equal to `next_sequence` when there is none.
    pub first_sequence: u64,
    /// Offset at which the oldest event's batch starts.
    pub first_offset: u64,
    /// What the next event gets. Gap-free from 0.
    pub next_sequence: u64,
    /// Where the next batch starts.
    pub next_offset: u64,
    /// Offset of the newest event ever appended; 0 before the first.
    pub last_offset: u64,
    /// Time of the newest event ever appended; 0 before the first.
    pub last_enqueued: UnixMs,
}

/// A batch that wants numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// Events in it; at least one.
    pub count: u32,
    /// Their encoded bytes, with all that is around them.
    pub bytes: u32,
    /// Where in these bytes the last event starts; 0 when it is the only one.
    pub last_event_at: u32,
    /// The proposer's clock.
    pub stamped: UnixMs,
}

/// The numbers of an appended batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Of the first event.
    pub first_sequence: u64,
    /// Of the last event.
    pub last_sequence: u64,
    /// Of the first event.
    pub first_offset: u64,
    /// Of the last event.
    pub last_offset: u64,
    /// Of all of them.
    pub enqueued: UnixMs,
}

/// Up to where events may go. It must lie where a stored row begins, or at the log's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimMark {
    /// Of which log.
    pub stream: Stream,
    /// First sequence number that stays.
    pub sequence: u64,
    /// Offset at which that event's batch starts.
    pub offset: u64,
}

impl EventLog {
    /// Numbers a batch. The clock of a new leader may be behind that of the last one: time never goes back in a log.
    pub fn append(&mut self, append: Append) -> Result<Appended, HubError> {
        let Append { count, bytes, last_event_at, stamped } = append;
        if count == 0 || last_event_at >= bytes || (last_event_at == 0) != (count == 1) {
            return Err(HubError::Internal("a batch of events whose numbers do not fit".into()));
        }
        let appended = Appended {
            first_sequence: self.next_sequence,
            last_sequence: self.next_sequence + u64::from(count) - 1,
            first_offset: self.next_offset,
            last_offset: self.next_offset + u64::from(last_event_at),
            enqueued: stamped.max(self.last_enqueued),
        };
        self.next_sequence = appended.last_sequence + 1;
        self.next_offset += u64::from(bytes);
        self.last_offset = appended.last_offset;
        self.last_enqueued = appended.enqueued;
        Ok(appended)
    }

    /// Moves the beginning of the log up to the mark; `false` if it is there or beyond already.
    pub fn trim(&mut self, mark: TrimMark) -> bool {
        if mark.sequence <= self.first_sequence || mark.sequence > self.next_sequence {
            return false;
        }
        self.first_sequence = mark.sequence;
        self.first_offset = mark.offset.min(self.next_offset);
        true
    }

    /// Whether there is no event to read.
    pub fn is_empty(&self) -> bool {
        self.first_sequence == self.next_sequence
    }

    /// Encoded bytes of the events that are still there.
    pub fn bytes(&self) -> u64 {
        self.next_offset - self.first_offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(count: u32, bytes: u32, last_event_at: u32, stamped: u64) -> Append {
        Append { count, bytes, last_event_at, stamped: UnixMs(stamped) }
    }

    #[test]
    fn sequence_numbers_have_no_gap_offsets_grow_and_time_never_goes_back() {
        let mut log = EventLog::default();
        assert!(log.is_empty());
        for (batch, expected) in [
            (append(1, 50, 0, 1000), (0, 0, 0, 0, 1000)),
            (append(3, 200, 150, 1005), (1, 3, 50, 200, 1005)),
            (append(2, 80, 40, 900), (4, 5, 250, 290, 1005)),
            (append(1, 10, 0, 1006), (6, 6, 330, 330, 1006)),
        ] {
            let got = log.append(batch).unwrap();
            let Appended { first_sequence, last_sequence, first_offset, last_offset, enqueued } =
                got;
            assert_eq!(
                (first_sequence, last_sequence, first_offset, last_offset, enqueued.0),
                expected
            );
        }
        assert_eq!(log.bytes(), 340);
    }

    #[test]
    fn a_batch_whose_numbers_do_not_fit_changes_nothing() {
        let mut log = EventLog::default();
        for batch in
            [append(0, 10, 0, 1), append(1, 0, 0, 1), append(2, 10, 0, 1), append(2, 10, 10, 1)]
        {
            assert!(log.append(batch).is_err());
        }
        assert_eq!(log, EventLog::default());
    }

    #[test]
    fn trim_only_moves_forward_and_never_past_the_end() {
        let mut log = EventLog::default();
        log.append(append(10, 100, 90, 1)).unwrap();
        log.append(append(10, 100, 90, 1)).unwrap();
        let mark = |sequence, offset| TrimMark { stream: Stream::BUILT_IN, sequence, offset };
        assert!(!log.trim(mark(0, 0)));
        assert!(log.trim(mark(10, 100)));
        assert!(!log.trim(mark(10, 100)));
        assert!(!log.trim(mark(5, 50)));
        assert!(!log.trim(mark(21, 300)));
        assert_eq!((log.first_sequence, log.bytes()), (10, 100));
        assert!(log.trim(mark(20, 200)));
        assert!(log.is_empty());
        assert_eq!(log.append(append(1, 10, 0, 2)).unwrap().first_sequence, 20);
    }
}
