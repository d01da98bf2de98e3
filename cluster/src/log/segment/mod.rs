//! The log of all groups in append-only segment files: one write, one `fdatasync`.
//!
//! A [`LogWrite`] becomes one frame ([`frame`]): after a crash all of it is there or nothing. Segments are preallocated, so
//! an append inside one does not meet a full disk. Each begins with a checkpoint of every group's start, end and hard
//! state, which is what lets the segments before it be deleted, oldest first, once no entry in them is needed.
//!
//! A group that lags or idles would pin old segments for ever. So when more than [`LogOptions::rewrite_after`] segments
//! exist and less than half of their bytes are needed, each new segment begins with copies of what the oldest one
//! still holds, and the oldest goes. [`SegmentLog::pinned_by`] says who holds it.
//!
//! A failed write or sync poisons the log: every later write fails too. A full disk is no such failure: the write leaves nothing
//! behind and may be repeated. Damage that no crash explains refuses to open. Read [`frame`], then `recovery`.
//!
//! Threads: one mutex for the writer, one read-write lock for the index; no lock is held while reading files.

mod frame;
mod index;
mod read;
mod recovery;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use self::index::{GroupIndex, Index};
use self::writer::Writer;
use crate::log::disk::Disk;
use crate::log::{GroupLog, LogEntry, LogError, LogStore, LogWrite};
use crate::machine::GroupId;

/// Smallest allowed [`LogOptions::segment_bytes`].
pub const SEGMENT_BYTES_MIN: u64 = 4 << 10;
/// Largest allowed [`LogOptions::segment_bytes`]; positions inside a segment are 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Largest [`LogWrite`], encoded. One that is larger is refused as fatal: no batch limit of the engine comes near it.
pub const WRITE_BYTES_MAX: u64 = 1 << 30;

/// How a [`SegmentLog`] uses its disk.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Size of one file, clamped to [`SEGMENT_BYTES_MIN`]..=[`SEGMENT_BYTES_MAX`]; a larger write gets a file of its own size.
    pub segment_bytes: u64,
    /// Segments that may exist before live entries of the oldest are copied forward. At least 2.
    pub rewrite_after: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, rewrite_after: 8 }
    }
}

/// A group that keeps the oldest segment from being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The group.
    pub group: GroupId,
    /// Its entries in that segment.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// [`LogStore`] over segment files.
pub struct SegmentLog {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    index: RwLock<Index>,
    writer: Mutex<Writer>,
}

impl SegmentLog {
    /// Opens the log in `disk`, an own directory, and recovers what a crash left; a missing log is created.
    ///
    /// A torn tail is cut off and wiped, and everything found is synced before this returns, so nothing that was seen can vanish later.
    /// Fails with [`LogError::Damaged`] rather than drop what may have been acknowledged.
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions) -> Result<SegmentLog, LogError> {
        let options = LogOptions {
            segment_bytes: options.segment_bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            rewrite_after: options.rewrite_after.max(2),
        };
        let (index, writer) = recovery::recover(disk.as_ref(), &options)?;
        Ok(SegmentLog { disk, options, index: RwLock::new(index), writer: Mutex::new(writer) })
    }

    /// Who needs entries in the oldest segment; empty when nothing pins it or it is the only one.
    ///
    /// Walks the index: for an operator's question, not for the write path.
    pub fn pinned_by(&self) -> Vec<Pin> {
        let index = self.index.read();
        if index.segments.len() < 2 {
            return Vec::new();
        }
        let Some((&oldest, _)) = index.segments.first_key_value() else { return Vec::new() };
        let pins = index.groups.iter().map(|(&group, log)| {
            let held = || log.entries.iter().filter(|location| location.segment == oldest);
            let bytes = held().map(|location| u64::from(location.bytes)).sum();
            Pin { group, entries: held().count() as u64, bytes }
        });
        pins.filter(|pin| pin.entries > 0).collect()
    }

    /// Segment files in use.
    pub fn segments(&self) -> usize {
        self.index.read().segments.len()
    }
}

impl LogStore for SegmentLog {
    fn groups(&self) -> Vec<(GroupId, GroupLog)> {
        self.index.read().groups.iter().map(|(&group, log)| (group, log.log())).collect()
    }

    fn write(&self, write: &LogWrite) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        writer.check()?;
        {
            let index = self.index.read();
            write.groups.iter().try_for_each(|(group, write)| {
                let none = GroupIndex::default();
                writer::validate(*group, write, index.groups.get(group).unwrap_or(&none))
            })?;
        }
        if writer.encode(write)? { self.append(&mut writer) } else { Ok(()) }
    }

    fn entries(
        &self,
        group: GroupId,
        low: u64,
        high: u64,
        bytes_max: u64,
    ) -> Result<Vec<LogEntry>, LogError> {
        read::entries(&self.index, group, low, high, bytes_max)
    }

    fn term(&self, group: GroupId, index: u64) -> Result<u64, LogError> {
        let state = self.index.read();
        match state.groups.get(&group) {
            Some(log) if log.start.index == index => Ok(log.start.term),
            Some(log) => Ok(log.at(group, index)?.term),
            None if index == 0 => Ok(0),
            None => Err(LogError::Unavailable { group, index }),
        }
    }

    fn compact(&self, group: GroupId, index: u64) -> Result<(), LogError> {
        let mut state = self.index.write();
        let log = state.groups.get(&group).ok_or(LogError::Unavailable { group, index })?;
        if index <= log.start.index {
            return Ok(());
        }
        let term = log.at(group, index)?.term;
        // Cannot fail: the entry exists.
        let _ = state.compact(group, crate::log::LogStart { index, term });
        Ok(())
    }

    fn remove_group(&self, group: GroupId) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        writer.check()?;
        if !self.index.read().groups.contains_key(&group) {
            return Ok(());
        }
        writer.encode_remove(group);
        self.append(&mut writer)
    }

    fn bytes(&self) -> u64 {
        self.index.read().segments.values().map(|segment| segment.bytes).sum()
    }
}

/// File name of a segment.
fn segment_name(id: u32) -> String {
    format!("{id:08x}.log")
}

/// Id of a segment by its file name; 0 is never used.
fn segment_id(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 8)?;
    u32::from_str_radix(digits, 16).ok().filter(|&id| id != 0 && segment_name(id) == name)
}
