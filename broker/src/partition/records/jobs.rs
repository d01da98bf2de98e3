//! What became of jobs on the identities of a partition.

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{Area, StateStore, StorageError};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::job::{DeviceJob, JobId, JobStatistics};

use super::read;
use crate::partition::encode::{damaged, job as record};
use crate::partition::keys;

/// What became of a job on one identity; `None` if that is no target of it.
pub fn device_job(
    store: &dyn StateStore,
    group: GroupId,
    job: &JobId,
    identity: &IdentityId,
) -> Result<Option<DeviceJob>, StorageError> {
    let key = keys::jobs::row(group, job, identity);
    read(store, &key, |row| record::decode(job.clone(), identity.clone(), row))
}

/// How many rows a job has in a partition, and in which states.
pub fn job_counts(
    store: &dyn StateStore,
    group: GroupId,
    job: &JobId,
) -> Result<JobStatistics, StorageError> {
    let counts = read(store, &keys::jobs::counts(group, job), record::decode_counts)?;
    Ok(counts.unwrap_or_default())
}

/// At most `max` jobs that have rows in a partition, in the order of their ids, beginning behind `after`.
pub fn jobs_behind(
    store: &dyn StateStore,
    group: GroupId,
    after: Option<&JobId>,
    max: usize,
) -> Result<Vec<JobId>, StorageError> {
    let (from, to) = keys::jobs::all_counts(group, after);
    let mut jobs = Vec::new();
    if max == 0 {
        return Ok(jobs);
    }
    store.scan(Area::Records, &from, &to, &mut |key, _| {
        jobs.extend(keys::jobs::of_counts(key));
        if jobs.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(jobs)
}

/// Visits the rows that one job has of a device and its modules, in the order of their identities, until the visitor
/// breaks.
pub fn visit_jobs_of_device(
    store: &dyn StateStore,
    group: GroupId,
    job: &JobId,
    device: &DeviceId,
    after: Option<&IdentityId>,
    visit: &mut dyn FnMut(DeviceJob) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    visit_rows(store, keys::jobs::rows_of_device(group, job, device, after), visit)
}

/// Visits the rows of one job in the order of their identities, beginning behind `after`, until the visitor breaks.
pub fn visit_device_jobs(
    store: &dyn StateStore,
    group: GroupId,
    job: &JobId,
    after: Option<&IdentityId>,
    visit: &mut dyn FnMut(DeviceJob) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    visit_rows(store, keys::jobs::rows(group, job, after), visit)
}

/// Visits the rows of all jobs of a partition in the order of their jobs' ids and their identities, beginning behind
/// `after`, until the visitor breaks.
pub fn visit_all_device_jobs(
    store: &dyn StateStore,
    group: GroupId,
    after: Option<(&JobId, &IdentityId)>,
    visit: &mut dyn FnMut(DeviceJob) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    visit_rows(store, keys::jobs::all_rows(group, after), visit)
}

fn visit_rows(
    store: &dyn StateStore,
    (from, to): (Vec<u8>, Vec<u8>),
    visit: &mut dyn FnMut(DeviceJob) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    let mut failed = None;
    store.scan(Area::Records, &from, &to, &mut |key, value| match decode_row(key, value) {
        Ok(row) => visit(row),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// A row with the names in its key.
pub(in crate::partition) fn decode_row(
    key: &[u8],
    value: &[u8],
) -> Result<DeviceJob, StorageError> {
    let (job, identity) =
        keys::jobs::of_row(key).ok_or_else(|| damaged("job row", "its key names nothing"))?;
    record::decode(job, identity, value)
}
