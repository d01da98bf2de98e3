//! The rows of `devices.jobs` of one partition.

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateStore, StorageError};
use ironhub_domain::job::{DeviceJob, JobId};

use super::way::RowKey;

/// At most `max` rows behind `after`, ordered by job and identity; if jobs are named, which are in the order of their ids,
/// of these only. Partitions keep no such rows: no job has run.
pub(super) fn read(
    _store: &dyn StateStore,
    _group: GroupId,
    _jobs: Option<&[JobId]>,
    _after: Option<&RowKey>,
    _max: usize,
) -> Result<Vec<DeviceJob>, StorageError> {
    Ok(Vec::new())
}
