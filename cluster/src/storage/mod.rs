//! Applied state: an ordered map on disk, written without a log of its own (the Raft log is that log).
//!
//! A crash may lose the newest writes, but what remains is always a prefix of the batches, each whole. The engine
//! replays the Raft log from the applied index that it finds here.

pub mod rocks;

use std::collections::HashMap;
use std::ops::ControlFlow;

pub use self::rocks::{RocksOptions, RocksStore};
use crate::machine::GroupId;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The storage engine refused; `full` when the disk has no room.
    #[error("state store: {message}")]
    Engine {
        /// The engine's own words.
        message: String,
        /// The disk is full; the same write may succeed later.
        full: bool,
    },
    /// A record does not decode: the data directory is damaged or from another version.
    #[error("state record is damaged: {0}")]
    Damaged(String),
}

/// Which keyspace a record lives in: they have different compaction and compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Area {
    /// Small records that are read by key: identities, twins, queues, applied index.
    Records,
    /// Event rows, in order, written once, dropped by range.
    Events,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Insert or replace.
    Put(Area, Vec<u8>, Vec<u8>),
    /// Remove one key.
    Delete(Area, Vec<u8>),
    /// Remove every key in `from..to`.
    DeleteRange(Area, Vec<u8>, Vec<u8>),
}

/// What a scan's visitor says after each row.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An ordered map with atomic batches. Reads may come from any thread; writes come from the engine thread.
pub trait StateStore: Send + Sync + 'static {
    /// The value of one key.
    fn get(&self, area: Area, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Visits `from..to` in key order until the visitor breaks.
    fn scan(
        &self,
        area: Area,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StorageError>;

    /// Visits `from..to` from the last key down.
    fn scan_back(
        &self,
        area: Area,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StorageError>;

    /// Applies a batch, all or nothing. Not durable until `flush`.
    fn write(&self, changes: &[Change]) -> Result<(), StorageError>;

    /// Makes everything written before this call durable. Slow; called from a background thread.
    fn flush(&self) -> Result<(), StorageError>;

    /// Bytes on disk, about.
    fn bytes(&self) -> u64;
}

/// The writes of one or more entries before they reach the store; reads see them.
pub struct StateTx<'a> {
    store: &'a dyn StateStore,
    group: GroupId,
    changes: Vec<Change>,
    /// Newest value of each key in `Area::Records` that this transaction wrote. Events are never read back here.
    written: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> StateTx<'a> {
    /// An empty transaction of one group.
    pub fn new(store: &'a dyn StateStore, group: GroupId) -> Self {
        Self { store, group, changes: Vec::new(), written: HashMap::new() }
    }

    /// The first bytes of every key of this group: its id, big-endian.
    pub fn prefix(&self) -> [u8; 4] {
        self.group.0.to_be_bytes()
    }

    /// The value of a record as this transaction would leave it.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        match self.written.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.store.get(Area::Records, key),
        }
    }

    /// Puts a record.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.written.insert(key.clone(), Some(value.clone()));
        self.changes.push(Change::Put(Area::Records, key, value));
    }

    /// Removes a record.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.written.insert(key.clone(), None);
        self.changes.push(Change::Delete(Area::Records, key));
    }

    /// Appends an event row.
    pub fn put_event(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.push(Change::Put(Area::Events, key, value));
    }

    /// Drops event rows in `from..to`.
    pub fn drop_events(&mut self, from: Vec<u8>, to: Vec<u8>) {
        self.changes.push(Change::DeleteRange(Area::Events, from, to));
    }

    /// The changes, in order.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }
}
