//! Applied state in memory that forgets at a crash what was not flushed.
//!
//! * [`MemoryStore::new`] makes one; clones are handles on the same state.
//! * [`MemoryStore::crash`] keeps what was flushed and, as a seed decides, the first so many batches after it: always whole
//!   batches, never a later one without those before it.
//! * [`MemoryStore::set_full`] makes writes and flushes fail as a full disk does.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::RwLock;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::storage::{Area, Change, StateStore, StorageError, Visit};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// [`StateStore`] in memory; a cheap handle.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<RwLock<State>>);

#[derive(Default)]
struct State {
    live: Areas,
    flushed: Areas,
    /// Batches since the last flush.
    pending: Vec<Vec<Change>>,
    full: bool,
}

#[derive(Clone, Default)]
struct Areas {
    records: Rows,
    events: Rows,
}

impl Areas {
    fn area(&self, area: Area) -> &Rows {
        match area {
            Area::Records => &self.records,
            Area::Events => &self.events,
        }
    }

    fn area_mut(&mut self, area: Area) -> &mut Rows {
        match area {
            Area::Records => &mut self.records,
            Area::Events => &mut self.events,
        }
    }

    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put(area, key, value) => {
                    self.area_mut(*area).insert(key.clone(), value.clone());
                }
                Change::Delete(area, key) => {
                    self.area_mut(*area).remove(key);
                }
                Change::DeleteRange(area, from, to) => {
                    let rows = self.area_mut(*area);
                    let doomed: Vec<_> =
                        range(rows, from, to).map(|(key, _)| key.clone()).collect();
                    doomed.iter().for_each(|key| {
                        rows.remove(key);
                    });
                }
            }
        }
    }
}

/// Rows in `from..to`; an empty or reversed range has none.
fn range<'a>(
    rows: &'a Rows,
    from: &[u8],
    to: &[u8],
) -> impl DoubleEndedIterator<Item = (&'a Vec<u8>, &'a Vec<u8>)> {
    let to = to.max(from);
    rows.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Loses a suffix of the batches that were not flushed; `seed` decides how many stay.
    pub fn crash(&self, seed: u64) {
        let mut state = self.0.write();
        let mut rng = StdRng::seed_from_u64(seed);
        let kept = rng.random_range(0..=state.pending.len());
        let pending = std::mem::take(&mut state.pending);
        pending[..kept].iter().for_each(|changes| state.flushed.apply(changes));
        state.live = state.flushed.clone();
        state.full = false;
    }

    /// Makes writes and flushes fail as on a full disk, or work again.
    pub fn set_full(&self, full: bool) {
        self.0.write().full = full;
    }

    /// Batches that a crash might lose.
    pub fn unflushed(&self) -> usize {
        self.0.read().pending.len()
    }
}

impl State {
    fn check_room(&self) -> Result<(), StorageError> {
        if self.full {
            return Err(StorageError::Engine { message: "no space left".into(), full: true });
        }
        Ok(())
    }
}

impl StateStore for MemoryStore {
    fn get(&self, area: Area, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.0.read_recursive().live.area(area).get(key).cloned())
    }

    fn scan(
        &self,
        area: Area,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StorageError> {
        // Recursive, so that a visitor may read the store.
        let state = self.0.read_recursive();
        for (key, value) in range(state.live.area(area), from, to) {
            if let ControlFlow::Break(()) = visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn scan_back(
        &self,
        area: Area,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StorageError> {
        let state = self.0.read_recursive();
        for (key, value) in range(state.live.area(area), from, to).rev() {
            if let ControlFlow::Break(()) = visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, changes: &[Change]) -> Result<(), StorageError> {
        let mut state = self.0.write();
        state.check_room()?;
        state.live.apply(changes);
        state.pending.push(changes.to_vec());
        Ok(())
    }

    fn flush(&self) -> Result<(), StorageError> {
        let mut state = self.0.write();
        state.check_room()?;
        let pending = std::mem::take(&mut state.pending);
        pending.iter().for_each(|changes| state.flushed.apply(changes));
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let state = self.0.read();
        let rows = state.live.records.iter().chain(&state.live.events);
        rows.map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }
}
