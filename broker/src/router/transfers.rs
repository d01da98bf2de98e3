//! Imports and exports as the hub keeps them: documents of the system partition (service-protocols.md 2.10).

use ironhub_domain::HubError;
use ironhub_domain::document::{Document, DocumentKind};
use ironhub_domain::job::JobId;
use ironhub_domain::job::transfer::{TransferEvent, TransferJob, TransferRequest, admit};
use ironhub_domain::registry::{Found, IfMatch, PutMode, RegistryOperation};
use ironhub_domain::twin::Twin;
use ironhub_domain::uuid::Uuid;

use super::Router;
use crate::actor::NodeFacts;
use crate::partition::reader::hub_error;
use crate::partition::records;

const KIND: DocumentKind = DocumentKind::Transfer;

impl Router {
    /// Makes an import or export; it begins by itself. [`HubError::TooManyJobs`] while another has not ended.
    pub async fn create_transfer(&self, request: TransferRequest) -> Result<TransferJob, HubError> {
        let _one_at_a_time = self.state.transfers().lock().await;
        let now = NodeFacts::now();
        for old in admit(&self.transfers()?, now)? {
            self.delete_document(KIND, old.as_str(), IfMatch::Any).await?;
        }
        let id = Uuid(rand::random()).to_string();
        let job = TransferJob::new(JobId::new(&id)?, request, now);
        self.put_document(KIND, &id, job.to_stored().into(), PutMode::Create).await?;
        Ok(job)
    }

    /// All imports and exports that are remembered, the newest first.
    pub fn transfers(&self) -> Result<Vec<TransferJob>, HubError> {
        let documents = self.documents(KIND)?;
        let mut jobs = documents.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by_key(|job| std::cmp::Reverse(job.created));
        Ok(jobs)
    }

    /// One of them; `JobNotFound`.
    pub fn transfer(&self, id: &str) -> Result<TransferJob, HubError> {
        read(&self.document(KIND, id)?)
    }

    /// Lets something happen to one of them; it is durable then. See [`TransferJob::after`].
    pub async fn advance_transfer(
        &self,
        id: &str,
        event: TransferEvent,
    ) -> Result<TransferJob, HubError> {
        loop {
            let document = self.document(KIND, id)?;
            let before = read(&document)?;
            let after = before.clone().after(event.clone(), NodeFacts::now())?;
            if after == before {
                return Ok(after);
            }
            let mode = PutMode::Update(IfMatch::Tags(vec![document.etag]));
            match self.put_document(KIND, id, after.to_stored().into(), mode).await {
                Ok(_) => return Ok(after),
                // Somebody else was faster: a cancel, most likely.
                Err(HubError::PreconditionFailed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Cancels one of them: it is carried on with no more. `JobNotFound`; `JobFinished`.
    pub async fn cancel_transfer(&self, id: &str) -> Result<TransferJob, HubError> {
        self.advance_transfer(id, TransferEvent::Cancel).await
    }

    /// Whether this node leads the system partition, and so carries out what concerns the hub as a whole.
    pub fn leads_system(&self) -> bool {
        self.state.system().is_led()
    }

    /// Whether the registry is already as the operation wants it.
    pub fn is_so_already(&self, operation: &RegistryOperation) -> Result<bool, HubError> {
        let identity = operation.identity();
        let owner = self.state.directory(&identity.device).owner();
        let (store, group) = (owner.store(), owner.partition().group());
        let device = records::device(store, group, &identity.device).map_err(hub_error)?;
        let module = identity
            .module
            .as_ref()
            .map(|module| records::module(store, group, &identity.device, module))
            .transpose()
            .map_err(hub_error)?
            .flatten();
        let created = match (&identity.module, &module) {
            (None, _) => device.as_ref().map(|device| device.created),
            (Some(_), module) => module.as_ref().map(|module| module.created),
        };
        let twin = match created {
            None => None,
            Some(created) => {
                let twin = records::twin(store, group, &identity).map_err(hub_error)?;
                Some(twin.unwrap_or_else(|| Twin::new(created)))
            }
        };
        let found = Found { device, module, twin };
        let limits = &self.facts().settings.twin_limits;
        Ok(operation.is_so_already(&found, limits, NodeFacts::now()))
    }

    /// Lets go of the actor of an item's device, if nobody uses it: whoever goes through all devices must not leave all of
    /// them in memory.
    pub fn release_device(&self, operation: &RegistryOperation) {
        let device = operation.identity().device;
        self.state.directory(&device).release(&device);
    }
}

fn read(document: &Document) -> Result<TransferJob, HubError> {
    TransferJob::from_stored(&document.id, &document.body)
}
