//! The rows of `devices.jobs` of one partition.

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateStore, StorageError};
use ironhub_domain::job::{DeviceJob, JobId};

use super::way::RowKey;
use crate::partition::records;

/// At most `max` rows behind `after`, ordered by job and identity; if jobs are named, which are in the order of their ids,
/// of these only.
pub(super) fn read(
    store: &dyn StateStore,
    group: GroupId,
    jobs: Option<&[JobId]>,
    after: Option<&RowKey>,
    max: usize,
) -> Result<Vec<DeviceJob>, StorageError> {
    let mut rows = Vec::new();
    if max == 0 {
        return Ok(rows);
    }
    let after = after.and_then(|key| Some((key.job.as_ref()?, &key.identity)));
    let mut take = |row| {
        rows.push(row);
        if rows.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let Some(jobs) = jobs else {
        records::visit_all_device_jobs(store, group, after, &mut take)?;
        return Ok(rows);
    };
    let mut is_full = false;
    for job in jobs.iter().filter(|job| after.is_none_or(|(last, _)| *job >= last)) {
        let behind = after.filter(|(last, _)| *last == job).map(|(_, identity)| identity);
        records::visit_device_jobs(store, group, job, behind, &mut |row| {
            let flow = take(row);
            is_full = flow.is_break();
            flow
        })?;
        if is_full {
            break;
        }
    }
    Ok(rows)
}
