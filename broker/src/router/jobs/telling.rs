//! Events that tell of the status of jobs.
//!
//! A job is a document of the system partition, its events are in the partition that its id leads to, so no one command can
//! store both. Instead the document says, in the command that changes the status, that the event is to be stored
//! ([`Job::untold`]), and says so until it is; a node that dies in between stores it after the restart, before anything else
//! happens to the job. An event can so be there twice, with one correlation id, and is never missing.

use ironhub_domain::HubError;
use ironhub_domain::document::DocumentKind;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::job::{Job, JobId};
use ironhub_domain::registry::{IfMatch, PutMode};

use super::{CHANGES_MAX, Router, read};

impl Router {
    /// The correlation id of the event that is to tell of a job, if a route wants it.
    pub(super) fn new_job_event(&self) -> Option<String> {
        let owner = self.state.directories()[0].owner();
        owner.tells_jobs().then(|| format!("{:032x}", rand::random::<u128>()))
    }

    /// Tells of a job now; if that cannot be, it is told before anything else happens to the job.
    pub(super) async fn tell_soon(&self, job: &Job) {
        if job.untold.is_none() {
            return;
        }
        if let Err(error) = self.tell_job(&job.id).await {
            tracing::warn!(job = %job.id, %error, "a job's status is not told yet");
        }
    }

    /// Tells of a job if that is still to be done. `JobNotFound`.
    pub(crate) async fn tell_job(&self, id: &JobId) -> Result<(), HubError> {
        let _one_at_a_time = self.state.telling().await;
        for _ in 0..CHANGES_MAX {
            let document = self.document(DocumentKind::Job, id.as_str())?;
            let job = read(&document)?;
            let Some(correlation_id) = &job.untold else { return Ok(()) };
            // A job's id keeps the rules of a device's.
            let device = DeviceId::new(id.as_str())?;
            let owner = self.state.directory(&device).owner();
            owner.tell_job(&IdentityId::device(device), &job, correlation_id).await?;
            let unchanged = PutMode::Update(IfMatch::Tags(vec![document.etag]));
            let told = Job { untold: None, ..job }.to_stored().into();
            match self.put_document(DocumentKind::Job, id.as_str(), told, unchanged).await {
                // What changed is no status, so it is the same event.
                Err(HubError::PreconditionFailed { .. }) => {}
                other => return other.map(drop),
            }
        }
        Err(HubError::Busy)
    }
}
