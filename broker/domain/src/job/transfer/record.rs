//! An import or export as it is stored, and what happens to it.

use serde_json::{Value, json};

use crate::HubError;
use crate::job::id::JobId;
use crate::job::transfer::request::{TransferDirection, TransferRequest};
use crate::job::word::JobStatus;
use crate::limits::{JOB_HISTORY_MS, JOB_REASON_CHARS_MAX, TRANSFERS_MAX};
use crate::time::UnixMs;

/// An import or export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferJob {
    /// Its id, which the hub chose.
    pub id: JobId,
    /// What was asked for.
    pub request: TransferRequest,
    /// When it was asked for.
    pub created: UnixMs,
    /// When it began.
    pub begun: Option<UnixMs>,
    /// When it ended.
    pub end: Option<UnixMs>,
    /// Where it is: `enqueued`, `running`, `completed`, `failed` or `cancelled`.
    pub status: JobStatus,
    /// Lines or identities that are done with. What of an import is counted here is durable: after a restart it goes on
    /// behind them.
    pub done: u64,
    /// The same of configurations, which come after all devices and modules.
    pub configurations_done: u64,
    /// Of both, how many came to nothing.
    pub failed: u64,
    /// An import that began anew from its first line, since the node that kept the errors of lines is gone: what any of its
    /// lines asks for may be so already.
    pub again: bool,
    /// Percent.
    pub progress: u8,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

/// What happens to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferEvent {
    /// It is its turn.
    Begin,
    /// So far it is.
    Progress {
        /// See [`TransferJob::done`].
        done: u64,
        /// See [`TransferJob::configurations_done`].
        configurations_done: u64,
        /// See [`TransferJob::failed`].
        failed: u64,
        /// 0 to 100.
        percent: u8,
    },
    /// The errors of its lines are lost: an import begins anew, from its first line.
    Again,
    /// It is through, whatever came of single lines.
    Complete,
    /// It cannot be carried out.
    Fail {
        /// Why.
        reason: String,
    },
    /// A service wants it no more.
    Cancel,
}

impl TransferJob {
    /// The job that is asked for.
    pub fn new(id: JobId, request: TransferRequest, now: UnixMs) -> Self {
        Self {
            id,
            request,
            created: now,
            begun: None,
            end: None,
            status: JobStatus::Enqueued,
            done: 0,
            configurations_done: 0,
            failed: 0,
            again: false,
            progress: 0,
            failure_reason: None,
        }
    }

    /// The job after an event. One that comes too late or again changes nothing; neither does progress that goes back.
    /// A cancel of a job that has ended is [`HubError::JobFinished`].
    pub fn after(mut self, event: TransferEvent, now: UnixMs) -> Result<Self, HubError> {
        match event {
            TransferEvent::Cancel if self.status.is_final() => {
                return Err(HubError::JobFinished(self.id.as_str().to_owned()));
            }
            _ if self.status.is_final() => {}
            TransferEvent::Begin if self.begun.is_some() => {}
            TransferEvent::Begin => {
                self.status = JobStatus::Running;
                self.begun = Some(now);
            }
            TransferEvent::Progress { done, configurations_done, .. }
                if (done, configurations_done) < (self.done, self.configurations_done) => {}
            TransferEvent::Progress { done, configurations_done, failed, percent } => {
                (self.done, self.configurations_done) = (done, configurations_done);
                self.failed = failed;
                self.progress = self.progress.max(percent.min(100));
            }
            TransferEvent::Again => {
                (self.done, self.configurations_done, self.failed) = (0, 0, 0);
                self.again = true;
            }
            TransferEvent::Complete => {
                self.progress = 100;
                self.end_as(JobStatus::Completed, now);
            }
            TransferEvent::Fail { reason } => {
                self.failure_reason = Some(reason.chars().take(JOB_REASON_CHARS_MAX).collect());
                self.end_as(JobStatus::Failed, now);
            }
            TransferEvent::Cancel => self.end_as(JobStatus::Cancelled, now),
        }
        Ok(self)
    }

    /// JobProperties, and how many lines are done with and how many of them came to nothing, which the original does not
    /// tell. Of containers the address is shown and the signature is not: reading a job opens no container.
    pub fn json(&self) -> Value {
        let (input, output, input_blob, output_blob, without_keys) = match &self.request.direction {
            TransferDirection::Export { output, blob, without_keys } => {
                (None, output, None, Some(blob), *without_keys)
            }
            TransferDirection::Import { input, blob, output } => {
                (Some(input), output, Some(blob), None, false)
            }
        };
        json!({
            "jobId": self.id.as_str(),
            "type": self.request.direction.job_type().as_str(),
            "status": self.status.as_str(),
            "progress": self.progress,
            "processedCount": self.done + self.configurations_done,
            "failedCount": self.failed,
            "startTimeUtc": self.begun.unwrap_or(self.created).iso8601(),
            "endTimeUtc": self.end.map(UnixMs::iso8601),
            "failureReason": self.failure_reason,
            "inputBlobContainerUri": input.map(|container| container.address()),
            "outputBlobContainerUri": output.address(),
            "inputBlobName": input_blob,
            "outputBlobName": output_blob,
            "excludeKeysInExport": without_keys,
            "storageAuthenticationType": "keyBased",
            "includeConfigurations": self.request.configurations.is_some(),
            "configurationsBlobName": self.request.configurations,
        })
    }

    fn end_as(&mut self, status: JobStatus, now: UnixMs) {
        self.status = status;
        self.end = Some(now);
    }
}

/// Whether another import or export may be made beside `jobs`, which are all, and which of them it pushes out: those that
/// ended [`JOB_HISTORY_MS`] ago, and the oldest beyond [`TRANSFERS_MAX`]. Refused while one has not ended
/// (service-protocols.md 2.10).
pub fn admit(jobs: &[TransferJob], now: UnixMs) -> Result<Vec<JobId>, HubError> {
    if jobs.iter().any(|job| !job.status.is_final()) {
        return Err(HubError::TooManyJobs { max: 1 });
    }
    let mut kept: Vec<&TransferJob> = jobs.iter().collect();
    kept.sort_by_key(|job| (job.end, job.created));
    let surplus = (kept.len() + 1).saturating_sub(TRANSFERS_MAX);
    let is_old = |job: &TransferJob| {
        job.end.is_some_and(|end| end.0.saturating_add(JOB_HISTORY_MS) <= now.0)
    };
    let gone = kept.iter().enumerate().filter(|(place, job)| *place < surplus || is_old(job));
    Ok(gone.map(|(_, job)| job.id.clone()).collect())
}
