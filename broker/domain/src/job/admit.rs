//! Which jobs there may be, which of them run, and which are forgotten.

use crate::HubError;
use crate::job::id::JobId;
use crate::job::record::Job;
use crate::job::word::JobStatus;
use crate::limits::{JOB_HISTORY_MS, JOBS_MAX, JOBS_RUNNING_MAX};
use crate::time::UnixMs;

/// Whether a job of this id may be made among `jobs`, which are all, and which of them make room for it.
///
/// Refused if the id is taken, also by a job that has ended and is kept; and if there are [`JOBS_MAX`] that have not
/// ended.
pub fn admit(jobs: &[Job], id: &JobId, now: UnixMs) -> Result<Vec<JobId>, HubError> {
    if jobs.iter().any(|job| job.id == *id && !is_over(job, now)) {
        return Err(HubError::JobAlreadyExists(id.as_str().to_owned()));
    }
    let mut gone = forgotten(jobs, now);
    if jobs.len() - gone.len() >= JOBS_MAX {
        let ended = jobs.iter().filter(|job| job.status.is_final() && !is_over(job, now));
        let oldest = ended.min_by_key(|job| (job.end, job.created));
        let oldest = oldest.ok_or(HubError::TooManyJobs { max: JOBS_MAX })?;
        gone.push(oldest.id.clone());
    }
    Ok(gone)
}

/// The jobs that ended [`JOB_HISTORY_MS`] ago or longer: they and the rows of their targets go.
pub fn forgotten(jobs: &[Job], now: UnixMs) -> Vec<JobId> {
    jobs.iter().filter(|job| is_over(job, now)).map(|job| job.id.clone()).collect()
}

/// The jobs to begin with now, of which no more run than [`JOBS_RUNNING_MAX`]: those whose start is longest ago come first.
pub fn to_begin(jobs: &[Job], now: UnixMs) -> Vec<JobId> {
    let running = jobs.iter().filter(|job| job.status == JobStatus::Running).count();
    let mut due: Vec<&Job> = jobs.iter().filter(|job| job.is_due(now)).collect();
    due.sort_by_key(|job| (job.start, job.created));
    let room = JOBS_RUNNING_MAX.saturating_sub(running);
    due.into_iter().take(room).map(|job| job.id.clone()).collect()
}

fn is_over(job: &Job, now: UnixMs) -> bool {
    job.status.is_final()
        && job.end.is_some_and(|end| end.0.saturating_add(JOB_HISTORY_MS) <= now.0)
}
