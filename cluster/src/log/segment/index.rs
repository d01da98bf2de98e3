//! What the log holds, in memory: where each live entry of each group stands, and how much of each segment is live.
//!
//! Running and recovery change it through the same [`Index::apply`], so what a restart finds is what was there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::frame::{self, FrameKind, HEADER_BYTES, Record};
use crate::log::disk::DiskFile;
use crate::log::{GroupLog, HardState, LogError, LogStart};
use crate::machine::GroupId;

/// Where one entry's record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub term: u64,
    /// 0: the segment with this entry is gone.
    pub segment: u32,
    pub offset: u32,
    pub bytes: u32,
}

// One of these stays in memory for each live entry.
const _: () = assert!(size_of::<Location>() == 24);

/// One group's log.
#[derive(Default)]
pub(super) struct GroupIndex {
    pub hard_state: HardState,
    pub start: LogStart,
    pub entries: VecDeque<Location>,
}

impl GroupIndex {
    pub fn last_index(&self) -> u64 {
        self.start.index + self.entries.len() as u64
    }

    pub fn log(&self) -> GroupLog {
        GroupLog { hard_state: self.hard_state, start: self.start, last_index: self.last_index() }
    }

    /// The entry at `index`.
    pub fn at(&self, group: GroupId, index: u64) -> Result<Location, LogError> {
        if index <= self.start.index {
            return Err(LogError::Compacted { group, index });
        }
        self.entries
            .get((index - self.start.index - 1) as usize)
            .copied()
            .ok_or(LogError::Unavailable { group, index })
    }
}

/// One file.
pub(super) struct Segment {
    pub file: Arc<dyn DiskFile>,
    pub bytes: u64,
    /// Bytes of entries in it that some group needs, as far as the disk knows.
    pub live: u64,
}

/// Everything.
#[derive(Default)]
pub(super) struct Index {
    pub groups: BTreeMap<GroupId, GroupIndex>,
    pub segments: BTreeMap<u32, Segment>,
    /// Groups whose `start` moved since it was last written.
    pub moved_starts: BTreeSet<GroupId>,
    /// Live bytes per segment that are dead once those starts are on disk.
    pub released: BTreeMap<u32, u64>,
}

impl Index {
    /// Applies a whole frame that stands at `offset` of `segment`.
    ///
    /// `first` is the frame that recovery begins with: groups are taken from it, their entries as absent.
    pub fn apply(
        &mut self,
        segment: u32,
        offset: u64,
        kind: FrameKind,
        body: &[u8],
        first: bool,
    ) -> Result<(), &'static str> {
        let base = offset + HEADER_BYTES as u64;
        let mut bases = 0;
        for record in frame::records(body) {
            let record = record?;
            match (kind, record) {
                (FrameKind::Checkpoint, Record::Base { group, start, last_index, state }) => {
                    bases += 1;
                    self.base(group, start, last_index, state, first)?;
                }
                (FrameKind::Checkpoint, _) => return Err("a checkpoint holds another record"),
                (FrameKind::Write, Record::Base { .. }) => {
                    return Err("a base outside a checkpoint");
                }
                (FrameKind::Write, Record::Entry { group, index, term, at, bytes }) => {
                    let location = locate(segment, base, at, bytes, term)?;
                    self.append(group, index, location)?;
                }
                (FrameKind::Write, Record::Moved { group, index, term, at, bytes }) => {
                    let location = locate(segment, base, at, bytes, term)?;
                    self.replace(group, index, location)?;
                }
                (FrameKind::Write, Record::HardState { group, state }) => {
                    self.groups.entry(group).or_default().hard_state = state;
                }
                (FrameKind::Write, Record::Reset { group, start }) => {
                    let log = self.groups.entry(group).or_default();
                    log.start = start;
                    let dropped = std::mem::take(&mut log.entries);
                    dropped.iter().for_each(|location| self.kill(location));
                }
                (FrameKind::Write, Record::Start { group, start }) => {
                    for location in self.advance(group, start)? {
                        self.kill(&location);
                    }
                }
                (FrameKind::Write, Record::Remove { group }) => {
                    if let Some(log) = self.groups.remove(&group) {
                        log.entries.iter().for_each(|location| self.kill(location));
                    }
                }
            }
        }
        if kind == FrameKind::Checkpoint && bases != self.groups.len() {
            return Err("a checkpoint misses a group");
        }
        Ok(())
    }

    fn base(
        &mut self,
        group: GroupId,
        start: LogStart,
        last_index: u64,
        state: HardState,
        first: bool,
    ) -> Result<(), &'static str> {
        if first {
            let absent = Location { term: 0, segment: 0, offset: 0, bytes: 0 };
            let count = last_index.checked_sub(start.index).ok_or("a log ends before it starts")?;
            let count = usize::try_from(count).map_err(|_| "a log has too many entries")?;
            let mut entries = VecDeque::new();
            entries.try_reserve(count).map_err(|_| "a log has too many entries")?;
            entries.resize(count, absent);
            self.groups.insert(group, GroupIndex { hard_state: state, start, entries });
            return Ok(());
        }
        for location in self.advance(group, start)? {
            self.kill(&location);
        }
        let log = self.groups.get(&group).ok_or("a checkpoint knows another group")?;
        if log.last_index() != last_index || log.hard_state != state {
            return Err("a checkpoint disagrees with the frames before it");
        }
        Ok(())
    }

    fn append(
        &mut self,
        group: GroupId,
        index: u64,
        location: Location,
    ) -> Result<(), &'static str> {
        let log = self.groups.entry(group).or_default();
        if index <= log.start.index {
            return Err("an entry stands before the start of its log");
        }
        let keep = index - log.start.index - 1;
        if keep > log.entries.len() as u64 {
            return Err("entries are missing before this one");
        }
        let cut = log.entries.split_off(keep as usize);
        log.entries.push_back(location);
        cut.iter().for_each(|location| self.kill(location));
        self.revive(&location);
        Ok(())
    }

    /// Puts a copy in the place of its original; one that was compacted or cut meanwhile is ignored.
    fn replace(
        &mut self,
        group: GroupId,
        index: u64,
        location: Location,
    ) -> Result<(), &'static str> {
        let Some(log) = self.groups.get_mut(&group) else { return Ok(()) };
        let Some(place) = index.checked_sub(log.start.index + 1) else { return Ok(()) };
        let slot =
            log.entries.get_mut(place as usize).ok_or("a copy of an entry that is not there")?;
        if slot.segment != 0 && slot.term != location.term {
            return Err("a copy differs from its entry");
        }
        let original = std::mem::replace(slot, location);
        self.kill(&original);
        self.revive(&location);
        Ok(())
    }

    /// Moves a start forward and hands back the entries that this drops.
    pub fn advance(
        &mut self,
        group: GroupId,
        start: LogStart,
    ) -> Result<Vec<Location>, &'static str> {
        let Some(log) = self.groups.get_mut(&group) else { return Ok(Vec::new()) };
        let Some(count) = start.index.checked_sub(log.start.index).filter(|count| *count > 0)
        else {
            return Ok(Vec::new());
        };
        if count > log.entries.len() as u64 {
            return Err("a log starts after its end");
        }
        log.start = start;
        let dropped = log.entries.drain(..count as usize).collect();
        if log.entries.capacity() > 64 && log.entries.len() < log.entries.capacity() / 4 {
            log.entries.shrink_to(log.entries.len() * 2);
        }
        Ok(dropped)
    }

    fn kill(&mut self, location: &Location) {
        if let Some(segment) = self.segments.get_mut(&location.segment) {
            segment.live -= u64::from(location.bytes);
        }
    }

    fn revive(&mut self, location: &Location) {
        if let Some(segment) = self.segments.get_mut(&location.segment) {
            segment.live += u64::from(location.bytes);
        }
    }

    /// Forgets a group's entries up to `start` in memory; on disk they die with the next frame that carries starts.
    pub fn compact(&mut self, group: GroupId, start: LogStart) -> Result<(), &'static str> {
        for location in self.advance(group, start)? {
            *self.released.entry(location.segment).or_default() += u64::from(location.bytes);
        }
        self.moved_starts.insert(group);
        Ok(())
    }

    /// The released bytes are dead on disk now.
    pub fn bury(&mut self, released: &BTreeMap<u32, u64>) {
        for (segment, bytes) in released {
            if let Some(segment) = self.segments.get_mut(segment) {
                segment.live -= bytes;
            }
        }
    }

    /// Takes the oldest segments that no group needs off the list; the newest always stays.
    pub fn take_dead(&mut self) -> Vec<u32> {
        let mut dead = Vec::new();
        while self.segments.len() > 1 {
            match self.segments.first_entry() {
                Some(oldest) if oldest.get().live == 0 => dead.push(oldest.remove_entry().0),
                _ => break,
            }
        }
        dead
    }

    /// Whether writing the moved starts would free the oldest segment.
    pub fn starts_would_free(&self) -> bool {
        self.segments.len() > 1
            && self.segments.first_key_value().is_some_and(|(id, segment)| {
                segment.live == self.released.get(id).copied().unwrap_or(0)
            })
    }
}

fn locate(
    segment: u32,
    base: u64,
    at: usize,
    bytes: usize,
    term: u64,
) -> Result<Location, &'static str> {
    let offset = u32::try_from(base + at as u64).map_err(|_| "an entry stands too far out")?;
    let bytes = u32::try_from(bytes).map_err(|_| "an entry is too long")?;
    Ok(Location { term, segment, offset, bytes })
}
