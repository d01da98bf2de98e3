//! Bytes of a segment: frames, and the records in them. Little-endian throughout.
//!
//! ```text
//! frame  = magic u32, body length u32, sequence u64, crc u32, kind u32, body
//! body   = record* end
//! entry  = tag u8, kind u8, group u32, index u64, term u64, data length u32, crc u32, data
//! ```
//!
//! The frame's checksum also covers the segment's id and the frame's offset, so bytes that were once written elsewhere, or
//! by an earlier attempt, never pass. The end is a byte other than zero: a write that a full disk broke off is never whole, even if only
//! zeros are missing. Sequence numbers run on over all segments without a gap: a frame that is missing
//! between two others shows.

use crate::log::{EntryKind, HardState, LogEntry, LogStart};
use crate::machine::GroupId;

/// First bytes of every frame.
pub(super) const MAGIC: [u8; 4] = *b"IrLf";
/// Bytes before a frame's body.
pub(super) const HEADER_BYTES: usize = 24;
/// Bytes before an entry's data.
pub(super) const ENTRY_HEADER_BYTES: usize = 30;
/// Bytes of one [`Record::Start`].
pub(super) const START_BYTES: usize = 21;

/// Bytes that [`seal`] adds.
pub(super) const END_BYTES: usize = 1;

const ENTRY: u8 = 1;
const MOVED: u8 = 2;
const HARD_STATE: u8 = 3;
const RESET: u8 = 4;
const START: u8 = 5;
const REMOVE: u8 = 6;
const BASE: u8 = 7;
const END: u8 = 0xff;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Records of one synced write.
    Write = 0,
    /// The first frame of a segment: every group's [`Record::Base`].
    Checkpoint = 1,
}

/// A frame whose checksum passed.
pub(super) struct Frame<'a> {
    pub sequence: u64,
    pub kind: FrameKind,
    pub body: &'a [u8],
}

/// One record of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// An entry stands at `at..at + bytes` of the body; it cuts the group's log at its index.
    Entry { group: GroupId, index: u64, term: u64, at: usize, bytes: usize },
    /// A copy of a live entry, so that the segment with the original can go; cuts nothing.
    Moved { group: GroupId, index: u64, term: u64, at: usize, bytes: usize },
    /// New hard state.
    HardState { group: GroupId, state: HardState },
    /// Forget all entries; the log starts after this position.
    Reset { group: GroupId, start: LogStart },
    /// The log was compacted up to this position.
    Start { group: GroupId, start: LogStart },
    /// Forget the group.
    Remove { group: GroupId },
    /// A group as it stood when the segment began.
    Base { group: GroupId, start: LogStart, last_index: u64, state: HardState },
}

/// Reserves a frame's header; [`seal`] fills it in.
pub(super) fn begin(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.resize(HEADER_BYTES, 0);
}

/// Adds the end and fills in the header of a frame that will stand at `offset` of a segment.
pub(super) fn seal(
    buffer: &mut Vec<u8>,
    segment: u32,
    offset: u64,
    sequence: u64,
    kind: FrameKind,
) {
    buffer.push(END);
    let (header, body) = buffer.split_at_mut(HEADER_BYTES);
    let length = body.len() as u32;
    let crc = checksum(segment, offset, sequence, kind as u32, body);
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    header[16..20].copy_from_slice(&crc.to_le_bytes());
    header[20..24].copy_from_slice(&(kind as u32).to_le_bytes());
}

/// The frame at `offset` of a segment's bytes, or why there is none.
pub(super) fn parse(bytes: &[u8], segment: u32, offset: usize) -> Result<Frame<'_>, &'static str> {
    let rest = bytes.get(offset..).unwrap_or_default();
    let Some((header, rest)) = rest.split_at_checked(HEADER_BYTES) else {
        return Err("the segment ends");
    };
    if header[..4] != MAGIC {
        return Err("no frame begins here");
    }
    let mut fields = Fields(&header[4..]);
    let (length, sequence, crc, kind) =
        (fields.u32()?, fields.u64()?, fields.u32()?, fields.u32()?);
    let body = rest.get(..length as usize).ok_or("frame is longer than its segment")?;
    if checksum(segment, offset as u64, sequence, kind, body) != crc {
        return Err("frame checksum does not match");
    }
    let kind = match kind {
        0 => FrameKind::Write,
        1 => FrameKind::Checkpoint,
        _ => return Err("frame kind is unknown"),
    };
    Ok(Frame { sequence, kind, body })
}

/// Whether a whole frame with a sequence number above `sequence` stands anywhere after `offset`.
///
/// One frame is in flight at a time, so no crash leaves such a frame behind a broken one.
pub(super) fn later_frame(
    bytes: &[u8],
    segment: u32,
    offset: usize,
    sequence: u64,
) -> Option<usize> {
    let mut at = offset;
    loop {
        let found = bytes.get(at..)?.windows(4).position(|window| window == MAGIC)?;
        at += found;
        if parse(bytes, segment, at).is_ok_and(|frame| frame.sequence > sequence) {
            return Some(at);
        }
        at += 1;
    }
}

fn checksum(segment: u32, offset: u64, sequence: u64, kind: u32, body: &[u8]) -> u32 {
    let mut place = [0; 28];
    place[..4].copy_from_slice(&segment.to_le_bytes());
    place[4..12].copy_from_slice(&offset.to_le_bytes());
    place[12..20].copy_from_slice(&sequence.to_le_bytes());
    place[20..24].copy_from_slice(&kind.to_le_bytes());
    place[24..].copy_from_slice(&(body.len() as u32).to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&place), body)
}

/// Appends an entry.
pub(super) fn put_entry(buffer: &mut Vec<u8>, group: GroupId, entry: &LogEntry, moved: bool) {
    let at = buffer.len();
    buffer.push(if moved { MOVED } else { ENTRY });
    buffer.push(entry.kind as u8);
    put_u32(buffer, group.0);
    put_u64s(buffer, &[entry.index, entry.term]);
    put_u32(buffer, entry.data.len() as u32);
    // The tag is left out, so that a moved entry keeps its checksum.
    let crc = crc32c::crc32c_append(crc32c::crc32c(&buffer[at + 1..]), &entry.data);
    put_u32(buffer, crc);
    buffer.extend_from_slice(&entry.data);
}

pub(super) fn put_hard_state(buffer: &mut Vec<u8>, group: GroupId, state: &HardState) {
    buffer.push(HARD_STATE);
    put_u32(buffer, group.0);
    put_u64s(buffer, &[state.term, state.vote, state.commit]);
}

pub(super) fn put_reset(buffer: &mut Vec<u8>, group: GroupId, start: LogStart) {
    buffer.push(RESET);
    put_u32(buffer, group.0);
    put_u64s(buffer, &[start.index, start.term]);
}

pub(super) fn put_start(buffer: &mut Vec<u8>, group: GroupId, start: LogStart) {
    buffer.push(START);
    put_u32(buffer, group.0);
    put_u64s(buffer, &[start.index, start.term]);
}

pub(super) fn put_remove(buffer: &mut Vec<u8>, group: GroupId) {
    buffer.push(REMOVE);
    put_u32(buffer, group.0);
}

pub(super) fn put_base(
    buffer: &mut Vec<u8>,
    group: GroupId,
    start: LogStart,
    last_index: u64,
    state: &HardState,
) {
    buffer.push(BASE);
    put_u32(buffer, group.0);
    let numbers = [start.index, start.term, last_index, state.term, state.vote, state.commit];
    put_u64s(buffer, &numbers);
}

fn put_u32(buffer: &mut Vec<u8>, value: u32) {
    buffer.extend_from_slice(&value.to_le_bytes());
}

fn put_u64s(buffer: &mut Vec<u8>, values: &[u64]) {
    for value in values {
        buffer.extend_from_slice(&value.to_le_bytes());
    }
}

/// The records of a body, in order; ends after the first error.
pub(super) fn records(body: &[u8]) -> impl Iterator<Item = Result<Record, &'static str>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = body.get(at..).unwrap_or_default();
        if matches!(rest, [] | [END]) {
            return None;
        }
        let step = record(body, at);
        at = match &step {
            Ok((_, end)) => *end,
            Err(_) => body.len(),
        };
        Some(step.map(|(record, _)| record))
    })
}

fn record(body: &[u8], at: usize) -> Result<(Record, usize), &'static str> {
    let mut fields = Fields(&body[at..]);
    let tag = fields.u8()?;
    let record = match tag {
        ENTRY | MOVED => {
            let _kind = fields.u8()?;
            let (group, index, term) = (fields.group()?, fields.u64()?, fields.u64()?);
            let (length, _crc) = (fields.u32()? as usize, fields.u32()?);
            fields.skip(length)?;
            let bytes = ENTRY_HEADER_BYTES + length;
            if tag == MOVED {
                Record::Moved { group, index, term, at, bytes }
            } else {
                Record::Entry { group, index, term, at, bytes }
            }
        }
        HARD_STATE => Record::HardState { group: fields.group()?, state: fields.hard_state()? },
        RESET => Record::Reset { group: fields.group()?, start: fields.start()? },
        START => Record::Start { group: fields.group()?, start: fields.start()? },
        REMOVE => Record::Remove { group: fields.group()? },
        BASE => Record::Base {
            group: fields.group()?,
            start: fields.start()?,
            last_index: fields.u64()?,
            state: fields.hard_state()?,
        },
        _ => return Err("record tag is unknown"),
    };
    Ok((record, body.len() - fields.0.len()))
}

/// Decodes one whole entry record and checks that it is the one that was asked for.
pub(super) fn entry(
    record: bytes::Bytes,
    group: GroupId,
    index: u64,
    term: u64,
) -> Result<LogEntry, &'static str> {
    if record.len() < ENTRY_HEADER_BYTES {
        return Err("entry is cut short");
    }
    let (header, data) = record.split_at(ENTRY_HEADER_BYTES);
    let mut fields = Fields(&header[1..]);
    let kind = match fields.u8()? {
        0 => EntryKind::Normal,
        1 => EntryKind::ConfChange,
        2 => EntryKind::ConfChangeV2,
        _ => return Err("entry kind is unknown"),
    };
    let found = (fields.group()?, fields.u64()?, fields.u64()?, fields.u32()? as usize);
    if found != (group, index, term, data.len()) {
        return Err("another entry stands here");
    }
    let covered = &header[1..ENTRY_HEADER_BYTES - 4];
    if crc32c::crc32c_append(crc32c::crc32c(covered), data) != fields.u32()? {
        return Err("entry checksum does not match");
    }
    Ok(LogEntry { index, term, kind, data: record.slice(ENTRY_HEADER_BYTES..) })
}

/// Reads fixed-size fields off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or("record is cut short")?;
        self.0 = rest;
        Ok(*head)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.0 = self.0.get(bytes..).ok_or("record is cut short")?;
        Ok(())
    }

    fn u8(&mut self) -> Result<u8, &'static str> {
        Ok(self.take::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, &'static str> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn group(&mut self) -> Result<GroupId, &'static str> {
        Ok(GroupId(self.u32()?))
    }

    fn start(&mut self) -> Result<LogStart, &'static str> {
        Ok(LogStart { index: self.u64()?, term: self.u64()? })
    }

    fn hard_state(&mut self) -> Result<HardState, &'static str> {
        Ok(HardState { term: self.u64()?, vote: self.u64()?, commit: self.u64()? })
    }
}
