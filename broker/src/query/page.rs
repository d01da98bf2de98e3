//! What a query returns at a time.

use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::job::DeviceJob;
use ironhub_domain::query::{Aggregator, Query, Row, Select};
use ironhub_domain::twin::Object;
use ironhub_domain::twin::size::json_bytes;

use super::found::Parts;
use super::scan::{Take, Taken};
use super::selection::shown;
use super::steps::Tally;
use super::way::Candidate;
use crate::router::request::TwinView;

/// A page ends after this also if it is not full; below the time that SDKs wait (Java's service client: 24 s).
pub(super) const TIME_MAX: Duration = Duration::from_secs(10);
/// JSON bytes of a page's rows, about: with so many a page is full.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// One page of a result.
#[derive(Debug)]
pub struct QueryPage {
    /// What the rows are called: `Twin`, `DeviceJob` or `Raw`.
    pub item_type: &'static str,
    /// The rows.
    pub rows: Vec<QueryRow>,
    /// Asks for the next page; `None` if this is the last.
    pub continuation: Option<String>,
}

/// A row of a result.
#[derive(Debug)]
pub enum QueryRow {
    /// A whole twin.
    Twin(Box<TwinView>),
    /// A row of `devices.jobs`.
    Job(Box<DeviceJob>),
    /// The columns that the query names, of a row or of a group.
    Columns(Object),
}

/// Takes rows for a page.
pub(super) struct Gathering {
    query: Query,
    shown: Parts,
    rows: Vec<QueryRow>,
    rows_max: usize,
    /// What TOP still allows, this page's rows included.
    top: Option<u64>,
    bytes: usize,
}

impl Gathering {
    pub(super) fn new(query: &Query, rows_max: usize, top: Option<u64>) -> Self {
        Self {
            query: query.clone(),
            shown: shown(query),
            rows: Vec::new(),
            rows_max,
            top,
            bytes: 0,
        }
    }

    /// What TOP allows behind this page.
    pub(super) fn rows_left(&self) -> Option<u64> {
        self.top.map(|top| top.saturating_sub(self.rows.len() as u64))
    }

    pub(super) fn page(self, continuation: Option<String>) -> QueryPage {
        QueryPage { item_type: self.query.item_type(), rows: self.rows, continuation }
    }
}

impl Take for Gathering {
    fn parts(&self) -> Parts {
        self.shown
    }

    fn room(&self) -> usize {
        let page = self.rows_max.saturating_sub(self.rows.len());
        let top = self.rows_left().and_then(|top| usize::try_from(top).ok());
        top.map_or(page, |top| page.min(top))
    }

    fn take(&mut self, row: Candidate) -> Result<Taken, HubError> {
        let is_full = self.rows.len() >= self.rows_max || self.bytes >= BYTES_MAX;
        if is_full || self.rows_left() == Some(0) {
            return Ok(Taken::Full);
        }
        let row = match (&self.query.select, row) {
            (Select::All, Candidate::Twin(found)) => {
                self.bytes += found.twin_bytes();
                QueryRow::Twin(Box::new(found.into_view()))
            }
            (Select::All, Candidate::Job(row)) => {
                let answer = row.outcome.as_ref().map_or(0, |answer| answer.payload.len());
                self.bytes += answer;
                QueryRow::Job(row)
            }
            (Select::Columns(_), candidate) => {
                let columns = match &candidate {
                    Candidate::Twin(found) => self.query.project(&found.row()),
                    Candidate::Job(row) => self.query.project(&**row),
                };
                let columns = columns.unwrap_or_default();
                self.bytes += json_bytes(&columns);
                QueryRow::Columns(columns)
            }
        };
        self.rows.push(row);
        Ok(Taken::Yes)
    }
}

/// Brings rows together.
#[derive(Clone)]
pub(super) struct Grouping {
    item_type: &'static str,
    shown: Parts,
    groups: Aggregator,
}

impl Grouping {
    pub(super) fn new(query: &Query, groups: Aggregator) -> Self {
        Self { item_type: query.item_type(), shown: shown(query), groups }
    }

    /// All groups.
    pub(super) fn page(self) -> QueryPage {
        let rows = self.groups.finish().into_iter().map(QueryRow::Columns).collect();
        QueryPage { item_type: self.item_type, rows, continuation: None }
    }
}

impl Tally for Grouping {
    fn tally(&mut self, row: &dyn Row, rows: u64) -> Result<(), HubError> {
        Ok(self.groups.add_alike(row, rows)?)
    }
}

impl Take for Grouping {
    fn parts(&self) -> Parts {
        self.shown
    }

    fn take(&mut self, row: Candidate) -> Result<Taken, HubError> {
        match &row {
            Candidate::Twin(found) => self.groups.add(&found.row())?,
            Candidate::Job(row) => self.groups.add(&**row)?,
        }
        Ok(Taken::Yes)
    }
}
