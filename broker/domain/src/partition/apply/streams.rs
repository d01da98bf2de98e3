//! The event logs of a partition.

use crate::partition::command::Outcome;
use crate::partition::event_log::{Stream, TrimMark};
use crate::partition::records::Records;

pub(super) fn trim<R: Records + ?Sized>(mark: TrimMark, records: &mut R) -> Outcome {
    let log = records.event_log(mark.stream);
    let from = log.first_sequence;
    if log.trim(mark) {
        records.drop_events(mark.stream, from, mark.sequence);
    }
    Outcome::Done
}

/// The built-in endpoint's log stays.
pub(super) fn forget<R: Records + ?Sized>(stream: Stream, records: &mut R) -> Outcome {
    if stream != Stream::BUILT_IN {
        let log = *records.event_log(stream);
        records.drop_events(stream, log.first_sequence, log.next_sequence);
        records.forget_stream(stream);
    }
    Outcome::Done
}

/// Only forward, and not beyond what there is.
pub(super) fn move_cursor<R: Records + ?Sized>(
    stream: Stream,
    sequence: u64,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let end = records.event_log(stream).next_sequence;
    if sequence > records.cursor(stream)? && sequence <= end {
        records.put_cursor(stream, sequence);
    }
    Ok(Outcome::Done)
}
