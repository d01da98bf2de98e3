//! Carries out imports and exports of the registry (service-protocols.md 2.10), one at a time, on the node that leads the
//! system partition.
//!
//! What was asked for is a document of the hub (`router/transfers.rs`), so a job outlives every node. An export of which
//! nothing is visible before it is finished begins again after a restart; an import goes on behind the lines of which the
//! document says that they are done with. Read next: `import.rs`, `error_log.rs`, `export.rs`.

mod configurations;
mod error_log;
mod export;
mod group_reader;
mod import;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::document::DocumentKind;
use ironhub_domain::job::transfer::{TransferDirection, TransferEvent, TransferJob};
use tokio::sync::watch;

use crate::actor::NodeFacts;
use crate::blob::{BlobError, BlobName, NameError, SasContainer, Storage};
use crate::router::Router;
use error_log::ErrorLog;

/// How long it takes at most to notice a job that another node, or this one before it was restarted, has left.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long to wait before something that the hub refuses just now is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Why a job does not go on.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// This node stops or does not lead any more. The job goes on later, perhaps elsewhere.
    #[error("interrupted")]
    Interrupted,
    /// It cannot be carried out.
    #[error("{0}")]
    Failed(String),
}

impl From<HubError> for Stop {
    fn from(error: HubError) -> Self {
        match error {
            HubError::ShuttingDown => Self::Interrupted,
            error => Self::Failed(error.to_string()),
        }
    }
}

/// What carrying out a job takes.
struct Work {
    router: Router,
    storage: Arc<Storage>,
    /// Where errors gather until the import is finished.
    dir: PathBuf,
}

/// Carries out what is asked for, until dropped. Files of imports under way lie in `dir`.
pub async fn run(router: Router, storage: Arc<Storage>, dir: PathBuf) {
    let mut changed = router.watch_documents(DocumentKind::Transfer);
    let work = Work { router, storage, dir };
    loop {
        changed.borrow_and_update();
        if work.router.leads_system() {
            work.next(&mut changed).await;
        }
        // The sender lives as long as the router.
        let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
    }
}

impl Work {
    async fn next(&self, changed: &mut watch::Receiver<u64>) {
        let job = match self.router.transfers() {
            Ok(jobs) => jobs.into_iter().find(|job| !job.status.is_final()),
            Err(error) => return tracing::error!(%error, "imports and exports cannot be read"),
        };
        let Some(job) = job else { return };
        let id = job.id.as_str().to_owned();
        let outcome = tokio::select! {
            outcome = self.carry_out(&job) => outcome,
            () = self.ended(&id, changed) => {
                tracing::info!(job = %id, "an import or export was cancelled");
                Err(Stop::Failed("it was cancelled".into()))
            }
        };
        if let Err(Stop::Interrupted) = outcome {
            return;
        }
        let concluded = self.conclude(&job).await;
        let event = match outcome.and(concluded) {
            Ok(()) => TransferEvent::Complete,
            Err(stop) => {
                tracing::warn!(job = %id, reason = %stop, "an import or export came to no good end");
                TransferEvent::Fail { reason: stop.to_string() }
            }
        };
        // Of one that was cancelled this changes nothing any more.
        if let Err(error) = self.advance(&id, event).await {
            // The next look carries it out again, from where it was.
            tracing::warn!(job = %id, %error, "the end of an import or export is not noted");
            return;
        }
        if let TransferDirection::Import { .. } = job.request.direction {
            ErrorLog::remove(&self.dir, &id).await;
        }
    }

    async fn carry_out(&self, job: &TransferJob) -> Result<(), Stop> {
        self.advance(job.id.as_str(), TransferEvent::Begin).await?;
        match &job.request.direction {
            TransferDirection::Export { output, blob, without_keys } => {
                let container = self.open("outputBlobContainerUri", output.uri())?;
                export::run(self, job, (&container, blob), *without_keys).await
            }
            TransferDirection::Import { input, blob, output } => {
                let input = self.open("inputBlobContainerUri", input.uri())?;
                let output = self.open("outputBlobContainerUri", output.uri())?;
                import::run(self, job, (&input, blob), &output).await
            }
        }
    }

    /// Brings the errors of an import that ended, however it did, to where they are looked for.
    async fn conclude(&self, job: &TransferJob) -> Result<(), Stop> {
        let TransferDirection::Import { output, .. } = &job.request.direction else {
            return Ok(());
        };
        let failed = self.router.transfer(job.id.as_str())?.failed;
        let container = self.open("outputBlobContainerUri", output.uri())?;
        match ErrorLog::open(&self.dir, job.id.as_str(), failed).await? {
            Some(log) => log.publish(&container).await,
            None => Err(Stop::Failed(format!(
                "{failed} lines came to nothing, and the node that kept their errors is gone"
            ))),
        }
    }

    /// Returns when the job has ended by somebody else's doing.
    async fn ended(&self, id: &str, changed: &mut watch::Receiver<u64>) {
        loop {
            let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
            match self.router.transfer(id) {
                Ok(job) if job.status.is_final() => return,
                Err(HubError::JobNotFound(_)) => return,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// [`Router::advance_transfer`], tried again while the hub has no ear for it.
    async fn advance(&self, id: &str, event: TransferEvent) -> Result<TransferJob, Stop> {
        loop {
            match self.router.advance_transfer(id, event.clone()).await {
                Ok(job) => return Ok(job),
                Err(error) if is_passing(&error) || error == HubError::OutcomeUnknown => {
                    self.wait().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn wait(&self) -> Result<(), Stop> {
        if !self.router.leads_system() {
            return Err(Stop::Interrupted);
        }
        tokio::time::sleep(RETRY_AFTER).await;
        Ok(())
    }

    fn open(&self, member: &str, uri: &str) -> Result<SasContainer, Stop> {
        let opened = self.storage.container(uri, NodeFacts::now());
        opened.map_err(|error| Stop::Failed(format!("{member}: {error}")))
    }
}

/// Whether the same may go well a little later.
fn is_passing(error: &HubError) -> bool {
    matches!(error, HubError::Busy | HubError::NoLeader { .. } | HubError::StorageFull)
}

fn blob_name(name: &str) -> Result<BlobName, Stop> {
    BlobName::new(name.to_owned())
        .map_err(|error: NameError| Stop::Failed(format!("the blob {name:?}: {error}")))
}

fn of_blob(name: &str) -> impl Fn(BlobError) -> Stop + '_ {
    move |error| Stop::Failed(format!("the blob {name:?}: {error}"))
}
