//! What the hub tells of a job in its event log, under the message source `deviceJobLifecycleEvents`.
//!
//! The original offers this source to routes and describes neither body nor properties. Choices of ours, formed as its
//! other events of its own are: the body is the job's JSON as a service reads it, and the property `opType` says what
//! happened. An event is written whenever the job's status has changed.

use crate::job::record::Job;
use crate::job::word::JobStatus;

impl Job {
    /// The application property `opType` of the event that tells of this state.
    pub const fn operation(&self) -> &'static str {
        match self.status {
            JobStatus::Scheduled => "scheduleJob",
            JobStatus::Enqueued | JobStatus::Queued => "queueJob",
            JobStatus::Running => "startJob",
            JobStatus::Completed => "completeJob",
            JobStatus::Failed => "failJob",
            JobStatus::Cancelled => "cancelJob",
        }
    }
}
