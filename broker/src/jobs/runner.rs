//! Which jobs run: those whose time has come, as many as may run at once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::document::DocumentKind;
use ironhub_domain::job::{Job, JobEvent, JobId, JobStatus, forgotten, to_begin};
use tokio::sync::{mpsc, watch};

use super::work;
use crate::router::Router;

/// How long the runner sleeps when it expects nothing: jobs that have been kept long enough are looked for then.
const IDLE: Duration = Duration::from_secs(60);
/// How long it waits after a round that failed, and while another node leads.
const RETRY: Duration = Duration::from_secs(1);

/// Looks after the hub's jobs until dropped.
pub(crate) async fn run(router: Router) {
    let mut changes = router.watch_documents(DocumentKind::Job);
    let (tell_ended, mut ended) = mpsc::unbounded_channel();
    let mut runner =
        Runner { router, tell_ended, under_way: HashMap::new(), settled: HashSet::new() };
    loop {
        let wait = match runner.round().await {
            Ok(wait) => wait,
            Err(HubError::ShuttingDown) => return,
            Err(error) => {
                tracing::warn!(%error, "jobs could not be looked after");
                RETRY
            }
        };
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            Some(id) = ended.recv() => drop(runner.under_way.remove(&id)),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

struct Runner {
    router: Router,
    /// At most one message for each job that is under way.
    tell_ended: mpsc::UnboundedSender<JobId>,
    /// Jobs with a task, and how to stop it.
    under_way: HashMap<JobId, watch::Sender<bool>>,
    /// Jobs that ended and have no row left that is open.
    settled: HashSet<JobId>,
}

impl Runner {
    /// Does what there is to do now; returns when there may be more.
    async fn round(&mut self) -> Result<Duration, HubError> {
        if self.router.is_stopping() {
            return Err(HubError::ShuttingDown);
        }
        if !self.router.leads_hub() {
            self.under_way.clear();
            self.settled.clear();
            return Ok(RETRY);
        }
        let now = self.router.now();
        let mut jobs = self.router.stored_jobs()?;
        for id in forgotten(&jobs, now) {
            self.router.forget_job(&id).await?;
            jobs.retain(|job| job.id != id);
        }
        self.settled.retain(|id| jobs.iter().any(|job| job.id == *id));
        for id in to_begin(&jobs, now) {
            let begun = self.router.change_job(&id, JobEvent::Begin).await?;
            tracing::info!(job = %id, "a job begins");
            jobs.retain(|job| job.id != id);
            jobs.push(begun);
        }
        for job in &jobs {
            // Of what a node that died did not come to tell.
            if job.untold.is_some() {
                self.router.tell_job(&job.id).await?;
            }
            self.look_after(job).await?;
        }
        let starts = jobs.iter().filter(|job| job.status == JobStatus::Scheduled);
        let next = starts.map(|job| job.start.0.saturating_sub(now.0)).min();
        Ok(next.map_or(IDLE, Duration::from_millis).min(IDLE))
    }

    async fn look_after(&mut self, job: &Job) -> Result<(), HubError> {
        match job.status {
            JobStatus::Enqueued | JobStatus::Queued => {}
            JobStatus::Scheduled if job.is_due(self.router.now()) => {
                self.router.change_job(&job.id, JobEvent::Due).await?;
            }
            JobStatus::Scheduled => {}
            JobStatus::Running if !self.under_way.contains_key(&job.id) => self.start(job),
            JobStatus::Running => {}
            JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => {
                match self.under_way.get(&job.id) {
                    Some(stop) => drop(stop.send(true)),
                    None if !self.settled.contains(&job.id) => {
                        work::settle(&self.router, job).await?;
                        self.settled.insert(job.id.clone());
                    }
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Gives a job a task of its own. It ends by itself; without a runner, too.
    fn start(&mut self, job: &Job) {
        let (stop, stopped) = watch::channel(false);
        self.under_way.insert(job.id.clone(), stop);
        let (router, id, tell_ended) =
            (self.router.clone(), job.id.clone(), self.tell_ended.clone());
        actix_rt::spawn(async move {
            work::carry_out(&router, &id, stopped).await;
            // A runner that is gone needs to know nothing.
            let _ = tell_ended.send(id);
        });
    }
}
