//! Event rows: all batches of one log entry in one value, so that an event costs little more than its bytes.
//!
//! ```text
//! row   = version (1) events (4) first offset (8) last offset (8) newest time (8) batch*
//! batch = events (4) time in Unix ms (8) length (4) EventBatch (length)           big-endian all
//! ```
//!
//! The key holds the first sequence number. A row never changes.

use bytes::{Buf, Bytes};
use ironhub_cluster::storage::StorageError;
use ironhub_domain::partition::Appended;
use ironhub_domain::time::UnixMs;

use super::encode::damaged;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 29;
const BATCH_HEADER_BYTES: usize = 16;

/// A row being written while an entry is applied.
pub(super) struct RowBuilder {
    first_sequence: u64,
    value: Vec<u8>,
    newest: Option<Appended>,
}

impl RowBuilder {
    /// `bytes_expected` saves growing; the row takes what comes.
    pub(super) fn new(first: &Appended, bytes_expected: usize) -> Self {
        let mut value = Vec::with_capacity(HEADER_BYTES + bytes_expected);
        value.push(VERSION);
        value.extend_from_slice(&[0; 4]);
        value.extend_from_slice(&first.first_offset.to_be_bytes());
        value.extend_from_slice(&[0; 16]);
        Self { first_sequence: first.first_sequence, value, newest: None }
    }

    pub(super) fn push(&mut self, appended: &Appended, count: u32, payload: &[u8]) {
        self.value.extend_from_slice(&count.to_be_bytes());
        self.value.extend_from_slice(&appended.enqueued.0.to_be_bytes());
        // A payload is a part of a command, whose length the engine bounds far below 4 GiB.
        self.value.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        self.value.extend_from_slice(payload);
        self.newest = Some(*appended);
    }

    /// The first sequence number and the row's value.
    pub(super) fn finish(mut self) -> (u64, Vec<u8>) {
        if let Some(newest) = self.newest {
            let count = (newest.last_sequence + 1 - self.first_sequence) as u32;
            self.value[1..5].copy_from_slice(&count.to_be_bytes());
            self.value[13..21].copy_from_slice(&newest.last_offset.to_be_bytes());
            self.value[21..29].copy_from_slice(&newest.enqueued.0.to_be_bytes());
        }
        (self.first_sequence, self.value)
    }
}

/// What a row says about itself; cheap to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowHeader {
    pub(super) first_sequence: u64,
    pub(super) count: u32,
    pub(super) first_offset: u64,
    pub(super) last_offset: u64,
    pub(super) last_enqueued: UnixMs,
}

impl RowHeader {
    pub(super) fn read(first_sequence: u64, mut value: &[u8]) -> Result<Self, StorageError> {
        if value.len() < HEADER_BYTES {
            return Err(damaged("event row", "shorter than its header"));
        }
        let version = value.get_u8();
        if version != VERSION {
            return Err(damaged("event row", format!("version {version}")));
        }
        Ok(Self {
            first_sequence,
            count: value.get_u32(),
            first_offset: value.get_u64(),
            last_offset: value.get_u64(),
            last_enqueued: UnixMs(value.get_u64()),
        })
    }

    /// The sequence number after the row's last event.
    pub(super) fn end(&self) -> u64 {
        self.first_sequence + u64::from(self.count)
    }
}

/// One batch of a row, not taken apart.
#[derive(Clone, Debug)]
pub(super) struct RowBatch {
    pub(super) first_sequence: u64,
    pub(super) count: u32,
    pub(super) first_offset: u64,
    pub(super) enqueued: UnixMs,
    pub(super) payload: Bytes,
}

/// The batches of a row, in order.
pub(super) struct RowBatches {
    rest: Bytes,
    sequence: u64,
    end: u64,
    offset: u64,
}

impl RowBatches {
    pub(super) fn new(header: &RowHeader, value: &[u8]) -> Self {
        Self {
            rest: Bytes::copy_from_slice(&value[HEADER_BYTES..]),
            sequence: header.first_sequence,
            end: header.end(),
            offset: header.first_offset,
        }
    }
}

impl Iterator for RowBatches {
    type Item = Result<RowBatch, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            // A row that lacks events must not pass for one that had none.
            let whole = self.sequence == self.end;
            self.end = self.sequence;
            return (!whole).then(|| Err(damaged("event row", "lacks events")));
        }
        if self.rest.len() < BATCH_HEADER_BYTES {
            self.rest.clear();
            return Some(Err(damaged("event row", "ends within a batch header")));
        }
        let (count, enqueued, len) =
            (self.rest.get_u32(), self.rest.get_u64(), self.rest.get_u32());
        let len = len as usize;
        if self.rest.len() < len {
            self.rest.clear();
            return Some(Err(damaged("event row", "ends within a batch")));
        }
        let batch = RowBatch {
            first_sequence: self.sequence,
            count,
            first_offset: self.offset,
            enqueued: UnixMs(enqueued),
            payload: self.rest.split_to(len),
        };
        self.sequence += u64::from(count);
        self.offset += len as u64;
        Some(Ok(batch))
    }
}
