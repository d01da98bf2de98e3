//! Old events go: the leader says up to where, every replica drops them.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::partition::retention::Stretch;
use ironhub_domain::partition::{Command, Retention, TrimMark};
use ironhub_domain::time::UnixMs;

use super::reader::EventReader;

/// The command that drops what is too old now, if anything is. Cheap: a binary search over rows. Rows go as a whole, once
/// their newest event may.
pub fn trim_command(
    reader: &EventReader,
    retention: &Retention,
    now: UnixMs,
) -> Result<Option<Command>, StorageError> {
    let log = reader.bounds();
    let cutoff = retention.cutoff(&log, now);
    let (sequence, offset) = reader.find_row(&log, |row| {
        cutoff.keeps(Stretch { first_offset: row.first_offset, last_enqueued: row.last_enqueued })
    })?;
    let changes = sequence > log.first_sequence;
    Ok(changes.then_some(Command::TrimEvents(TrimMark {
        stream: reader.stream(),
        sequence,
        offset,
    })))
}
