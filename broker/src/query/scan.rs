//! The walk over partitions and keys.

use std::sync::Arc;

use ironhub_cluster::placement::partition_of;
use ironhub_domain::HubError;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::query::Row;
use tokio::sync::OwnedSemaphorePermit;

use super::found::Parts;
use super::selection::Selection;
use super::sieve::Sieve;
use super::steps::Tally;
use super::way::{Candidate, RowKey, Way};
use crate::actor::Owner;
use crate::partition::reader::hub_error;
use crate::partition::records;

/// Rows that are looked at in one step, about. A step is what a scan goes on with though nobody waits for it any more.
const STEP_ROWS: usize = 512;
/// What coming to a partition costs, in rows.
const PARTITION_ROWS: usize = 16;

/// How far a scan has come: to this partition, and in it behind this row. Means the same after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Number of the partition, from 0.
    pub partition: u32,
    /// The last row that was looked at; `None` before the first.
    pub after: Option<RowKey>,
}

/// What becomes of the rows that are met.
pub(super) trait Take {
    /// What it needs of a row besides what the condition needs.
    fn parts(&self) -> Parts;

    /// How many more rows it takes, as far as that is bounded.
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Takes a row, or says that it has no room: then the row is the first of the next page.
    fn take(&mut self, row: Candidate) -> Result<Taken, HubError>;
}

/// Whether a row was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    Full,
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to look at.
    More,
    /// Whoever takes has no room for a further row.
    Full,
    /// All was looked at.
    Ended,
}

/// The partition that a device belongs to.
pub(super) fn partition(owners: &[Arc<Owner>], device: &DeviceId) -> usize {
    partition_of(device.as_str().as_bytes(), owners.len() as u32) as usize
}

/// A scan under way.
pub(super) struct Scan {
    owners: Arc<[Arc<Owner>]>,
    selection: Selection,
    at: Cursor,
    /// The way through the partition where it is.
    way: Option<Way>,
    _place: OwnedSemaphorePermit,
}

impl Scan {
    pub(super) fn new(
        owners: Arc<[Arc<Owner>]>,
        selection: Selection,
        at: Cursor,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { owners, selection, at, way: None, _place: place }
    }

    pub(super) fn into_cursor(self) -> Cursor {
        self.at
    }

    /// Goes on for about [`STEP_ROWS`]. Reads the disk.
    pub(super) fn step(&mut self, take: &mut dyn Take) -> Result<Progress, HubError> {
        let mut rows_left = STEP_ROWS;
        while rows_left > 0 {
            let Some(owner) = self.owners.get(self.at.partition as usize).cloned() else {
                return Ok(Progress::Ended);
            };
            let way = match self.way.take() {
                Some(way) => way,
                None => self.enter(&owner)?,
            };
            let (store, group) = (owner.store(), owner.partition().group());
            let (source, after) = (self.selection.source(), self.at.after.as_ref());
            // Without a condition no more rows are read than are taken, and the one that shows whether there are more.
            let max = if self.selection.is_all() {
                take.room().saturating_add(1).min(STEP_ROWS)
            } else {
                STEP_ROWS
            };
            let chunk = way.chunk(store, group, source, after, max).map_err(hub_error)?;
            let is_dense = matches!(way, Way::Scan);
            self.way = Some(way);
            rows_left = rows_left.saturating_sub(chunk.candidates.len() + PARTITION_ROWS);
            let mut sieve = Sieve { selection: &self.selection, owner: &owner, take, last: None };
            let taken = match is_dense {
                true => sieve.in_one_pass(chunk.candidates),
                false => sieve.one_by_one(chunk.candidates),
            };
            if let Some(last) = sieve.last {
                self.at.after = Some(last);
            }
            if taken? == Taken::Full {
                return Ok(Progress::Full);
            }
            match chunk.looked_to {
                Some(key) => self.at.after = Some(key),
                None => {
                    self.at = Cursor { partition: self.at.partition + 1, after: None };
                    self.way = None;
                }
            }
        }
        let is_end = self.at.partition as usize >= self.owners.len();
        Ok(if is_end { Progress::Ended } else { Progress::More })
    }

    fn enter(&self, owner: &Owner) -> Result<Way, HubError> {
        let group = owner.partition().group();
        let paths = records::indexed_tags(owner.store(), group).map_err(hub_error)?;
        let names = |path: &String| path.split('.').map(str::to_owned).collect();
        let indexed: Vec<Vec<String>> = paths.iter().map(names).collect();
        let here = self.at.partition as usize;
        let is_here = |device: &DeviceId| partition(&self.owners, device) == here;
        Ok(Way::new(self.selection.plan(&indexed), self.selection.source(), is_here))
    }
}

/// Takes identities.
pub(super) struct Listing {
    pub(super) found: Vec<IdentityId>,
    max: usize,
}

impl Listing {
    pub(super) fn new(max: usize) -> Self {
        Self { found: Vec::new(), max }
    }
}

impl Take for Listing {
    fn parts(&self) -> Parts {
        Parts::NONE
    }

    fn room(&self) -> usize {
        self.max.saturating_sub(self.found.len())
    }

    fn take(&mut self, row: Candidate) -> Result<Taken, HubError> {
        if self.found.len() >= self.max {
            return Ok(Taken::Full);
        }
        self.found.push(row.key().identity);
        Ok(Taken::Yes)
    }
}

/// Takes only their number.
#[derive(Default)]
pub(super) struct Counting(pub(super) u64);

impl Tally for Counting {
    fn tally(&mut self, _row: &dyn Row, rows: u64) -> Result<(), HubError> {
        self.0 += rows;
        Ok(())
    }
}

impl Take for Counting {
    fn parts(&self) -> Parts {
        Parts::NONE
    }

    fn take(&mut self, _row: Candidate) -> Result<Taken, HubError> {
        self.0 += 1;
        Ok(Taken::Yes)
    }
}
