//! One job, from its targets to its end.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join_all, ready};
use futures_util::{StreamExt, stream};
use ironhub_domain::HubError;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::job::{DeviceJobError, Job, JobAction, JobEvent, JobId, JobStatus};
use ironhub_domain::limits::JOB_ROWS_AT_ONCE;
use ironhub_domain::method::MethodCall;
use ironhub_domain::partition::{DeviceJobNote, JobTending};
use ironhub_domain::query::Target;
use tokio::sync::watch;

use crate::router::Router;

/// Twins that one job changes at a time, over all partitions: enough to fill a log write.
const TWINS_UNDER_WAY_MAX: usize = 256;
/// Methods that one job calls at a time: most of the time is the devices'.
const METHODS_UNDER_WAY_MAX: usize = 1024;
/// How long a job waits before it comes back to targets that the hub had no room for.
const RETRY: Duration = Duration::from_secs(1);
/// How often the end of a method is noted that the partition did not take. After that its outcome counts as unknown.
const NOTES_MAX: u32 = 10;

/// Carries a job out, from wherever it is. Ends when the job has; and, leaving it as it is, when the node stops.
pub(super) async fn carry_out(router: &Router, id: &JobId, stopped: watch::Receiver<bool>) {
    loop {
        match attempt(router, id, &stopped).await {
            Ok(()) | Err(HubError::ShuttingDown | HubError::JobNotFound(_)) => return,
            Err(error) => {
                tracing::warn!(job = %id, %error, "a job is held up");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn attempt(
    router: &Router,
    id: &JobId,
    stopped: &watch::Receiver<bool>,
) -> Result<(), HubError> {
    let job = router.stored_job(id)?;
    let Some(deadline) = job.deadline() else { return settle(router, &job).await };
    let left = Duration::from_millis(deadline.0.saturating_sub(router.now().0));
    let mut work = pin!(work(router, &job, stopped));
    let mut stop = stopped.clone();
    tokio::select! {
        done = &mut work => done?,
        () = told(&mut stop) => {
            // What is under way comes to its end.
            let (tended, done) = tokio::join!(router.tend_job(id, JobTending::Cancel), work);
            return tended.and(done);
        }
        () = tokio::time::sleep(left) => {
            router.change_job(id, JobEvent::Deadline).await?;
            return router.tend_job(id, JobTending::Expire).await;
        }
    }
    let statistics = router.job_statistics(id)?;
    let job = router.change_job(id, JobEvent::Recount(statistics)).await?;
    tracing::info!(job = %id, status = job.status.as_str(), targets = statistics.devices, "a job has ended");
    Ok(())
}

/// Resolves when the job is to stop; never if nobody is left to say so. Gives nothing of the channel away: what holds its
/// value while it waits keeps the runner from saying more, and the runner has a thread with others.
async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends the rows that a job which has ended left open.
pub(super) async fn settle(router: &Router, job: &Job) -> Result<(), HubError> {
    let counts = router.job_statistics(&job.id)?;
    if counts.pending + counts.running == 0 {
        return Ok(());
    }
    match job.status {
        JobStatus::Cancelled => {
            router.tend_job(&job.id, JobTending::Resume).await?;
            router.tend_job(&job.id, JobTending::Cancel).await
        }
        JobStatus::Completed | JobStatus::Failed => {
            router.tend_job(&job.id, JobTending::Expire).await
        }
        JobStatus::Enqueued | JobStatus::Scheduled | JobStatus::Queued | JobStatus::Running => {
            Ok(())
        }
    }
}

/// Finds the targets, then goes through them until none is open, or until it is told to stop.
async fn work(router: &Router, job: &Job, stopped: &watch::Receiver<bool>) -> Result<(), HubError> {
    let id = &job.id;
    if !job.counted {
        find_targets(router, job, stopped).await?;
        if *stopped.borrow() {
            return Ok(());
        }
        let devices = router.job_statistics(id)?.devices;
        router.change_job(id, JobEvent::Targets { devices }).await?;
    }
    loop {
        let counts = router.job_statistics(id)?;
        if counts.pending + counts.running == 0 || *stopped.borrow() {
            return Ok(());
        }
        if counts.running > 0 {
            // None is under way between two passes: these were lost.
            router.tend_job(id, JobTending::Resume).await?;
        }
        let partitions = router.partitions();
        join_all((0..partitions).map(|partition| pass(router, job, partition, stopped))).await;
        if router.is_stopping() {
            return Err(HubError::ShuttingDown);
        }
        let after = router.job_statistics(id)?;
        if after.pending + after.running > 0 && !*stopped.borrow() {
            tokio::time::sleep(RETRY).await;
        }
    }
}

async fn find_targets(
    router: &Router,
    job: &Job,
    stopped: &watch::Receiver<bool>,
) -> Result<(), HubError> {
    let target = match Target::of_job(&job.query_condition) {
        Ok(target) => target,
        // It was read when the job was made, by a hub that knew another language.
        Err(error) => {
            let reason = error.to_string();
            return router.change_job(&job.id, JobEvent::Fail { reason }).await.map(|_| ());
        }
    };
    let mut at = None;
    loop {
        let (found, next) = router.queries().targets(&target, at, JOB_ROWS_AT_ONCE).await?;
        router.target_job(&job.id, job.action.job_type(), found).await?;
        at = next;
        if at.is_none() || *stopped.borrow() {
            return Ok(());
        }
    }
}

/// Goes once through the open rows of one partition.
async fn pass(router: &Router, job: &Job, partition: usize, stopped: &watch::Receiver<bool>) {
    let at_once = match &job.action {
        JobAction::UpdateTwin(_) => TWINS_UNDER_WAY_MAX,
        JobAction::DeviceMethod(_) => METHODS_UNDER_WAY_MAX,
    };
    let at_once = (at_once / router.partitions().max(1)).max(1);
    let chunks = stream::unfold(Some(None), |at| async move {
        let after = at?;
        let (rows, next) = match open_rows(router, partition, &job.id, after).await {
            Ok(chunk) => chunk,
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "a job's targets cannot be read");
                return None;
            }
        };
        Some((stream::iter(rows), next.map(Some)))
    });
    chunks
        .flatten()
        .take_while(|_| ready(!*stopped.borrow() && !router.is_stopping()))
        .for_each_concurrent(at_once, |identity| async move {
            let done = match &job.action {
                JobAction::UpdateTwin(twin) => {
                    router.update_twin_of_job(&job.id, &identity, twin).await
                }
                JobAction::DeviceMethod(call) => {
                    call_method(router, &job.id, &identity, call).await
                }
            };
            if let Err(error) = done {
                // The row stays open, and the next pass comes back to it.
                tracing::debug!(job = %job.id, %identity, %error, "a job's target has to wait");
            }
        })
        .await;
}

async fn open_rows(
    router: &Router,
    partition: usize,
    id: &JobId,
    after: Option<IdentityId>,
) -> Result<(Vec<IdentityId>, Option<IdentityId>), HubError> {
    let (router, id) = (router.clone(), id.clone());
    let read = move || router.open_of_job(partition, &id, after.as_ref(), JOB_ROWS_AT_ONCE);
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| HubError::Internal(error.to_string()))?
}

/// The row says that the call is under way before the device hears of it, so it is never called twice.
async fn call_method(
    router: &Router,
    id: &JobId,
    identity: &IdentityId,
    call: &MethodCall,
) -> Result<(), HubError> {
    if !router.note_device_job(id, identity, DeviceJobNote::Start).await? {
        return Ok(());
    }
    let answer = router.call_method_of_job(identity, call.clone()).await;
    if answer.is_err() && router.is_stopping() {
        // That is the hub's doing: the row stays as it is, and after the restart its outcome is unknown.
        return Err(HubError::ShuttingDown);
    }
    let end = DeviceJobNote::Finish(answer.map_err(|error| DeviceJobError::new(&error)));
    for _ in 1..NOTES_MAX {
        match router.note_device_job(id, identity, end.clone()).await {
            Ok(_) => return Ok(()),
            Err(HubError::ShuttingDown) => break,
            Err(_) => tokio::time::sleep(RETRY / 4).await,
        }
    }
    router.note_device_job(id, identity, end).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_was_told_to_stop_holds_nothing_that_the_runner_waits_for() {
        let (stop, stopped) = watch::channel(false);
        let mut stopped = stopped.clone();
        stop.send_replace(true);
        let said_again = async { stop.send_replace(true) };
        tokio::select! {
            () = told(&mut stopped) => assert!(said_again.await),
        }
        drop(stop);
        let (stop, mut stopped) = watch::channel(false);
        drop(stop);
        assert!(told(&mut stopped).now_or_never().is_none(), "a runner that is gone told nothing");
    }
}
