//! What happens to a job, and what becomes of it.

use crate::HubError;
use crate::job::record::{Job, JobStatistics};
use crate::job::word::JobStatus;
use crate::limits::JOB_REASON_CHARS_MAX;
use crate::time::UnixMs;

/// What happens to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// Its start time has come.
    Due,
    /// There is room for it.
    Begin,
    /// So many targets it has; their rows are there.
    Targets {
        /// How many.
        devices: u64,
    },
    /// What became of some targets since the last of these events.
    Devices {
        /// Begun with, ended or not.
        started: u64,
        /// Of those begun with, now or before: done.
        succeeded: u64,
        /// Failed, begun with or not.
        failed: u64,
    },
    /// What the targets' rows say, counted anew: after a restart, or whenever deltas are not to be trusted.
    Recount(JobStatistics),
    /// Its time to run is over.
    Deadline,
    /// It cannot be carried out, and not for a single target's sake.
    Fail {
        /// Why.
        reason: String,
    },
    /// A service wants it no more.
    Cancel,
}

impl Job {
    /// The job after an event. One that comes too late, or too early, or again, changes nothing: after a restart events
    /// are repeated. Only [`JobEvent::Cancel`] of a job that has ended is an error, since somebody is waiting for the
    /// answer: [`HubError::JobFinished`].
    pub fn after(mut self, event: JobEvent, now: UnixMs) -> Result<Self, HubError> {
        let status = self.status;
        let is_running = status == JobStatus::Running;
        match event {
            JobEvent::Due if status == JobStatus::Scheduled && self.start <= now => {
                self.status = JobStatus::Queued;
            }
            JobEvent::Begin if self.is_due(now) => {
                self.status = JobStatus::Running;
                self.begun = Some(now);
            }
            JobEvent::Targets { devices } if is_running && !self.counted => {
                self.counted = true;
                self.statistics = JobStatistics::of_targets(devices);
                self.complete_if_done(now);
            }
            // Calls that were under way when the job was cancelled come to their end.
            JobEvent::Devices { started, succeeded, failed }
                if self.counted && (is_running || status == JobStatus::Cancelled) =>
            {
                self.count(started, succeeded, failed);
                self.complete_if_done(now);
            }
            JobEvent::Recount(statistics)
                if self.counted && (is_running || status == JobStatus::Cancelled) =>
            {
                self.statistics = statistics;
                self.complete_if_done(now);
            }
            JobEvent::Deadline if self.deadline().is_some_and(|deadline| deadline <= now) => {
                self.run_out(now);
            }
            JobEvent::Fail { reason } if !status.is_final() => {
                self.failure_reason = Some(reason.chars().take(JOB_REASON_CHARS_MAX).collect());
                self.end_as(JobStatus::Failed, now);
            }
            JobEvent::Cancel if status.is_final() => {
                return Err(HubError::JobFinished(self.id.as_str().to_owned()));
            }
            JobEvent::Cancel => {
                self.statistics.pending = 0;
                self.end_as(JobStatus::Cancelled, now);
            }
            JobEvent::Due
            | JobEvent::Begin
            | JobEvent::Targets { .. }
            | JobEvent::Devices { .. }
            | JobEvent::Recount(_)
            | JobEvent::Deadline
            | JobEvent::Fail { .. } => {}
        }
        Ok(self)
    }

    /// Whether it waits only for room.
    pub fn is_due(&self, now: UnixMs) -> bool {
        match self.status {
            JobStatus::Enqueued | JobStatus::Queued | JobStatus::Scheduled => self.start <= now,
            JobStatus::Running
            | JobStatus::Completed
            | JobStatus::Failed
            | JobStatus::Cancelled => false,
        }
    }

    /// When it next needs attention of itself: its start or its deadline.
    pub fn wakes(&self) -> Option<UnixMs> {
        if self.status == JobStatus::Scheduled { Some(self.start) } else { self.deadline() }
    }

    /// A target ends as one that runs if there is one, else as one that was pending.
    fn count(&mut self, started: u64, succeeded: u64, failed: u64) {
        let counts = &mut self.statistics;
        let started = started.min(counts.pending);
        counts.pending -= started;
        counts.running += started;
        for (ended, of) in [(succeeded, &mut counts.succeeded), (failed, &mut counts.failed)] {
            let from_running = ended.min(counts.running);
            let from_pending = (ended - from_running).min(counts.pending);
            counts.running -= from_running;
            counts.pending -= from_pending;
            *of += from_running + from_pending;
        }
    }

    fn complete_if_done(&mut self, now: UnixMs) {
        let open = self.statistics.pending + self.statistics.running;
        if open == 0 && self.status == JobStatus::Running {
            self.end_as(JobStatus::Completed, now);
        }
    }

    /// Targets that are not done have failed; the job is one that ran. Without targets it never came to run.
    fn run_out(&mut self, now: UnixMs) {
        if !self.counted {
            self.failure_reason = Some("its time was over before its targets were known".into());
            return self.end_as(JobStatus::Failed, now);
        }
        let counts = &mut self.statistics;
        let open = counts.pending + counts.running;
        counts.failed += open;
        (counts.pending, counts.running) = (0, 0);
        self.status_message =
            Some(format!("its time was over before {open} of its targets were done"));
        self.end_as(JobStatus::Completed, now);
    }

    fn end_as(&mut self, status: JobStatus, now: UnixMs) {
        self.status = status;
        self.end = Some(now);
    }
}
