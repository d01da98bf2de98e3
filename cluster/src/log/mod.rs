//! The write-ahead log of all groups of a node, behind a trait that no storage engine's type crosses.
//!
//! [`segment`] files are appended to by one writer thread: one [`LogWrite`] carries what every ready group
//! wants on disk, and costs one `fdatasync`.

pub mod disk;
pub mod segment;

use bytes::Bytes;

pub use self::disk::{Disk, DiskFile, FileDisk};
pub use self::segment::{LogOptions, SegmentLog};
use crate::machine::GroupId;

/// What a log entry carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// Commands of the state machine (or empty: a new leader's first entry).
    Normal = 0,
    /// A membership change (`ConfChange`, encoded by the partition engine).
    ConfChange = 1,
    /// A membership change of the joint kind (`ConfChangeV2`).
    ConfChangeV2 = 2,
}

/// One entry of one group's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Position, 1..
    pub index: u64,
    /// Term of the leader that wrote it.
    pub term: u64,
    /// What `data` is.
    pub kind: EntryKind,
    /// Opaque to the log.
    pub data: Bytes,
}

/// Raft's vote and commit position of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// Current term.
    pub term: u64,
    /// Whom this node voted for in `term`; 0 is nobody.
    pub vote: u64,
    /// Highest index known to be committed.
    pub commit: u64,
}

/// The entry just before the first one a log still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStart {
    /// Index of that entry; 0 when the log is whole.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

/// What one group wants on disk.
#[derive(Clone, Debug, Default)]
pub struct GroupWrite {
    /// The new hard state, if it changed.
    pub hard_state: Option<HardState>,
    /// A snapshot was installed: forget every entry, the log now starts after this position.
    pub reset_to: Option<LogStart>,
    /// Entries to append, contiguous; the first one's index may be at or below the last on disk, which cuts the log there.
    pub entries: Vec<LogEntry>,
}

/// One synced write: everything that all ready groups want on disk.
#[derive(Clone, Debug, Default)]
pub struct LogWrite {
    /// Each group at most once.
    pub groups: Vec<(GroupId, GroupWrite)>,
}

/// A group as recovery found it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupLog {
    /// Last durable hard state.
    pub hard_state: HardState,
    /// Where the log starts.
    pub start: LogStart,
    /// Last index on disk; equals `start.index` when the log is empty.
    pub last_index: u64,
}

/// Why the log could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No room on the disk. Nothing of this write is in the log; the caller may try again later.
    #[error(
        "no space left for the log (needs {needed} bytes): free disk space under the data directory"
    )]
    Full {
        /// Bytes that the write needed.
        needed: u64,
    },
    /// A write or sync failed. What is on disk is unknown, so the node must stop (it must never sync again and trust the answer).
    #[error("log {operation} failed: {source}; the node cannot know what is on disk and must stop")]
    Fatal {
        /// The system call.
        operation: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log on disk is damaged in a place that a crash cannot explain.
    #[error("log segment {segment} is damaged at byte {offset}: {what}")]
    Damaged {
        /// File name.
        segment: String,
        /// Position in the file.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// The entry was truncated away.
    #[error("index {index} of group {} was compacted away", group.0)]
    Compacted {
        /// The group.
        group: GroupId,
        /// The index asked for.
        index: u64,
    },
    /// The entry does not exist yet.
    #[error("index {index} of group {} is not in the log", group.0)]
    Unavailable {
        /// The group.
        group: GroupId,
        /// The index asked for.
        index: u64,
    },
}

/// The log of all groups of one node.
///
/// Threads: `write` is called by one thread at a time; reads may come from any thread meanwhile. Reads see what a
/// completed `write` put there.
pub trait LogStore: Send + Sync + 'static {
    /// The groups that recovery found, with their durable state.
    fn groups(&self) -> Vec<(GroupId, GroupLog)>;

    /// Appends and makes durable; when it returns `Ok`, all of it survives a power cut.
    fn write(&self, write: &LogWrite) -> Result<(), LogError>;

    /// Entries `low..high` (high exclusive) of a group, in order; at least one if `low` exists, then no more than fit `bytes_max`.
    fn entries(
        &self,
        group: GroupId,
        low: u64,
        high: u64,
        bytes_max: u64,
    ) -> Result<Vec<LogEntry>, LogError>;

    /// The term of one entry; also answers for the group's `LogStart` position.
    fn term(&self, group: GroupId, index: u64) -> Result<u64, LogError>;

    /// Forgets entries up to and including `index` (the state behind them is flushed). Files are removed once no group
    /// needs them; cheap and not synced: after a crash the log may start earlier.
    fn compact(&self, group: GroupId, index: u64) -> Result<(), LogError>;

    /// Forgets a group altogether (this node is no longer a replica of it).
    fn remove_group(&self, group: GroupId) -> Result<(), LogError>;

    /// Bytes on disk.
    fn bytes(&self) -> u64;
}
