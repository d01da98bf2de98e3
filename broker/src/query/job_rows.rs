//! The rows of `devices.jobs` of one partition. They lie job by job, so those of a device are looked up in each job.

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateStore, StorageError};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::job::{DeviceJob, JobId};

use super::way::{Candidate, Chunk, RowKey};
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

/// The rows of these devices, which are in the order of their ids, and of their modules behind `after`: looks up `max` times,
/// about.
pub(super) fn of_devices(
    store: &dyn StateStore,
    group: GroupId,
    devices: &[DeviceId],
    after: Option<&RowKey>,
    max: usize,
) -> Result<Chunk, StorageError> {
    let mut chunk = Chunk::default();
    if devices.is_empty() {
        return Ok(chunk);
    }
    // The job that the last look ended in, and those behind it.
    let begun = after.and_then(|key| key.job.clone());
    let jobs = records::jobs_behind(store, group, begun.as_ref(), max)?;
    let mut left = max.max(1);
    for job in begun.into_iter().chain(jobs) {
        for device in devices {
            let after = after.filter(|after| after.job.as_ref() == Some(&job));
            let after = after.map(|after| &after.identity);
            if after.is_some_and(|after| *device < after.device) {
                continue;
            }
            let behind = after.filter(|after| after.device == *device);
            let mut last = None;
            records::visit_jobs_of_device(store, group, &job, device, behind, &mut |row| {
                last = Some(row.identity.clone());
                chunk.candidates.push(Candidate::Job(Box::new(row)));
                ControlFlow::Continue(())
            })?;
            let identity = last.or(behind.cloned()).unwrap_or_else(|| device.clone().into());
            chunk.looked_to = Some(RowKey { job: Some(job.clone()), identity });
            // Where the last look ended costs nothing, so that every one comes further.
            left -= usize::from(behind.is_none());
            if left == 0 {
                return Ok(chunk);
            }
        }
    }
    chunk.looked_to = None;
    Ok(chunk)
}
