//! Old events go: the leader says up to where, every replica drops them.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::partition::retention::Stretch;
use ironhub_domain::partition::{Command, EventLog, Retention, TrimMark};
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
    Ok(trim(reader, &log, sequence, offset))
}

/// The command that drops what stands before `next` and was delivered, if a whole row did.
pub fn delivered_command(reader: &EventReader, next: u64) -> Result<Option<Command>, StorageError> {
    let log = reader.bounds();
    let (sequence, offset) = reader.find_row(&log, |row| row.end() > next)?;
    Ok(trim(reader, &log, sequence, offset))
}

fn trim(reader: &EventReader, log: &EventLog, sequence: u64, offset: u64) -> Option<Command> {
    let changes = sequence > log.first_sequence;
    changes.then_some(Command::TrimEvents(TrimMark { stream: reader.stream(), sequence, offset }))
}
