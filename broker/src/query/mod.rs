//! Queries over the records of this node's partitions (service-protocols.md 2.7): what the language in `domain::query` says,
//! carried out.
//!
//! A query looks at partition after partition and in each at keys in their order, so where it stands is always one key, and
//! the next page continues behind that key whatever has changed since. Records are read a few hundred at a time on the
//! blocking pool, and of each only what the query names; a page is all that is ever in memory. [`way`] is how a partition's
//! rows are found, [`found`] what is read of one, [`scan`] the walk, [`continuation`] the token between two pages.
//!
//! Jobs and configurations find their targets here, too ([`Queries::targets`]).

mod continuation;
mod found;
mod job_rows;
mod known;
mod page;
mod scan;
mod selection;
mod sieve;
mod steps;
#[cfg(test)]
pub(crate) mod tests;
mod way;

use std::sync::Arc;
use std::time::Instant;

use ironhub_domain::HubError;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::query::{Query, Target};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::actor::Owner;
use crate::partition::index::RegistryCounts;
use crate::partition::reader::hub_error;
use crate::partition::records;
use continuation::{Continuation, TokenKey};
use known::Sight;
use page::{Gathering, Grouping};
use scan::{Counting, Listing, Scan};
use selection::Selection;
use steps::{Done, Pace, Steps, Tally};

pub use page::{QueryPage, QueryRow};
pub use scan::Cursor;
pub use way::RowKey;

/// Pages that services wait for at a time; one more is refused with `Busy`.
const QUERIES_MAX: usize = 32;
/// Scans for the hub's own work at a time; one more waits.
const OWN_SCANS_MAX: usize = 4;

/// Carries queries out.
pub struct Queries {
    owners: Arc<[Arc<Owner>]>,
    places: Arc<Semaphore>,
    own_places: Arc<Semaphore>,
    steps: Steps,
}

impl Queries {
    /// Over these partitions of devices, at least one, in their order.
    pub(crate) fn new(owners: Vec<Arc<Owner>>) -> Self {
        Self {
            owners: owners.into(),
            places: Arc::new(Semaphore::new(QUERIES_MAX)),
            own_places: Arc::new(Semaphore::new(OWN_SCANS_MAX)),
            steps: Steps::default(),
        }
    }

    /// One page of a query's result: at most `rows_max` rows, which must not be 0, from where the page ended that gave
    /// `continuation`. A page may have fewer rows, or none, and a continuation nevertheless, if finding more takes long.
    /// Groups are never split over pages: all of them are one page.
    ///
    /// Errors: `InvalidArgument` for a text that is no query and for a token that is none of this query's; `Busy` while
    /// [`QUERIES_MAX`] others run.
    pub async fn page(
        &self,
        text: &str,
        rows_max: usize,
        continuation: Option<&str>,
    ) -> Result<QueryPage, HubError> {
        let query = Query::parse(text)?;
        let key = self.token_key();
        let start = match continuation {
            Some(token) => key.open(token, text)?,
            None => Continuation { at: Cursor::default(), rows_left: query.top },
        };
        let place = self.places.clone().try_acquire_owned().map_err(|_| HubError::Busy)?;
        let selection = Selection::Query(query.clone());
        match query.aggregator() {
            Some(aggregator) => {
                let grouping = Grouping::new(&query, aggregator);
                Ok(self.grouped(&query, grouping, place, Pace::Service).await?.page())
            }
            None => {
                let scan = Scan::new(self.owners.clone(), selection, start.at, place);
                let gathering = Gathering::new(&query, rows_max, start.rows_left);
                let deadline = Instant::now() + page::TIME_MAX;
                let done = self.steps.run(scan, gathering, Pace::Service, Some(deadline)).await?;
                let Done { take, at } = done;
                let rows_left = take.rows_left();
                let next = at.filter(|_| rows_left != Some(0));
                let token = next.map(|at| key.seal(&Continuation { at, rows_left }, text));
                Ok(take.page(token))
            }
        }
    }

    /// At most `max` identities that are targets, in the order of the scan from `after` on, and where to continue; `None`
    /// behind the last. Whoever keeps the cursor may go on after a restart.
    pub async fn targets(
        &self,
        target: &Target,
        after: Option<Cursor>,
        max: usize,
    ) -> Result<(Vec<IdentityId>, Option<Cursor>), HubError> {
        let place = self.own_place().await?;
        let selection = Selection::Target(target.clone());
        let scan = Scan::new(self.owners.clone(), selection, after.unwrap_or_default(), place);
        let Done { take, at } = self.steps.run(scan, Listing::new(max), Pace::Own, None).await?;
        Ok((take.found, at))
    }

    /// How many rows are targets.
    pub async fn count_targets(&self, target: &Target) -> Result<u64, HubError> {
        self.count(Selection::Target(target.clone())).await
    }

    /// How many rows a query returns: what a configuration's metric is (service-protocols.md 2.11).
    pub async fn count_rows(&self, query: &Query) -> Result<u64, HubError> {
        let top = query.top.unwrap_or(u64::MAX);
        match query.aggregator() {
            Some(aggregator) => {
                let place = self.own_place().await?;
                let grouping = Grouping::new(query, aggregator);
                let grouping = self.grouped(query, grouping, place, Pace::Own).await?;
                Ok(grouping.page().rows.len() as u64)
            }
            None => Ok(self.count(Selection::Query(query.clone())).await?.min(top)),
        }
    }

    async fn count(&self, selection: Selection) -> Result<u64, HubError> {
        let place = self.own_place().await?;
        if let Some(sight) = Sight::of_rows(&selection)
            && let Some(count) = self.tally(sight, selection.clone(), Counting::default()).await?
        {
            return Ok(count.0);
        }
        let scan = Scan::new(self.owners.clone(), selection, Cursor::default(), place);
        Ok(self.steps.run(scan, Counting::default(), Pace::Own, None).await?.take.0)
    }

    /// The groups of a query: from what is kept, or else of all rows.
    async fn grouped(
        &self,
        query: &Query,
        grouping: Grouping,
        place: OwnedSemaphorePermit,
        pace: Pace,
    ) -> Result<Grouping, HubError> {
        let selection = Selection::Query(query.clone());
        if let Some(sight) = Sight::of_counts(query)
            && let Some(done) = self.tally(sight, selection.clone(), grouping.clone()).await?
        {
            return Ok(done);
        }
        let scan = Scan::new(self.owners.clone(), selection, Cursor::default(), place);
        Ok(self.steps.run(scan, grouping, pace, None).await?.take)
    }

    /// Counts what is selected by what is kept; `None` if that does not tell.
    async fn tally<T: Tally + Send + 'static>(
        &self,
        sight: Sight,
        selection: Selection,
        tally: T,
    ) -> Result<Option<T>, HubError> {
        let (mut tally, looked) = (tally, Arc::new((sight, selection)));
        for owner in &*self.owners {
            let (owner, looked) = (owner.clone(), looked.clone());
            let pace = if looked.0.is_far() { Pace::Own } else { Pace::Service };
            let step = move || -> Result<Option<T>, HubError> {
                let (sight, selection) = &*looked;
                let devices = sight.devices(&owner, selection).map_err(hub_error)?;
                let Some(devices) = devices else { return Ok(None) };
                for alike in devices.iter().filter(|alike| selection.is_met(*alike)) {
                    tally.tally(alike, alike.rows)?;
                }
                Ok(Some(tally))
            };
            match self.steps.one(pace, step).await?? {
                Some(done) => tally = done,
                None => return Ok(None),
            }
        }
        Ok(Some(tally))
    }

    /// Whether an identity is a target as its records are now; one that does not exist is not. Reads a few records at once,
    /// as an actor does.
    pub fn is_target(&self, identity: &IdentityId, target: &Target) -> Result<bool, HubError> {
        let selection = Selection::Target(target.clone());
        let owner = &self.owners[scan::partition(&self.owners, &identity.device)];
        let (store, group) = (owner.store(), owner.partition().group());
        let found = found::Found::read(store, group, identity, selection.source());
        let Some(mut found) = found.map_err(hub_error)? else { return Ok(false) };
        found.load(owner, selection.parts()).map_err(hub_error)?;
        Ok(selection.is_met(&found.row()))
    }

    /// How many devices the hub has, how many of them are disabled, and how many connected.
    pub fn counts(&self) -> Result<RegistryCounts, HubError> {
        let mut sum = RegistryCounts::default();
        for owner in &*self.owners {
            let part = records::counts(owner.store(), owner.partition().group());
            let part = part.map_err(hub_error)?;
            sum.devices += part.devices;
            sum.disabled += part.disabled;
            sum.connected += part.connected;
        }
        Ok(sum)
    }

    async fn own_place(&self) -> Result<OwnedSemaphorePermit, HubError> {
        self.own_places.clone().acquire_owned().await.map_err(|_| HubError::ShuttingDown)
    }

    fn token_key(&self) -> TokenKey {
        // There is at least one partition.
        TokenKey::of(&self.owners[0].facts().policies.load())
    }
}
