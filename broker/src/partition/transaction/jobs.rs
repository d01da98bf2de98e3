//! Rows of jobs, and their counts, which change along with them.

use std::ops::ControlFlow;

use ironhub_cluster::storage::StorageError;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::job::{DeviceJob, DeviceJobStatus, JobId, JobStatistics};
use ironhub_domain::partition::Records;

use super::Transaction;
use crate::partition::encode::job as record;
use crate::partition::{keys, records};

impl Transaction<'_, '_> {
    pub(super) fn read_device_job(
        &self,
        job: &JobId,
        identity: &IdentityId,
    ) -> Result<Option<DeviceJob>, StorageError> {
        let key = keys::jobs::row(self.group, job, identity);
        self.read(&key, |row| record::decode(job.clone(), identity.clone(), row))
    }

    pub(super) fn read_device_jobs(
        &self,
        job: &JobId,
        after: Option<&IdentityId>,
        max: usize,
    ) -> Result<Vec<DeviceJob>, StorageError> {
        let (from, to) = keys::jobs::rows(self.group, job, after);
        let mut rows: Vec<Result<DeviceJob, StorageError>> = Vec::new();
        if max == 0 {
            return Ok(Vec::new());
        }
        self.tx.scan(&from, &to, &mut |key, value| {
            let row = records::decode_device_job(key, value);
            let is_last = row.is_err() || rows.len() + 1 == max;
            rows.push(row);
            if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        rows.into_iter().collect()
    }

    pub(super) fn write_device_job(&mut self, row: &DeviceJob) -> Result<(), StorageError> {
        self.count_device_job(row, Some(row.status))?;
        let key = keys::jobs::row(self.group, &row.job, &row.identity);
        self.tx.put(key, record::encode(row));
        Ok(())
    }

    pub(super) fn remove_device_job(&mut self, row: &DeviceJob) -> Result<(), StorageError> {
        self.count_device_job(row, None)?;
        self.tx.delete(keys::jobs::row(self.group, &row.job, &row.identity));
        Ok(())
    }

    /// A row will have this status, or be removed.
    fn count_device_job(
        &mut self,
        row: &DeviceJob,
        after: Option<DeviceJobStatus>,
    ) -> Result<(), StorageError> {
        let before = self.device_job(&row.job, &row.identity)?.map(|row| row.status);
        if before == after {
            return Ok(());
        }
        let key = keys::jobs::counts(self.group, &row.job);
        let counts = self.read(&key, record::decode_counts)?.unwrap_or_default();
        let counts =
            counts.plus(JobStatistics::of_rows(after)).less(JobStatistics::of_rows(before));
        if counts == JobStatistics::default() {
            self.tx.delete(key);
        } else {
            self.tx.put(key, record::encode_counts(&counts));
        }
        Ok(())
    }
}
