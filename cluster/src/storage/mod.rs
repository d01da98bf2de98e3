//! Applied state: an ordered map on disk, written without a log of its own (the Raft log is that log).
//!
//! A crash may lose the newest writes, but what remains is always a prefix of the batches, each whole. The engine
//! replays the Raft log from the applied index that it finds here.

pub mod rocks;

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

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
    written: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> StateTx<'a> {
    /// An empty transaction of one group.
    pub fn new(store: &'a dyn StateStore, group: GroupId) -> Self {
        Self { store, group, changes: Vec::new(), written: BTreeMap::new() }
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

    /// Visits the records in `from..to`, as this transaction would leave them, in key order until the visitor breaks.
    pub fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StorageError> {
        if from >= to {
            return Ok(());
        }
        let written = (Bound::Included(from), Bound::Excluded(to));
        let mut written = self.written.range::<[u8], _>(written).peekable();
        let mut flow = ControlFlow::Continue(());
        self.store.scan(Area::Records, from, to, &mut |key, value| {
            while let Some((new, value)) = written.next_if(|(new, _)| new.as_slice() < key) {
                if let Some(value) = value {
                    flow = visit(new, value);
                }
                if flow.is_break() {
                    return flow;
                }
            }
            flow = match written.next_if(|(new, _)| new.as_slice() == key) {
                Some((_, Some(value))) => visit(key, value),
                Some((_, None)) => ControlFlow::Continue(()),
                None => visit(key, value),
            };
            flow
        })?;
        for (new, value) in written {
            if flow.is_break() {
                break;
            }
            if let Some(value) = value {
                flow = visit(new, value);
            }
        }
        Ok(())
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

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests {
    use super::*;
    use crate::testing::MemoryStore;

    /// Scans `b..y` over stored rows (`a` stands for `a=1`) and what a transaction does to them.
    fn check(stored: &str, written: &str, deleted: &str, max: usize, expected: &str) {
        let store = MemoryStore::new();
        let row = |key: char| key.to_string().into_bytes();
        let put = |key| Change::Put(Area::Records, row(key), b"1".to_vec());
        store.write(&stored.chars().map(put).collect::<Vec<_>>()).unwrap();
        let mut tx = StateTx::new(&store, GroupId(0));
        written.chars().for_each(|key| tx.put(row(key), b"2".to_vec()));
        deleted.chars().for_each(|key| tx.delete(row(key)));
        let mut seen = String::new();
        let mut count = 0;
        tx.scan(b"b", b"y", &mut |key, value| {
            seen.push_str(&String::from_utf8_lossy(key));
            seen.push_str(&String::from_utf8_lossy(value));
            count += 1;
            if count < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
        assert_eq!(seen, expected, "{stored} {written} {deleted} {max}");
    }

    #[test]
    fn a_transaction_scans_what_it_would_leave() {
        check("", "", "", 9, "");
        check("abcyz", "", "", 9, "b1c1");
        check("ce", "bcdx", "", 9, "b2c2d2e1x2");
        check("bcde", "", "bd", 9, "c1e1");
        check("bc", "d", "bcd", 9, "");
        check("ac", "azy", "", 9, "c1");
        for max in 1..4 {
            check("bd", "ce", "", max, &"b1c2d1e2"[..2 * max]);
        }
        check("", "cde", "", 2, "c2d2");
    }
}
