//! Reads of an event log of a partition, from any thread of any node that has applied it.
//!
//! Rows are found by binary search over sequence numbers: offsets and times grow along with them, so one way of looking
//! serves every start position and retention, and no index has to be kept.

use std::ops::ControlFlow;
use std::sync::Arc;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{Area, StateStore, StorageError};
use ironhub_domain::HubError;
use ironhub_domain::event::{Event, StartPosition};
use ironhub_domain::partition::{EventLog, Stream};
use tokio::sync::watch;

use super::encode::event::{decode_batch, decode_message};
use super::keys;
use super::row::{RowBatch, RowBatches, RowHeader};

/// Reads the events of one log of a partition. Cheap to clone. Its methods read the disk: for a moment if the events are young,
/// for longer if not.
#[derive(Clone)]
pub struct EventReader {
    store: Arc<dyn StateStore>,
    group: GroupId,
    stream: Stream,
    watermark: watch::Receiver<EventLog>,
}

impl EventReader {
    /// A reader of one log of `group`; `watermark` comes from
    /// [`Watermarks::subscribe`](super::Watermarks::subscribe).
    pub fn new(
        store: Arc<dyn StateStore>,
        group: GroupId,
        stream: Stream,
        watermark: watch::Receiver<EventLog>,
    ) -> Self {
        Self { store, group, stream, watermark }
    }

    /// Which log it reads.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// The log's counters as applied here: what there is to read.
    pub fn bounds(&self) -> EventLog {
        *self.watermark.borrow()
    }

    /// Changes whenever events came or went.
    pub fn watermark(&self) -> watch::Receiver<EventLog> {
        self.watermark.clone()
    }

    /// The sequence number of the first event that a consumer at this position gets; the next one to come, if all that is
    /// there lies before the position.
    ///
    /// A position before the oldest event is that event. An offset or a sequence number that the log has not reached is
    /// refused; a time in the future is the end (service-protocols.md 4.5).
    pub fn resolve(&self, position: StartPosition) -> Result<u64, HubError> {
        let log = self.bounds();
        let beyond = |what: &str, value: u64, end: u64| {
            Err(HubError::InvalidArgument(format!(
                "{what} {value} is beyond the partition's end, which is {end}"
            )))
        };
        let found = match position {
            StartPosition::Earliest => log.first_sequence,
            StartPosition::Latest => log.next_sequence,
            StartPosition::Sequence { value, .. } if value > log.next_sequence => {
                return beyond("sequence number", value, log.next_sequence);
            }
            StartPosition::Sequence { value, inclusive } => value + u64::from(!inclusive),
            StartPosition::Offset { value, .. } if value > log.next_offset => {
                return beyond("offset", value, log.next_offset);
            }
            StartPosition::Offset { value, inclusive } => {
                let is_after = |offset: u64| offset > value || inclusive && offset == value;
                self.first_event(
                    &log,
                    |row| is_after(row.last_offset),
                    |batch| batch_offsets(batch, is_after),
                )
                .map_err(hub_error)?
            }
            StartPosition::EnqueuedTime { time, inclusive } => {
                let is_after = |enqueued| enqueued > time || inclusive && enqueued == time;
                self.first_event(
                    &log,
                    |row| is_after(row.last_enqueued),
                    |batch| Ok(is_after(batch.enqueued).then_some(batch.first_sequence)),
                )
                .map_err(hub_error)?
            }
        };
        Ok(found.clamp(log.first_sequence, log.next_sequence))
    }

    /// The events from `sequence` on (or from the oldest one that is left), in order: at most `events_max`, and no further
    /// one once they have `bytes_max` encoded bytes. Empty only if there is none yet.
    pub fn read(
        &self,
        sequence: u64,
        bytes_max: usize,
        events_max: usize,
    ) -> Result<Vec<Event>, HubError> {
        let log = self.bounds();
        let from = sequence.max(log.first_sequence);
        let mut events = Vec::new();
        if from >= log.next_sequence || events_max == 0 {
            return Ok(events);
        }
        // The row that holds `from` may begin before it.
        let start = self.row_at(&log, from).map_err(hub_error)?;
        let start = start.map_or(from, |row| row.first_sequence);
        let mut bytes = 0;
        let mut failed = None;
        let (first, last) = (self.key(start), self.key(log.next_sequence));
        let scanned = self.store.scan(Area::Events, &first, &last, &mut |key, value| {
            let mut collect = || {
                let row = read_header(key, value)?;
                collect_row(&row, value, from, events_max, bytes_max, &mut bytes, &mut events)
            };
            match collect() {
                Ok(flow) => flow,
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        match scanned.and(failed.map_or(Ok(()), Err)) {
            Ok(()) => Ok(events),
            // What was read before the damage is good; the damage is met again at the next read.
            Err(_) if !events.is_empty() => Ok(events),
            Err(error) => Err(hub_error(error)),
        }
    }

    /// First sequence number of the first row for which `wanted` holds, and the row's offset; the log's end if there is
    /// none. `wanted` must not go back to `false` along the log.
    pub(super) fn find_row(
        &self,
        log: &EventLog,
        wanted: impl Fn(&RowHeader) -> bool,
    ) -> Result<(u64, u64), StorageError> {
        let (mut low, mut high) = (log.first_sequence, (log.next_sequence, log.next_offset));
        while low < high.0 {
            let middle = low + (high.0 - low) / 2;
            match self.row_at(log, middle)? {
                Some(row) if wanted(&row) => high = (row.first_sequence, row.first_offset),
                Some(row) => low = row.end(),
                // Trimmed since the counters were read.
                None => low = middle + 1,
            }
        }
        Ok(high)
    }

    fn first_event(
        &self,
        log: &EventLog,
        wanted: impl Fn(&RowHeader) -> bool,
        in_batch: impl Fn(&RowBatch) -> Result<Option<u64>, StorageError>,
    ) -> Result<u64, StorageError> {
        let (sequence, _) = self.find_row(log, wanted)?;
        let Some(value) = self.store.get(Area::Events, &self.key(sequence))? else {
            return Ok(sequence);
        };
        let row = RowHeader::read(sequence, &value)?;
        for batch in RowBatches::new(&row, &value) {
            if let Some(found) = in_batch(&batch?)? {
                return Ok(found);
            }
        }
        Ok(row.end())
    }

    /// The row that holds this event, if it is still there.
    fn row_at(&self, log: &EventLog, sequence: u64) -> Result<Option<RowHeader>, StorageError> {
        let (from, to) = (self.key(log.first_sequence), self.key(sequence.saturating_add(1)));
        let mut found = None;
        self.store.scan_back(Area::Events, &from, &to, &mut |key, value| {
            found = Some(read_header(key, value));
            ControlFlow::Break(())
        })?;
        Ok(found.transpose()?.filter(|row| sequence < row.end()))
    }

    fn key(&self, sequence: u64) -> Vec<u8> {
        keys::event_row(self.group, self.stream, sequence)
    }
}

fn read_header(key: &[u8], value: &[u8]) -> Result<RowHeader, StorageError> {
    let sequence = keys::event_row_sequence(key)
        .ok_or_else(|| super::encode::damaged("event row", "a key of another length"))?;
    RowHeader::read(sequence, value)
}

/// First event of the batch whose offset is wanted.
fn batch_offsets(
    batch: &RowBatch,
    wanted: impl Fn(u64) -> bool,
) -> Result<Option<u64>, StorageError> {
    // Every event starts before the batch's last byte, so most batches need not be taken apart.
    if !wanted(batch.first_offset + batch.payload.len().saturating_sub(1) as u64) {
        return Ok(None);
    }
    let decoded = decode_batch(&batch.payload, batch.count as usize)?;
    Ok((batch.first_sequence..)
        .zip(&decoded.events)
        .find(|(_, (position, _))| wanted(batch.first_offset + position))
        .map(|(sequence, _)| sequence))
}

fn collect_row(
    row: &RowHeader,
    value: &[u8],
    from: u64,
    events_max: usize,
    bytes_max: usize,
    bytes: &mut usize,
    events: &mut Vec<Event>,
) -> Result<ControlFlow<()>, StorageError> {
    if row.end() <= from {
        return Ok(ControlFlow::Continue(()));
    }
    for batch in RowBatches::new(row, value) {
        let batch = batch?;
        if batch.first_sequence + u64::from(batch.count) <= from {
            continue;
        }
        let decoded = decode_batch(&batch.payload, batch.count as usize)?;
        for (sequence, (position, encoded)) in (batch.first_sequence..).zip(decoded.events) {
            if sequence < from {
                continue;
            }
            *bytes += encoded.len();
            events.push(Event {
                sequence,
                offset: batch.first_offset + position,
                enqueued: batch.enqueued,
                origin: decoded.origin.clone(),
                message: decode_message(encoded)?,
            });
            if *bytes >= bytes_max || events.len() >= events_max {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// What a storage error is to whoever asked.
pub(crate) fn hub_error(error: StorageError) -> HubError {
    match error {
        StorageError::Engine { full: true, .. } => HubError::StorageFull,
        StorageError::Engine { full: false, .. } | StorageError::Damaged(_) => {
            HubError::Internal(error.to_string())
        }
    }
}
