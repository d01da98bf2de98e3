//! Jobs over many devices: their documents in the system partition, their rows in the partitions of their targets.

mod telling;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use ironhub_cluster::GroupId;
use ironhub_domain::HubError;
use ironhub_domain::document::{Document, DocumentKind};
use ironhub_domain::ids::IdentityId;
use ironhub_domain::job::{
    DeviceJob, Job, JobEvent, JobId, JobRequest, JobStatistics, JobStatus, JobType, TwinJob, admit,
};
use ironhub_domain::method::{MethodAnswer, MethodCall};
use ironhub_domain::partition::{Command, DeviceJobNote, JobCommand, JobTending, Outcome};
use ironhub_domain::query::{Source, Target};
use ironhub_domain::registry::{IfMatch, PutMode};
use ironhub_domain::time::UnixMs;

use super::Router;
use crate::actor::{Directory, NodeFacts};
use crate::partition::reader::hub_error;
use crate::partition::records;

/// How often a change of a job's document is tried that others changed in between: who changes one is its runner and
/// whoever cancels it.
const CHANGES_MAX: usize = 8;

impl Router {
    /// Makes a job; it begins as soon as its time has come and there is room. `JobAlreadyExists`, `TooManyJobs`,
    /// `InvalidArgument` for a condition that is none.
    pub async fn create_job(&self, request: JobRequest) -> Result<Job, HubError> {
        if matches!(target_of(&request.query_condition)?, Source::Jobs) {
            return Err(HubError::InvalidArgument("a job's targets are devices or modules".into()));
        }
        let now = NodeFacts::now();
        for gone in admit(&self.stored_jobs()?, &request.id, now)? {
            self.forget_job(&gone).await?;
        }
        let job = Job { untold: self.new_job_event(), ..Job::new(request, now) };
        let stored = job.to_stored().into();
        self.put_document(DocumentKind::Job, job.id.as_str(), stored, PutMode::Create).await?;
        self.tell_soon(&job).await;
        Ok(job)
    }

    /// A job with its progress as it is now. `JobNotFound`.
    pub fn job(&self, id: &JobId) -> Result<Job, HubError> {
        self.with_progress(self.stored_job(id)?)
    }

    /// All jobs by id, those that have ended included, each with its progress; those for which `wanted` says so.
    pub fn jobs(&self, wanted: impl Fn(&Job) -> bool) -> Result<Vec<Job>, HubError> {
        let jobs = self.stored_jobs()?.into_iter().filter(wanted);
        jobs.map(|job| self.with_progress(job)).collect()
    }

    /// Ends a job: what was not begun with never will be. `JobNotFound`, `JobFinished`.
    pub async fn cancel_job(&self, id: &JobId) -> Result<Job, HubError> {
        let job = self.change_job(id, JobEvent::Cancel).await?;
        self.with_progress(job)
    }

    /// A job without progress. `JobNotFound`.
    pub(crate) fn stored_job(&self, id: &JobId) -> Result<Job, HubError> {
        read(&self.document(DocumentKind::Job, id.as_str())?)
    }

    /// Jobs as their documents have them, without progress.
    pub(crate) fn stored_jobs(&self) -> Result<Vec<Job>, HubError> {
        self.documents(DocumentKind::Job)?.iter().map(read).collect()
    }

    /// Something happens to a job; the job after it. What is to be told of the job before is told first.
    pub(crate) async fn change_job(&self, id: &JobId, event: JobEvent) -> Result<Job, HubError> {
        for _ in 0..CHANGES_MAX {
            let document = self.document(DocumentKind::Job, id.as_str())?;
            let before = read(&document)?;
            let mut after = before.clone().after(event.clone(), NodeFacts::now())?;
            if after == before {
                return Ok(after);
            }
            let is_news = after.status != before.status;
            if is_news && before.untold.is_some() {
                self.tell_job(id).await?;
                continue;
            }
            if is_news {
                after.untold = self.new_job_event();
            }
            let unchanged = PutMode::Update(IfMatch::Tags(vec![document.etag]));
            let stored = after.to_stored().into();
            match self.put_document(DocumentKind::Job, id.as_str(), stored, unchanged).await {
                Ok(_) => {
                    self.tell_soon(&after).await;
                    return Ok(after);
                }
                Err(HubError::PreconditionFailed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(HubError::Busy)
    }

    /// Removes a job, its rows first, so that none is left without its job.
    pub(crate) async fn forget_job(&self, id: &JobId) -> Result<(), HubError> {
        self.tend_job(id, JobTending::Forget).await?;
        match self.delete_document(DocumentKind::Job, id.as_str(), IfMatch::Any).await {
            Ok(()) | Err(HubError::JobNotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What the rows of a job say, over all partitions.
    pub(crate) fn job_statistics(&self, id: &JobId) -> Result<JobStatistics, HubError> {
        let store = self.state.store();
        self.state.directories().iter().try_fold(JobStatistics::default(), |sum, directory| {
            let counts = records::job_counts(store, group(directory), id).map_err(hub_error)?;
            Ok(sum.plus(counts))
        })
    }

    /// Makes identities targets of a job, at most
    /// [`JOB_ROWS_AT_ONCE`](ironhub_domain::limits::JOB_ROWS_AT_ONCE) of them.
    pub(crate) async fn target_job(
        &self,
        job: &JobId,
        job_type: JobType,
        identities: Vec<IdentityId>,
    ) -> Result<(), HubError> {
        let mut of_partition: BTreeMap<GroupId, (&Directory, Vec<IdentityId>)> = BTreeMap::new();
        for identity in identities {
            let directory = self.state.directory(&identity.device);
            let (_, targets) =
                of_partition.entry(group(directory)).or_insert((directory, Vec::new()));
            targets.push(identity);
        }
        for (directory, identities) in of_partition.into_values() {
            let (job, now) = (job.clone(), NodeFacts::now());
            let target = Command::Job(JobCommand::Target { job, job_type, identities, now });
            directory.owner().partition().change(&target).await?;
        }
        Ok(())
    }

    /// What happens to a job as a whole, for all of its rows, chunk by chunk.
    pub(crate) async fn tend_job(&self, job: &JobId, how: JobTending) -> Result<(), HubError> {
        for directory in self.state.directories() {
            let mut after = None;
            loop {
                let (job, now) = (job.clone(), NodeFacts::now());
                let tend = Command::Job(JobCommand::Tend { job, how, after, now });
                match directory.owner().partition().change(&tend).await? {
                    Outcome::JobRows { last: Some(last), .. } => after = Some(last),
                    Outcome::JobRows { last: None, .. } => break,
                    other => return Err(unexpected(&other)),
                }
            }
        }
        Ok(())
    }

    /// At most `max` rows of a job that are not done with, in one of the hub's partitions, behind `after`; and where to go
    /// on behind, if there are more. Reads the disk.
    pub(crate) fn open_of_job(
        &self,
        partition: usize,
        job: &JobId,
        after: Option<&IdentityId>,
        max: usize,
    ) -> Result<(Vec<IdentityId>, Option<IdentityId>), HubError> {
        use std::ops::ControlFlow::{Break, Continue};
        let (mut open, mut last) = (Vec::new(), None);
        let Some(directory) = self.state.directories().get(partition) else {
            return Ok((open, None));
        };
        let group = group(directory);
        records::visit_device_jobs(self.state.store(), group, job, after, &mut |row| {
            if !row.status.is_final() {
                open.push(row.identity);
            }
            if open.len() < max {
                return Continue(());
            }
            last = open.last().cloned();
            Break(())
        })
        .map_err(hub_error)?;
        Ok((open, last))
    }

    /// How many device partitions this node has.
    pub(crate) fn partitions(&self) -> usize {
        self.state.directories().len()
    }

    /// What became of a job on an identity.
    pub fn device_job(
        &self,
        job: &JobId,
        identity: &IdentityId,
    ) -> Result<Option<DeviceJob>, HubError> {
        let group = group(self.state.directory(&identity.device));
        records::device_job(self.state.store(), group, job, identity).map_err(hub_error)
    }

    /// Notes in a job's row what happened; whether that changed it.
    pub(crate) async fn note_device_job(
        &self,
        job: &JobId,
        identity: &IdentityId,
        note: DeviceJobNote,
    ) -> Result<bool, HubError> {
        let (job, now) = (job.clone(), NodeFacts::now());
        let identity = identity.clone();
        let partition = self.state.directory(&identity.device).owner().partition();
        let note = Command::Job(JobCommand::Note { job, identity, note, now });
        match partition.change(&note).await? {
            Outcome::Affected(changed) => Ok(changed > 0),
            other => Err(unexpected(&other)),
        }
    }

    /// Changes the twin of a job's target, if that was not done; what came of it is in the row. A device that was not active
    /// before is not kept so.
    pub(crate) async fn update_twin_of_job(
        &self,
        job: &JobId,
        identity: &IdentityId,
        twin: &TwinJob,
    ) -> Result<(), HubError> {
        let directory = self.state.directory(&identity.device);
        let handle = directory.handle(&identity.device)?;
        let (module, update) = (identity.module.clone(), twin.update.clone());
        let done =
            handle.update_twin_of_job(module, job.clone(), update, twin.precondition()).await;
        drop(handle);
        directory.release(&identity.device);
        done
    }

    /// Calls a method of a job's target. A device that was not active before is not kept so.
    pub(crate) async fn call_method_of_job(
        &self,
        identity: &IdentityId,
        call: MethodCall,
    ) -> Result<MethodAnswer, HubError> {
        let answer = self.invoke_method(identity, call).await;
        self.state.directory(&identity.device).release(&identity.device);
        answer
    }

    /// Whether this node leads the partition of what concerns the hub as a whole.
    pub(crate) fn leads_hub(&self) -> bool {
        self.state.system().is_led()
    }

    /// Whether this node is about to end: sessions go, and what devices do not do then says nothing of them.
    pub(crate) fn is_stopping(&self) -> bool {
        self.facts().stopping.load(Ordering::Relaxed)
    }

    /// Now.
    pub(crate) fn now(&self) -> UnixMs {
        NodeFacts::now()
    }

    /// Rows say more than the document, which is only written when the job's status changes.
    fn with_progress(&self, mut job: Job) -> Result<Job, HubError> {
        if !job.counted {
            return Ok(job);
        }
        let mut counts = self.job_statistics(&job.id)?;
        match job.status {
            // What is still open is on its way to where the job's end puts it.
            JobStatus::Cancelled => counts.pending = 0,
            JobStatus::Completed | JobStatus::Failed => {
                counts.failed += counts.pending + counts.running;
                (counts.pending, counts.running) = (0, 0);
            }
            JobStatus::Enqueued | JobStatus::Scheduled | JobStatus::Queued | JobStatus::Running => {
            }
        }
        job.statistics = counts;
        Ok(job)
    }
}

/// The source of a job's targets, if its condition is one.
fn target_of(condition: &str) -> Result<Source, HubError> {
    Ok(match Target::of_job(condition)? {
        Target::Nothing => Source::Devices,
        Target::All(source) | Target::Where(source, _) => source,
    })
}

fn group(directory: &Directory) -> GroupId {
    directory.owner().partition().group()
}

fn read(document: &Document) -> Result<Job, HubError> {
    Job::from_stored(&document.id, &document.body)
}

fn unexpected(outcome: &Outcome) -> HubError {
    HubError::Internal(format!("unexpected outcome: {outcome:?}"))
}
