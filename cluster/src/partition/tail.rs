//! What Raft reads of a group's log: the newest entries from memory, older ones from the [`LogStore`].
//!
//! Raft must be able to read an entry from the moment it was handed out for writing, long before the write
//! returned. So entries are put into the tail first and leave it when they are durable and applied.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use raft::eraftpb::{ConfState, Entry, EntryType, HardState as RaftHardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use crate::log::{EntryKind, HardState, LogEntry, LogError, LogStart, LogStore};
use crate::machine::GroupId;

/// Bytes that an entry counts beside its data, against limits.
const ENTRY_OVERHEAD_BYTES: u64 = 32;

/// The storage that a group's `RawNode` sees.
pub(crate) struct TailStorage {
    group: GroupId,
    log: Arc<dyn LogStore>,
    initial: RaftState,
    /// The entry before the first that may be read.
    start: LogStart,
    last_index: u64,
    /// Contiguous; when not empty it ends with `last_index`.
    tail: VecDeque<LogEntry>,
    tail_bytes: usize,
    /// A snapshot to hand out, once it is built.
    snapshot: RefCell<Option<Snapshot>>,
    snapshot_wanted: Cell<bool>,
}

impl TailStorage {
    pub(crate) fn new(
        group: GroupId,
        log: Arc<dyn LogStore>,
        hard_state: HardState,
        members: ConfState,
        start: LogStart,
        last_index: u64,
    ) -> Self {
        let initial = RaftHardState {
            term: hard_state.term,
            vote: hard_state.vote,
            commit: hard_state.commit,
        };
        Self {
            group,
            log,
            initial: RaftState::new(initial, members),
            start,
            last_index,
            tail: VecDeque::new(),
            tail_bytes: 0,
            snapshot: RefCell::new(None),
            snapshot_wanted: Cell::new(false),
        }
    }

    pub(crate) fn start(&self) -> LogStart {
        self.start
    }

    pub(crate) fn tail_bytes(&self) -> usize {
        self.tail_bytes
    }

    /// Appends entries; the first may cut the log.
    pub(crate) fn append(&mut self, entries: &[LogEntry]) {
        let Some(first) = entries.first() else { return };
        while self.tail.back().is_some_and(|entry| entry.index >= first.index) {
            if let Some(entry) = self.tail.pop_back() {
                self.tail_bytes -= entry_bytes(&entry) as usize;
            }
        }
        for entry in entries {
            self.tail_bytes += entry_bytes(entry) as usize;
            self.last_index = entry.index;
            self.tail.push_back(entry.clone());
        }
    }

    /// Forgets everything: a snapshot took its place.
    pub(crate) fn reset(&mut self, start: LogStart) {
        self.tail.clear();
        self.tail_bytes = 0;
        self.start = start;
        self.last_index = start.index;
        self.snapshot.replace(None);
    }

    /// Lets go of the oldest entries in memory up to `index`, keeping `keep` bytes.
    pub(crate) fn trim(&mut self, index: u64, keep: usize) {
        while self.tail_bytes > keep && self.tail.front().is_some_and(|entry| entry.index <= index)
        {
            if let Some(entry) = self.tail.pop_front() {
                self.tail_bytes -= entry_bytes(&entry) as usize;
            }
        }
    }

    /// Moves the start of the log up to `index`, before the log store forgets what is below.
    pub(crate) fn compact(&mut self, index: u64) -> Result<(), LogError> {
        if index <= self.start.index || index > self.last_index {
            return Ok(());
        }
        self.start = LogStart { index, term: self.entry_term(index)? };
        while self.tail.front().is_some_and(|entry| entry.index <= index) {
            if let Some(entry) = self.tail.pop_front() {
                self.tail_bytes -= entry_bytes(&entry) as usize;
            }
        }
        Ok(())
    }

    /// Whether Raft asked for a snapshot since the last call.
    pub(crate) fn take_snapshot_wanted(&self) -> bool {
        self.snapshot_wanted.replace(false)
    }

    /// Puts a snapshot where Raft finds it when it asks again; `None` lets go of it.
    pub(crate) fn offer_snapshot(&self, snapshot: Option<Snapshot>) {
        self.snapshot.replace(snapshot);
    }

    /// Entries `low..high`: at least one, then no more than fit `bytes_max`.
    pub(crate) fn read(
        &self,
        low: u64,
        high: u64,
        bytes_max: u64,
    ) -> Result<Vec<LogEntry>, LogError> {
        if low <= self.start.index {
            return Err(LogError::Compacted { group: self.group, index: low });
        }
        let tail_first = self.tail.front().map_or(self.last_index + 1, |entry| entry.index);
        let mut entries = Vec::new();
        let mut bytes = 0;
        if low < tail_first {
            let disk_high = high.min(tail_first);
            entries = self.log.entries(self.group, low, disk_high, bytes_max)?;
            if (entries.len() as u64) < disk_high - low {
                return Ok(entries);
            }
            bytes = entries.iter().map(entry_bytes).sum();
        }
        let from = low.max(tail_first).saturating_sub(tail_first) as usize;
        for entry in self.tail.iter().skip(from).take_while(|entry| entry.index < high) {
            bytes += entry_bytes(entry);
            if !entries.is_empty() && bytes > bytes_max {
                break;
            }
            entries.push(entry.clone());
        }
        Ok(entries)
    }

    /// The term of an entry, or of the log's start.
    pub(crate) fn entry_term(&self, index: u64) -> Result<u64, LogError> {
        if index == self.start.index {
            return Ok(self.start.term);
        }
        if index < self.start.index {
            return Err(LogError::Compacted { group: self.group, index });
        }
        if index > self.last_index {
            return Err(LogError::Unavailable { group: self.group, index });
        }
        match self.tail.front() {
            Some(first) if index >= first.index => {
                Ok(self.tail[(index - first.index) as usize].term)
            }
            Some(_) | None => self.log.term(self.group, index),
        }
    }
}

impl Storage for TailStorage {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(self.initial.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let bytes_max = max_size.into().unwrap_or(u64::MAX);
        let entries = self.read(low, high, bytes_max).map_err(raft_error)?;
        Ok(entries.into_iter().map(to_raft).collect())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        self.entry_term(index).map_err(raft_error)
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.start.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last_index)
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        if let Some(snapshot) = &*self.snapshot.borrow() {
            let index = snapshot.get_metadata().index;
            if index >= request_index && index >= self.start.index {
                return Ok(snapshot.clone());
            }
        }
        self.snapshot_wanted.set(true);
        Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}

fn entry_bytes(entry: &LogEntry) -> u64 {
    entry.data.len() as u64 + ENTRY_OVERHEAD_BYTES
}

fn raft_error(error: LogError) -> raft::Error {
    raft::Error::Store(match error {
        LogError::Compacted { .. } => StorageError::Compacted,
        LogError::Unavailable { .. } => StorageError::Unavailable,
        LogError::Full { .. } | LogError::Fatal { .. } | LogError::Damaged { .. } => {
            StorageError::Other(Box::new(error))
        }
    })
}

/// An entry as Raft has it.
fn to_raft(entry: LogEntry) -> Entry {
    let mut raft = Entry::default();
    raft.set_entry_type(match entry.kind {
        EntryKind::Normal => EntryType::EntryNormal,
        EntryKind::ConfChange => EntryType::EntryConfChange,
        EntryKind::ConfChangeV2 => EntryType::EntryConfChangeV2,
    });
    raft.index = entry.index;
    raft.term = entry.term;
    raft.data = entry.data.into();
    raft
}

/// An entry as the log has it.
pub(crate) fn from_raft(entry: Entry) -> LogEntry {
    let kind = match entry.get_entry_type() {
        EntryType::EntryNormal => EntryKind::Normal,
        EntryType::EntryConfChange => EntryKind::ConfChange,
        EntryType::EntryConfChangeV2 => EntryKind::ConfChangeV2,
    };
    LogEntry { index: entry.index, term: entry.term, kind, data: entry.data.into() }
}
