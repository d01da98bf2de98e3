//! Scans are carried out in steps, which take turns: however many scans there are, they leave processors for everything else.
//!
//! The first step of a service's query needs no turn, so that what an index or an id leads to is not held up by scans.

use std::sync::Arc;
use std::time::Instant;

use ironhub_domain::HubError;
use ironhub_domain::query::Row;
use tokio::sync::Semaphore;

use super::scan::{Cursor, Progress, Scan, Take};

/// Who a scan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// A service that waits: its first step is taken at once.
    Service,
    /// The hub's own work.
    Own,
}

/// Counts rows without seeing each.
pub(super) trait Tally {
    /// So many rows that are met have the same values wherever it looks.
    fn tally(&mut self, row: &dyn Row, rows: u64) -> Result<(), HubError>;
}

/// How a scan ended: with what it took, and where it may go on; `None` if there is nothing more.
pub(super) struct Done<T> {
    pub(super) take: T,
    pub(super) at: Option<Cursor>,
}

/// The turns of a node's scans: half of its processors, at least one.
pub(super) struct Steps {
    pub(super) turns: Arc<Semaphore>,
}

impl Default for Steps {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { turns: Arc::new(Semaphore::new((processors / 2).max(1))) }
    }
}

impl Steps {
    /// Runs a scan, a step after the other on the blocking pool. If nobody waits any more it ends with the step it is in.
    pub(super) async fn run<T: Take + Send + 'static>(
        &self,
        mut scan: Scan,
        mut take: T,
        pace: Pace,
        deadline: Option<Instant>,
    ) -> Result<Done<T>, HubError> {
        let mut pace = pace;
        loop {
            let step = move || {
                let progress = scan.step(&mut take);
                (scan, take, progress)
            };
            let progress;
            (scan, take, progress) = self.one(pace, step).await?;
            pace = Pace::Own;
            match progress? {
                Progress::Ended => return Ok(Done { take, at: None }),
                Progress::Full => return Ok(Done { take, at: Some(scan.into_cursor()) }),
                Progress::More if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    return Ok(Done { take, at: Some(scan.into_cursor()) });
                }
                Progress::More => {}
            }
        }
    }

    /// Takes one step on the blocking pool, in its turn. The turn lasts as long as the step, also if nobody waits for it.
    pub(super) async fn one<R: Send + 'static>(
        &self,
        pace: Pace,
        step: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, HubError> {
        let turn = match pace {
            Pace::Service => None,
            Pace::Own => {
                let turn = self.turns.clone().acquire_owned().await;
                Some(turn.map_err(|_| HubError::ShuttingDown)?)
            }
        };
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            step()
        });
        task.await.map_err(|error| HubError::Internal(error.to_string()))
    }
}
