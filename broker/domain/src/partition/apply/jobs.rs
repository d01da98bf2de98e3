//! What became of jobs on the identities of this partition.

use super::twins;
use crate::HubError;
use crate::ids::IdentityId;
use crate::job::{DeviceJob, DeviceJobError, JobId, JobType};
use crate::limits::JOB_ROWS_AT_ONCE;
use crate::partition::command::{Outcome, UpdateTwin};
use crate::partition::job_command::{DeviceJobNote, JobCommand, JobTending};
use crate::partition::records::Records;
use crate::time::UnixMs;

pub(super) fn apply<R: Records + ?Sized>(
    command: JobCommand,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    match command {
        JobCommand::Target { job, job_type, identities, now } => {
            target(&job, job_type, identities, now, records)
        }
        JobCommand::UpdateTwin { job, update } => update_twin(&job, *update, records),
        JobCommand::Note { job, identity, note: what, now } => {
            note(&job, &identity, what, now, records)
        }
        JobCommand::Tend { job, how, after, now } => tend(&job, how, after.as_ref(), now, records),
    }
}

fn target<R: Records + ?Sized>(
    job: &JobId,
    job_type: JobType,
    identities: Vec<IdentityId>,
    now: UnixMs,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    if identities.len() > JOB_ROWS_AT_ONCE {
        let why = format!("more than {JOB_ROWS_AT_ONCE} targets at once");
        return Ok(Outcome::Refused(HubError::InvalidArgument(why)));
    }
    let mut made = 0;
    for identity in identities {
        if records.device_job(job, &identity)?.is_none() {
            records.put_device_job(&DeviceJob::new(job.clone(), job_type, identity, now))?;
            made += 1;
        }
    }
    Ok(Outcome::Affected(made))
}

/// The twin and the row change in one step, so a row that is open says that the twin was not changed: however often this is
/// asked for, it happens once; to the others `JobFinished` says so. A change that the twin's rules refuse is the row's failure.
fn update_twin<R: Records + ?Sized>(
    job: &JobId,
    update: UpdateTwin,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let open = records.device_job(job, &update.identity)?.filter(|row| !row.status.is_final());
    let Some(mut row) = open else {
        return Ok(Outcome::Refused(HubError::JobFinished(job.as_str().to_owned())));
    };
    let now = update.now;
    let outcome = twins::update(update, records)?;
    row.start(now);
    let (result, outcome) = match outcome {
        Outcome::Refused(refusal) => (Err(DeviceJobError::new(&refusal)), Outcome::Done),
        changed => (Ok(None), changed),
    };
    row.finish(result, now);
    records.put_device_job(&row)?;
    Ok(outcome)
}

fn note<R: Records + ?Sized>(
    job: &JobId,
    identity: &IdentityId,
    note: DeviceJobNote,
    now: UnixMs,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let Some(mut row) = records.device_job(job, identity)? else {
        return Ok(Outcome::Affected(0));
    };
    let changed = match note {
        DeviceJobNote::Start => row.start(now),
        DeviceJobNote::Finish(result) => row.finish(result.map(Some), now),
    };
    if changed {
        records.put_device_job(&row)?;
    }
    Ok(Outcome::Affected(changed.into()))
}

fn tend<R: Records + ?Sized>(
    job: &JobId,
    how: JobTending,
    after: Option<&IdentityId>,
    now: UnixMs,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let rows = records.device_jobs(job, after, JOB_ROWS_AT_ONCE)?;
    let is_last = rows.len() < JOB_ROWS_AT_ONCE;
    let last = rows.last().filter(|_| !is_last).map(|row| row.identity.clone());
    let mut changed = 0;
    for mut row in rows {
        let changes = match how {
            JobTending::Cancel => row.cancel(now),
            JobTending::Expire => row.expire(now),
            JobTending::Resume => row.resume(now),
            JobTending::Forget => {
                records.delete_device_job(&row)?;
                changed += 1;
                continue;
            }
        };
        if changes {
            records.put_device_job(&row)?;
            changed += 1;
        }
    }
    Ok(Outcome::JobRows { changed, last })
}
