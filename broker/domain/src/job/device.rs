//! What became of a job on one identity: a row of `devices.jobs` (service-protocols.md 2.7).

use crate::HubError;
use crate::ids::IdentityId;
use crate::job::id::JobId;
use crate::job::word::{DeviceJobStatus, JobType};
use crate::limits::JOB_REASON_CHARS_MAX;
use crate::method::MethodAnswer;
use crate::time::UnixMs;

/// Why it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceJobError {
    /// Name of the error's code.
    pub code: String,
    /// In words.
    pub description: String,
}

impl DeviceJobError {
    /// The error as a row shows it; what only the operator should read stays in the log.
    pub fn new(error: &HubError) -> Self {
        let description = error.told().chars().take(JOB_REASON_CHARS_MAX).collect();
        Self { code: error.code().name.to_owned(), description }
    }

    fn told(code: &str, description: &str) -> Self {
        Self { code: code.to_owned(), description: description.to_owned() }
    }
}

/// A job on one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceJob {
    /// Which.
    pub identity: IdentityId,
    /// Of which job.
    pub job: JobId,
    /// That job's type.
    pub job_type: JobType,
    /// Where it is.
    pub status: DeviceJobStatus,
    /// When it was begun with.
    pub start: Option<UnixMs>,
    /// When it ended.
    pub end: Option<UnixMs>,
    /// When the identity became a target.
    pub created: UnixMs,
    /// When this row last changed.
    pub updated: UnixMs,
    /// What the identity answered, if it was called.
    pub outcome: Option<MethodAnswer>,
    /// Why it failed.
    pub error: Option<DeviceJobError>,
}

/// Every change says whether there was one: what comes too late or again changes nothing.
impl DeviceJob {
    /// The identity is a target.
    pub fn new(job: JobId, job_type: JobType, identity: IdentityId, now: UnixMs) -> Self {
        Self {
            identity,
            job,
            job_type,
            status: DeviceJobStatus::Pending,
            start: None,
            end: None,
            created: now,
            updated: now,
            outcome: None,
            error: None,
        }
    }

    /// It is begun with.
    pub fn start(&mut self, now: UnixMs) -> bool {
        if !self.is_pending() {
            return false;
        }
        self.status = DeviceJobStatus::Running;
        self.start = Some(now);
        self.updated = now;
        true
    }

    /// It was done, with the answer of a method or without, or it failed. Nothing need have been begun: a twin is changed
    /// in one step.
    pub fn finish(
        &mut self,
        result: Result<Option<MethodAnswer>, DeviceJobError>,
        now: UnixMs,
    ) -> bool {
        if self.status.is_final() {
            return false;
        }
        match result {
            Ok(answer) => {
                self.outcome = answer;
                self.end_as(DeviceJobStatus::Completed, None, now);
            }
            Err(error) => self.end_as(DeviceJobStatus::Failed, Some(error), now),
        }
        true
    }

    /// The job was cancelled: what was not begun with never will be. A call under way goes on to its end.
    pub fn cancel(&mut self, now: UnixMs) -> bool {
        let cancels = self.is_pending();
        if cancels {
            self.end_as(DeviceJobStatus::Canceled, None, now);
        }
        cancels
    }

    /// The job's time was over.
    pub fn expire(&mut self, now: UnixMs) -> bool {
        if self.status.is_final() {
            return false;
        }
        let error =
            DeviceJobError::told("JobTimeout", "the job's time was over before this was done");
        self.end_as(DeviceJobStatus::Failed, Some(error), now);
        true
    }

    /// The hub restarted, or the partition has another leader, while the job ran. A twin's change and its row are written
    /// in one step, so what is not done was not done; of a method's call nobody knows whether the device got it, and it is
    /// not repeated.
    pub fn resume(&mut self, now: UnixMs) -> bool {
        if self.status != DeviceJobStatus::Running {
            return false;
        }
        match self.job_type {
            JobType::DeviceMethod => {
                let lost =
                    "the hub restarted while the method was under way: its outcome is unknown";
                let error = DeviceJobError::told("OutcomeUnknown", lost);
                self.end_as(DeviceJobStatus::Failed, Some(error), now);
            }
            JobType::UpdateTwin | JobType::Export | JobType::Import => {
                self.status = DeviceJobStatus::Pending;
                self.updated = now;
            }
        }
        true
    }

    fn is_pending(&self) -> bool {
        matches!(self.status, DeviceJobStatus::Pending | DeviceJobStatus::Scheduled)
    }

    fn end_as(&mut self, status: DeviceJobStatus, error: Option<DeviceJobError>, now: UnixMs) {
        self.status = status;
        self.error = error;
        self.end = Some(now);
        self.updated = now;
    }
}
