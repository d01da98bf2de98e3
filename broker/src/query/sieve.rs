//! Which of a scan's candidates are taken, with as little reading as that needs.
//!
//! Identities, twins and presences lie in one order, so a scan of all rows reads them side by side in one pass. Rows that an
//! index or their ids lead to lie far apart, and are looked up.

use std::ops::ControlFlow;

use ironhub_domain::HubError;

use super::found::{Found, Parts};
use super::scan::{Take, Taken};
use super::selection::Selection;
use super::way::{Candidate, RowKey};
use crate::actor::Owner;
use crate::partition::reader::hub_error;
use crate::partition::records;

/// Where fewer rows than each eighth are wanted, looking them up is less work than passing all the others.
const DENSE: usize = 8;

/// As candidates hold it.
type Boxed = Box<Found>;

/// What goes through it is taken if it meets the condition.
pub(super) struct Sieve<'a> {
    pub(super) selection: &'a Selection,
    pub(super) owner: &'a Owner,
    pub(super) take: &'a mut dyn Take,
    /// The last row that went through.
    pub(super) last: Option<RowKey>,
}

impl Sieve<'_> {
    /// Candidates that lie anywhere.
    pub(super) fn one_by_one(&mut self, candidates: Vec<Candidate>) -> Result<Taken, HubError> {
        for candidate in candidates {
            if self.sift(candidate)? == Taken::Full {
                return Ok(Taken::Full);
            }
        }
        Ok(Taken::Yes)
    }

    /// Candidates that lie side by side.
    pub(super) fn in_one_pass(&mut self, candidates: Vec<Candidate>) -> Result<Taken, HubError> {
        let (count, needed) = (candidates.len(), self.selection.parts());
        let mut found = Vec::with_capacity(count);
        for candidate in candidates {
            match candidate {
                Candidate::Twin(row) => found.push(row),
                // A job's row is whole.
                Candidate::Job(_) => {
                    if self.sift(candidate)? == Taken::Full {
                        return Ok(Taken::Full);
                    }
                }
            }
        }
        if needed.presence {
            found = self.with_presences(found)?;
        }
        if needed.twin {
            return self.sift_with_twins(found);
        }
        // What the condition leaves over is read of fewer.
        let mut met = Vec::new();
        for mut row in found {
            row.load(self.owner, needed).map_err(hub_error)?;
            if self.selection.is_met(&row.row()) {
                met.push(row);
            }
        }
        let wanted = self.take.parts();
        let is_dense = met.len() * DENSE >= count;
        if wanted.presence && is_dense && !needed.presence {
            met = self.with_presences(met)?;
        }
        if wanted.twin && is_dense {
            return self.sift_with_twins(met);
        }
        self.one_by_one(met.into_iter().map(Candidate::Twin).collect())
    }

    fn with_presences(&self, rows: Vec<Boxed>) -> Result<Vec<Boxed>, HubError> {
        let (store, group) = (self.owner.store(), self.owner.partition().group());
        let mut read = Vec::with_capacity(rows.len());
        let rows = rows.into_iter().map(|row| (row.identity(), row)).collect();
        records::visit_with_presences(store, group, rows, &mut |mut row, presence| {
            row.give_presence(presence, self.owner);
            read.push(row);
            ControlFlow::Continue(())
        })
        .map_err(hub_error)?;
        Ok(read)
    }

    fn sift_with_twins(&mut self, rows: Vec<Boxed>) -> Result<Taken, HubError> {
        let (store, group) = (self.owner.store(), self.owner.partition().group());
        let rows = rows.into_iter().map(|row| (row.identity(), row)).collect();
        let mut outcome = Ok(Taken::Yes);
        records::visit_with_twins(store, group, rows, &mut |mut row, twin| {
            row.give_twin(twin);
            outcome = self.sift(Candidate::Twin(row));
            match outcome {
                Ok(Taken::Yes) => ControlFlow::Continue(()),
                Ok(Taken::Full) | Err(_) => ControlFlow::Break(()),
            }
        })
        .map_err(hub_error)?;
        outcome
    }

    /// Takes a candidate if it meets the condition; reads what of it was not read yet.
    fn sift(&mut self, mut candidate: Candidate) -> Result<Taken, HubError> {
        let is_met = match &mut candidate {
            Candidate::Job(row) => self.selection.is_met(&**row),
            Candidate::Twin(row) => {
                let load = |row: &mut Found, parts: Parts| row.load(self.owner, parts);
                load(row, self.selection.parts()).map_err(hub_error)?;
                let is_met = self.selection.is_met(&row.row());
                if is_met {
                    load(row, self.take.parts()).map_err(hub_error)?;
                }
                is_met
            }
        };
        let key = candidate.key();
        if is_met && self.take.take(candidate)? == Taken::Full {
            return Ok(Taken::Full);
        }
        self.last = Some(key);
        Ok(Taken::Yes)
    }
}
