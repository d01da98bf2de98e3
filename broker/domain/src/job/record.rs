//! A job as it is stored.

use std::time::Duration;

use crate::job::id::JobId;
use crate::job::request::JobRequest;
use crate::job::word::{DeviceJobStatus, JobStatus, JobType};
use crate::method::MethodCall;
use crate::registry::IfMatch;
use crate::time::UnixMs;
use crate::twin::TwinUpdate;

/// A change of a twin, as a job makes it on every target.
#[derive(Clone, Debug, PartialEq)]
pub struct TwinJob {
    /// Merge patches.
    pub update: TwinUpdate,
    /// Only of twins with this ETag; `*` for all, and with that almost always.
    pub etag: String,
}

impl TwinJob {
    /// The ETag as a precondition.
    pub fn precondition(&self) -> IfMatch {
        IfMatch::parse(&self.etag)
    }
}

/// What a job does to each of its targets.
#[derive(Clone, Debug, PartialEq)]
pub enum JobAction {
    /// `scheduleUpdateTwin`
    UpdateTwin(TwinJob),
    /// `scheduleDeviceMethod`
    DeviceMethod(MethodCall),
}

impl JobAction {
    /// The type of the jobs that do this.
    pub const fn job_type(&self) -> JobType {
        match self {
            Self::UpdateTwin(_) => JobType::UpdateTwin,
            Self::DeviceMethod(_) => JobType::DeviceMethod,
        }
    }
}

/// `deviceJobStatistics`. Canceled targets are in `devices` only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobStatistics {
    /// `deviceCount`: all targets.
    pub devices: u64,
    /// `failedCount`
    pub failed: u64,
    /// `succeededCount`
    pub succeeded: u64,
    /// `runningCount`
    pub running: u64,
    /// `pendingCount`
    pub pending: u64,
}

impl JobStatistics {
    /// Targets that nothing is known of yet.
    pub const fn of_targets(devices: u64) -> Self {
        Self { devices, failed: 0, succeeded: 0, running: 0, pending: devices }
    }

    /// What the targets' rows say.
    pub fn of_rows(rows: impl IntoIterator<Item = DeviceJobStatus>) -> Self {
        let mut counted = Self::default();
        for status in rows {
            counted.devices += 1;
            match status {
                DeviceJobStatus::Pending | DeviceJobStatus::Scheduled => counted.pending += 1,
                DeviceJobStatus::Running => counted.running += 1,
                DeviceJobStatus::Completed => counted.succeeded += 1,
                DeviceJobStatus::Failed => counted.failed += 1,
                DeviceJobStatus::Canceled => {}
            }
        }
        counted
    }

    /// These counts without those, which are part of them.
    pub const fn less(self, part: Self) -> Self {
        Self {
            devices: self.devices.saturating_sub(part.devices),
            failed: self.failed.saturating_sub(part.failed),
            succeeded: self.succeeded.saturating_sub(part.succeeded),
            running: self.running.saturating_sub(part.running),
            pending: self.pending.saturating_sub(part.pending),
        }
    }

    /// Both counts together: those of two partitions.
    pub const fn plus(self, other: Self) -> Self {
        Self {
            devices: self.devices + other.devices,
            failed: self.failed + other.failed,
            succeeded: self.succeeded + other.succeeded,
            running: self.running + other.running,
            pending: self.pending + other.pending,
        }
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub action: JobAction,
    /// The condition as it was sent; see [`condition`](Self::condition).
    pub query_condition: String,
    /// When it was asked for.
    pub created: UnixMs,
    /// When it shall begin.
    pub start: UnixMs,
    /// When it began: its time to run counts from here.
    pub begun: Option<UnixMs>,
    /// When it ended.
    pub end: Option<UnixMs>,
    /// How long it may run.
    pub max_execution: Duration,
    /// Where it is.
    pub status: JobStatus,
    /// Whether its targets are known; what is counted counts from then on.
    pub counted: bool,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// What else there is to say.
    pub status_message: Option<String>,
    /// How far it is.
    pub statistics: JobStatistics,
    /// The correlation id of the event that tells of its status, until that is stored. Job and event are in different
    /// partitions, so this is what makes sure that both are or will be. Services do not read it.
    pub untold: Option<String>,
}

impl Job {
    /// The job that is asked for.
    pub fn new(request: JobRequest, now: UnixMs) -> Self {
        let JobRequest { id, action, query_condition, start, max_execution } = request;
        let start = start.unwrap_or(now);
        Self {
            id,
            action,
            query_condition,
            created: now,
            start,
            begun: None,
            end: None,
            max_execution,
            status: if start <= now { JobStatus::Queued } else { JobStatus::Scheduled },
            counted: false,
            failure_reason: None,
            status_message: None,
            statistics: JobStatistics::default(),
            untold: None,
        }
    }

    /// The WHERE expression that chooses the targets; `None` for all devices.
    pub fn condition(&self) -> Option<&str> {
        match self.query_condition.trim() {
            "" | "*" => None,
            condition => Some(condition),
        }
    }

    /// When its time to run is over, if it runs.
    pub fn deadline(&self) -> Option<UnixMs> {
        let begun = self.begun.filter(|_| self.status == JobStatus::Running)?;
        let millis = u64::try_from(self.max_execution.as_millis()).unwrap_or(u64::MAX);
        Some(UnixMs(begun.0.saturating_add(millis)))
    }
}
