//! Appending: one frame, one sync, then the index; a new segment when the last is full.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

use super::frame::{self, END_BYTES, FrameKind, HEADER_BYTES, START_BYTES};
use super::index::{GroupIndex, Segment};
use super::{LogOptions, SegmentLog, WRITE_BYTES_MAX, segment_name};
use crate::log::disk::{Disk, DiskFile, is_full};
use crate::log::{GroupWrite, LogError, LogWrite};
use crate::machine::GroupId;

/// Room at the end of each segment that only compacted starts may use: on a full disk they are what frees old segments.
const RESERVE_BYTES_MAX: u64 = 64 << 10;
/// Most that one frame of copied entries holds.
const REWRITE_FRAME_BYTES_MAX: usize = 4 << 20;
/// A larger encode buffer than this is not kept between writes.
const BUFFER_BYTES_KEPT: usize = 8 << 20;

/// Where the next frame goes.
pub(super) struct Writer {
    pub segment: u32,
    pub file: Arc<dyn DiskFile>,
    pub offset: u64,
    /// Length of the segment file.
    pub end: u64,
    /// Sequence number of the last frame.
    pub sequence: u64,
    buffer: Vec<u8>,
    /// What failed; nothing is written after that.
    failed: Option<(&'static str, io::ErrorKind, String)>,
}

impl Writer {
    pub fn new(
        segment: u32,
        file: Arc<dyn DiskFile>,
        offset: u64,
        end: u64,
        sequence: u64,
    ) -> Self {
        Self { segment, file, offset, end, sequence, buffer: Vec::new(), failed: None }
    }

    /// Refuses once anything has failed.
    pub fn check(&self) -> Result<(), LogError> {
        match &self.failed {
            None => Ok(()),
            Some((operation, kind, message)) => {
                let source = io::Error::new(*kind, format!("earlier failure: {message}"));
                Err(LogError::Fatal { operation, source })
            }
        }
    }

    fn fail(&mut self, operation: &'static str, source: io::Error) -> LogError {
        self.failed = Some((operation, source.kind(), source.to_string()));
        LogError::Fatal { operation, source }
    }

    /// Encodes a write behind room for its header; false if there is nothing to write.
    pub fn encode(&mut self, write: &LogWrite) -> Result<bool, LogError> {
        let entries = write.groups.iter().flat_map(|(_, group)| &group.entries);
        let bytes: u64 = entries.map(|entry| entry.data.len() as u64 + 64).sum();
        let mut seen = HashSet::with_capacity(write.groups.len());
        let refused = if bytes + 128 * write.groups.len() as u64 > WRITE_BYTES_MAX {
            Some("one write is too large")
        } else if !write.groups.iter().all(|(group, _)| seen.insert(*group)) {
            Some("a group appears twice in one write")
        } else {
            None
        };
        if let Some(why) = refused {
            let source = io::Error::new(io::ErrorKind::InvalidInput, why);
            return Err(LogError::Fatal { operation: "encode", source });
        }
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
        frame::begin(&mut self.buffer);
        for (group, write) in &write.groups {
            if let Some(start) = write.reset_to {
                frame::put_reset(&mut self.buffer, *group, start);
            }
            for entry in &write.entries {
                frame::put_entry(&mut self.buffer, *group, entry, false);
            }
            if let Some(state) = &write.hard_state {
                frame::put_hard_state(&mut self.buffer, *group, state);
            }
        }
        Ok(self.buffer.len() > HEADER_BYTES)
    }

    pub fn encode_remove(&mut self, group: GroupId) {
        frame::begin(&mut self.buffer);
        frame::put_remove(&mut self.buffer, group);
    }

    fn fits(&self, bytes: usize) -> bool {
        self.offset + (bytes + END_BYTES) as u64 <= self.end - reserve(self.end)
    }

    /// Writes and syncs a frame at the tail.
    fn put(&mut self, frame: &mut Vec<u8>) -> Result<(), LogError> {
        frame::seal(frame, self.segment, self.offset, self.sequence + 1, FrameKind::Write);
        if let Err(error) = self.file.write_at(self.offset, frame) {
            // A copying file system can fill up inside preallocated room. What was written is no whole frame (its end
            // is missing), and the next one overwrites it.
            if is_full(&error) {
                return Err(LogError::Full { needed: frame.len() as u64 });
            }
            return Err(self.fail("write", error));
        }
        self.file.sync_data().map_err(|error| self.fail("fdatasync", error))?;
        self.offset += frame.len() as u64;
        self.sequence += 1;
        Ok(())
    }
}

fn reserve(segment_bytes: u64) -> u64 {
    RESERVE_BYTES_MAX.min(segment_bytes / 16)
}

/// Refuses a write that would leave a hole, before anything is written.
pub(super) fn validate(
    group: GroupId,
    write: &GroupWrite,
    log: &GroupIndex,
) -> Result<(), LogError> {
    let (start, last) = match write.reset_to {
        Some(start) => (start.index, start.index),
        None => (log.start.index, log.last_index()),
    };
    let Some(first) = write.entries.first() else { return Ok(()) };
    if first.index <= start {
        return Err(LogError::Compacted { group, index: first.index });
    }
    if first.index > last + 1 {
        return Err(LogError::Unavailable { group, index: first.index - 1 });
    }
    let hole = write.entries.windows(2).find(|pair| pair[1].index != pair[0].index + 1);
    match hole {
        Some(pair) => Err(LogError::Unavailable { group, index: pair[0].index + 1 }),
        None => Ok(()),
    }
}

/// Starts that ride along with a frame, and the bytes that they release.
type Starts = (BTreeSet<GroupId>, BTreeMap<u32, u64>);

impl SegmentLog {
    /// Appends the frame in the writer's buffer, moving to a new segment if it does not fit.
    pub(super) fn append(&self, writer: &mut Writer) -> Result<(), LogError> {
        let mut buffer = std::mem::take(&mut writer.buffer);
        let mut result = Ok(());
        if !writer.fits(buffer.len()) {
            result = self.make_room(writer, buffer.len());
        }
        if result.is_ok() {
            result = self.put(writer, &mut buffer);
        }
        writer.buffer = buffer;
        result
    }

    /// Appends a frame with the starts that moved, and brings the index up to date.
    fn put(&self, writer: &mut Writer, buffer: &mut Vec<u8>) -> Result<(), LogError> {
        let (groups, released) = self.take_starts(writer, buffer);
        let offset = writer.offset;
        if let Err(error) = writer.put(buffer) {
            let mut index = self.index.write();
            index.moved_starts.extend(groups);
            for (segment, bytes) in released {
                *index.released.entry(segment).or_default() += bytes;
            }
            return Err(error);
        }
        let dead = {
            let mut index = self.index.write();
            let body = &buffer[HEADER_BYTES..];
            if let Err(what) = index.apply(writer.segment, offset, FrameKind::Write, body, false) {
                return Err(writer.fail("index", io::Error::other(what)));
            }
            index.bury(&released);
            index.take_dead()
        };
        self.delete(&dead);
        Ok(())
    }

    /// Adds the moved starts to a frame if they fit into the segment, reserve included.
    fn take_starts(&self, writer: &Writer, buffer: &mut Vec<u8>) -> Starts {
        let mut index = self.index.write();
        let bytes = buffer.len() + END_BYTES + index.moved_starts.len() * START_BYTES;
        if writer.offset + bytes as u64 > writer.end {
            return Starts::default();
        }
        let groups = std::mem::take(&mut index.moved_starts);
        for group in &groups {
            if let Some(log) = index.groups.get(group) {
                frame::put_start(buffer, *group, log.start);
            }
        }
        (groups, std::mem::take(&mut index.released))
    }

    fn make_room(&self, writer: &mut Writer, bytes: usize) -> Result<(), LogError> {
        match self.roll(writer, bytes) {
            Err(LogError::Full { .. }) if self.starts_would_help(writer) => {
                let mut buffer = Vec::new();
                frame::begin(&mut buffer);
                self.put(writer, &mut buffer)?;
                self.roll(writer, bytes)?;
            }
            other => other?,
        }
        self.rewrite_oldest(writer)?;
        // The copies may have filled the new segment.
        if writer.fits(bytes) { Ok(()) } else { self.roll(writer, bytes) }
    }

    /// Whether writing the moved starts into the reserve would free a segment.
    fn starts_would_help(&self, writer: &Writer) -> bool {
        let index = self.index.read();
        let bytes = HEADER_BYTES + END_BYTES + index.moved_starts.len() * START_BYTES;
        writer.offset + bytes as u64 <= writer.end && index.starts_would_free()
    }

    /// Goes on in a new segment that has room for a frame of `bytes`.
    fn roll(&self, writer: &mut Writer, bytes: usize) -> Result<(), LogError> {
        let mut buffer = Vec::new();
        frame::begin(&mut buffer);
        let released = {
            let mut index = self.index.write();
            for (group, log) in &index.groups {
                let last = log.last_index();
                frame::put_base(&mut buffer, *group, log.start, last, &log.hard_state);
            }
            let groups = std::mem::take(&mut index.moved_starts);
            (groups, std::mem::take(&mut index.released))
        };
        let created = create_segment(
            self.disk.as_ref(),
            &self.options,
            writer.segment + 1,
            writer.sequence + 1,
            &mut buffer,
            bytes,
        );
        let mut index = self.index.write();
        let (file, end) = match created {
            Ok(created) => created,
            Err(error) => {
                index.moved_starts.extend(released.0);
                for (segment, bytes) in released.1 {
                    *index.released.entry(segment).or_default() += bytes;
                }
                return Err(match error {
                    LogError::Fatal { operation, source } => writer.fail(operation, source),
                    other => other,
                });
            }
        };
        writer.segment += 1;
        writer.sequence += 1;
        writer.file = file.clone();
        writer.offset = buffer.len() as u64;
        writer.end = end;
        index.segments.insert(writer.segment, Segment { file, bytes: end, live: 0 });
        index.bury(&released.1);
        let dead = index.take_dead();
        drop(index);
        self.delete(&dead);
        Ok(())
    }

    /// Copies what is still needed of the oldest segment into the newest, if too much of the log is dead weight.
    fn rewrite_oldest(&self, writer: &mut Writer) -> Result<(), LogError> {
        let mut work: Vec<(GroupId, u64)> = Vec::new();
        {
            let index = self.index.read();
            let live: u64 = index.segments.values().map(|segment| segment.live).sum();
            let total: u64 = index.segments.values().map(|segment| segment.bytes).sum();
            let Some((&oldest, _)) = index.segments.first_key_value() else { return Ok(()) };
            if index.segments.len() <= self.options.rewrite_after || live * 2 > total {
                return Ok(());
            }
            for (&group, log) in &index.groups {
                let held = log.entries.iter().enumerate();
                let held = held.filter(|(_, location)| location.segment == oldest);
                work.extend(held.map(|(place, _)| (group, log.start.index + 1 + place as u64)));
            }
        }
        let mut buffer = Vec::new();
        frame::begin(&mut buffer);
        for (group, at) in work {
            let entry = match super::read::entries(&self.index, group, at, at + 1, u64::MAX) {
                Ok(entries) => entries,
                // Compacted meanwhile: nothing to keep.
                Err(LogError::Compacted { .. }) => continue,
                Err(error) => return Err(error),
            };
            for entry in &entry {
                let size = frame::ENTRY_HEADER_BYTES + entry.data.len();
                if !writer.fits(buffer.len() + size) {
                    break;
                }
                frame::put_entry(&mut buffer, group, entry, true);
            }
            if buffer.len() > REWRITE_FRAME_BYTES_MAX {
                self.put(writer, &mut buffer)?;
                frame::begin(&mut buffer);
            }
        }
        if buffer.len() > HEADER_BYTES { self.put(writer, &mut buffer) } else { Ok(()) }
    }

    /// Removes files that no group needs. One that stays behind costs room until the next start, nothing else.
    fn delete(&self, segments: &[u32]) {
        for segment in segments {
            let name = segment_name(*segment);
            if let Err(error) = self.disk.delete(&name) {
                tracing::warn!(%name, %error, "log segment could not be deleted");
            }
        }
    }
}

/// Creates a segment with its checkpoint, durable, with room for one frame of `bytes`. `buffer` holds the checkpoint's
/// records behind room for a header.
pub(super) fn create_segment(
    disk: &dyn Disk,
    options: &LogOptions,
    segment: u32,
    sequence: u64,
    buffer: &mut Vec<u8>,
    bytes: usize,
) -> Result<(Arc<dyn DiskFile>, u64), LogError> {
    let name = segment_name(segment);
    // A sixteenth or less is reserved.
    let wanted = (buffer.len() + bytes + 2 * END_BYTES) as u64 * 16 / 15 + 1;
    let end = options.segment_bytes.max(wanted);
    frame::seal(buffer, segment, 0, sequence, FrameKind::Checkpoint);
    let fatal = |operation| move |source| LogError::Fatal { operation, source };
    let created = disk.create(&name, end).map_err(|error| ("create", error)).and_then(|file| {
        file.write_at(0, buffer).map_err(|error| ("write", error))?;
        Ok(file)
    });
    let file = match created {
        Ok(file) => file,
        Err((_, error)) if is_full(&error) => {
            // Free what was allocated of it; the name is used again by the next attempt.
            disk.delete(&name).or_else(ignore_missing).map_err(fatal("delete"))?;
            return Err(LogError::Full { needed: end });
        }
        Err((operation, error)) => return Err(fatal(operation)(error)),
    };
    file.sync_data().map_err(fatal("fdatasync"))?;
    disk.sync_dir().map_err(fatal("fsync of the directory"))?;
    Ok((file, end))
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// The checkpoint of a log without groups.
pub(super) fn empty_checkpoint() -> Vec<u8> {
    let mut buffer = Vec::new();
    frame::begin(&mut buffer);
    buffer
}
