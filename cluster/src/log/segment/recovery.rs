//! Opening: which segments count, what they hold, where the next frame goes.
//!
//! What a crash can leave: the last frame torn in any way; a newest segment whose first frame is torn; older segments
//! whose deletion was undone. Anything else is damage and refuses to open.

use super::frame::{self, FrameKind, HEADER_BYTES};
use super::index::{Index, Segment};
use super::writer::{Writer, create_segment, empty_checkpoint};
use super::{LogOptions, segment_id, segment_name};
use crate::log::LogError;
use crate::log::disk::{Disk, DiskFile};

/// Zeros written at once when a torn tail is wiped.
const WIPE_CHUNK_BYTES: usize = 64 << 10;

/// How far a segment's frames go.
struct Tail {
    /// First byte after the last whole frame; 0 if not even the first is whole.
    offset: usize,
    sequence: u64,
    /// Why no frame follows.
    why: &'static str,
}

pub(super) fn recover(disk: &dyn Disk, options: &LogOptions) -> Result<(Index, Writer), LogError> {
    let names = disk.list().map_err(fatal("list"))?;
    let mut ids: Vec<u32> = names.iter().filter_map(|name| segment_id(name)).collect();
    ids.sort_unstable();
    let mut doomed = Vec::new();
    drop_torn_newest(disk, &mut ids, &mut doomed)?;
    // Deletions go oldest first and are not synced, so a crash may bring some back with holes between them. What
    // counts ends at the newest and has no hole; should that be wrong, entries are missing and `complete` says so.
    let gap = ids.windows(2).rposition(|pair| pair[1] != pair[0] + 1);
    doomed.extend(ids.drain(..gap.map_or(0, |place| place + 1)));

    let mut index = Index::default();
    let mut writer = None;
    let mut sequence = None;
    for (place, &id) in ids.iter().enumerate() {
        let file = disk.open(&segment_name(id)).map_err(fatal("open"))?;
        let mut bytes = read_all(file.as_ref())?;
        let end = bytes.len() as u64;
        index.segments.insert(id, Segment { file: file.clone(), bytes: end, live: 0 });
        let tail = replay(&mut index, id, &bytes, sequence)?;
        if tail.offset == 0 {
            return Err(damaged(id, 0, tail.why));
        }
        sequence = Some(tail.sequence);
        if place + 1 == ids.len() {
            wipe(file.as_ref(), id, &mut bytes, &tail)?;
            writer = Some(Writer::new(id, file, tail.offset as u64, end, tail.sequence));
        }
    }
    complete(&index)?;
    let writer = match writer {
        Some(writer) => writer,
        None => {
            // A first segment that a crash tore in its making is made anew.
            for id in doomed.drain(..) {
                disk.delete(&segment_name(id)).map_err(fatal("delete"))?;
            }
            let mut buffer = empty_checkpoint();
            let (file, end) = create_segment(disk, options, 1, 1, &mut buffer, 0)?;
            index.segments.insert(1, Segment { file: file.clone(), bytes: end, live: 0 });
            Writer::new(1, file, buffer.len() as u64, end, 1)
        }
    };
    for id in doomed {
        disk.delete(&segment_name(id)).map_err(fatal("delete"))?;
    }
    disk.sync_dir().map_err(fatal("fsync of the directory"))?;
    Ok((index, writer))
}

/// A newest segment without a whole first frame was being made when the crash came: nothing in it was acknowledged.
fn drop_torn_newest(
    disk: &dyn Disk,
    ids: &mut Vec<u32>,
    doomed: &mut Vec<u32>,
) -> Result<(), LogError> {
    let Some(&newest) = ids.last() else { return Ok(()) };
    let file = disk.open(&segment_name(newest)).map_err(fatal("open"))?;
    let bytes = read_all(file.as_ref())?;
    if let Err(why) = frame::parse(&bytes, newest, 0) {
        let alone = ids.len() == 1 && newest != 1;
        if alone || frame::later_frame(&bytes, newest, 0, 0).is_some() {
            return Err(damaged(newest, 0, why));
        }
        tracing::info!(segment = segment_name(newest), "unfinished log segment is dropped");
        ids.pop();
        doomed.push(newest);
    }
    Ok(())
}

/// Applies the whole frames of a segment. `before` is the last sequence number of the segment before it.
fn replay(
    index: &mut Index,
    segment: u32,
    bytes: &[u8],
    before: Option<u64>,
) -> Result<Tail, LogError> {
    let mut tail = Tail { offset: 0, sequence: before.unwrap_or(0), why: "" };
    loop {
        let frame = match frame::parse(bytes, segment, tail.offset) {
            Ok(frame) => frame,
            Err(why) => {
                tail.why = why;
                return Ok(tail);
            }
        };
        let at_start = tail.offset == 0;
        let first = at_start && before.is_none();
        if !first && frame.sequence != tail.sequence + 1 {
            return Err(damaged(segment, tail.offset, "frames are missing before this one"));
        }
        if (frame.kind == FrameKind::Checkpoint) != at_start {
            return Err(damaged(segment, tail.offset, "a frame of the wrong kind"));
        }
        index
            .apply(segment, tail.offset as u64, frame.kind, frame.body, first)
            .map_err(|what| damaged(segment, tail.offset, what))?;
        tail.sequence = frame.sequence;
        tail.offset += HEADER_BYTES + frame.body.len();
    }
}

/// Makes the last segment clean: zeros after its last whole frame, and all of it on disk.
fn wipe(file: &dyn DiskFile, segment: u32, bytes: &mut [u8], tail: &Tail) -> Result<(), LogError> {
    if let Some(at) = frame::later_frame(bytes, segment, tail.offset, tail.sequence + 1) {
        let what = format!("{}, yet a whole frame follows at byte {at}", tail.why);
        return Err(LogError::Damaged {
            segment: segment_name(segment),
            offset: tail.offset as u64,
            what,
        });
    }
    let torn = bytes[tail.offset..].iter().rposition(|byte| *byte != 0);
    if let Some(last) = torn {
        let length = last + 1;
        tracing::info!(
            segment = segment_name(segment),
            offset = tail.offset,
            bytes = length,
            "torn write at the end of the log is dropped"
        );
        let zeros = vec![0; WIPE_CHUNK_BYTES.min(length)];
        let mut done = 0;
        while done < length {
            let part = (length - done).min(zeros.len());
            let at = (tail.offset + done) as u64;
            file.write_at(at, &zeros[..part]).map_err(fatal("write"))?;
            done += part;
        }
    }
    // What a killed process wrote but did not sync was just read from memory; a power cut must not take it back.
    file.sync_data().map_err(fatal("fdatasync"))
}

/// Every live entry must stand in some segment.
fn complete(index: &Index) -> Result<(), LogError> {
    for (group, log) in &index.groups {
        if let Some(place) = log.entries.iter().position(|location| location.segment == 0) {
            let oldest = index.segments.first_key_value().map_or(0, |(id, _)| *id);
            let missing = log.start.index + 1 + place as u64;
            let what = format!("entry {missing} of group {} is in no segment", group.0);
            return Err(LogError::Damaged { segment: segment_name(oldest), offset: 0, what });
        }
    }
    Ok(())
}

fn read_all(file: &dyn DiskFile) -> Result<Vec<u8>, LogError> {
    let length = file.len().map_err(fatal("stat"))?;
    // Positions are 32 bits; a longer file is none of ours.
    let length = length.min(u64::from(u32::MAX)) as usize;
    let mut bytes = vec![0; length];
    let count = file.read_at(0, &mut bytes).map_err(fatal("read"))?;
    bytes.truncate(count);
    Ok(bytes)
}

fn fatal(operation: &'static str) -> impl Fn(std::io::Error) -> LogError {
    move |source| LogError::Fatal { operation, source }
}

fn damaged(segment: u32, offset: usize, what: &str) -> LogError {
    LogError::Damaged {
        segment: segment_name(segment),
        offset: offset as u64,
        what: what.to_owned(),
    }
}
