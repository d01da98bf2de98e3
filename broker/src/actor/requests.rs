//! What is asked of a device without a session: by the device over HTTPS, and by services.

use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::c2d::{C2dMessage, Delivery, LockToken, Settlement};
use ironhub_domain::ids::ModuleId;
use ironhub_domain::job::JobId;
use ironhub_domain::method::{MethodAnswer, MethodCall};
use ironhub_domain::registry::{IfMatch, PutModule};
use ironhub_domain::twin::TwinUpdate;
use ironhub_domain::upload::{UploadResult, UploadTicket};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::call::{DeviceAsk, IdentityAsk};
use super::handle::DeviceHandle;
use super::method::Dispatched;
use crate::router::request::{Connected, Credentials, ModuleView, TwinView};

impl DeviceHandle {
    /// Whether the credentials are good for the identity now.
    pub(crate) async fn authenticate(
        &self,
        module: Option<ModuleId>,
        credentials: Credentials,
    ) -> Result<Connected, HubError> {
        self.ask_identity(module, |reply| IdentityAsk::Authenticate { credentials, reply }).await
    }

    /// Locks the oldest free message for one request.
    pub(crate) async fn receive_c2d(
        &self,
        module: Option<ModuleId>,
    ) -> Result<Option<Delivery>, HubError> {
        self.ask_identity(module, |reply| IdentityAsk::ReceiveC2d { reply }).await
    }

    /// Settles a delivery, whoever got it.
    pub(crate) async fn settle_c2d(
        &self,
        module: Option<ModuleId>,
        lock: LockToken,
        how: Settlement,
    ) -> Result<(), HubError> {
        self.ask_identity(module, |reply| IdentityAsk::SettleC2d { lock, how, reply }).await
    }

    /// Announces an upload.
    pub(crate) async fn open_upload(&self, ticket: UploadTicket) -> Result<(), HubError> {
        self.ask_device(|reply| DeviceAsk::OpenUpload { ticket, reply }).await
    }

    /// An open upload.
    pub(crate) async fn upload(&self, correlation_id: String) -> Result<UploadTicket, HubError> {
        self.ask_device(|reply| DeviceAsk::Upload { correlation_id, reply }).await
    }

    /// Finishes an upload.
    pub(crate) async fn close_upload(
        &self,
        correlation_id: String,
        result: UploadResult,
        notify: bool,
    ) -> Result<(), HubError> {
        self.ask_device(|reply| DeviceAsk::CloseUpload { correlation_id, result, notify, reply })
            .await
    }

    /// Puts a message into the queue; its sequence number once it is durable.
    pub(crate) async fn enqueue_c2d(
        &self,
        module: Option<ModuleId>,
        message: C2dMessage,
    ) -> Result<u64, HubError> {
        self.ask_identity(module, |reply| IdentityAsk::EnqueueC2d { message, reply }).await
    }

    /// Empties the queue; how many messages it had.
    pub(crate) async fn purge_c2d(&self, module: Option<ModuleId>) -> Result<u32, HubError> {
        self.ask_identity(module, |reply| IdentityAsk::PurgeC2d { reply }).await
    }

    /// Returns lapsed locks and ends expired messages.
    pub(crate) async fn sweep_c2d(&self, module: Option<ModuleId>) -> Result<(), HubError> {
        self.ask_identity(module, |reply| IdentityAsk::SweepC2d { reply }).await
    }

    /// Makes the record say that the identity is not connected, if it says so and no session is live.
    pub(crate) async fn recall(&self, module: Option<ModuleId>) -> Result<(), HubError> {
        self.ask_identity(module, |reply| IdentityAsk::Recall { reply }).await
    }

    /// The twin, linearizable.
    pub(crate) async fn twin(&self, module: Option<ModuleId>) -> Result<TwinView, HubError> {
        self.ask_identity(module, |reply| IdentityAsk::Twin { reply }).await
    }

    /// Changes tags and desired properties.
    pub(crate) async fn update_twin(
        &self,
        module: Option<ModuleId>,
        update: TwinUpdate,
        if_match: IfMatch,
    ) -> Result<TwinView, HubError> {
        self.ask_identity(module, |reply| IdentityAsk::UpdateTwin { update, if_match, reply }).await
    }

    /// A job changes the twin, if it has not done so; what came of it is in the job's row.
    pub(crate) async fn update_twin_of_job(
        &self,
        module: Option<ModuleId>,
        job: JobId,
        update: TwinUpdate,
        if_match: IfMatch,
    ) -> Result<(), HubError> {
        self.ask_identity(module, |reply| IdentityAsk::UpdateTwinOfJob {
            job,
            update,
            if_match,
            reply,
        })
        .await
    }

    /// Makes the twin what configurations want, and those of a device's modules.
    pub(crate) async fn configure(&self, module: Option<ModuleId>) -> Result<(), HubError> {
        self.ask_identity(module, |reply| IdentityAsk::Configure { reply }).await
    }

    /// Calls a direct method. The two time limits run one after the other (device-protocols.md 7.5); whoever waits keeps
    /// them, so the actor needs no timer: it sees that nobody waits any more.
    pub(crate) async fn invoke_method(
        &self,
        module: Option<ModuleId>,
        call: MethodCall,
    ) -> Result<MethodAnswer, HubError> {
        let (connect, response) = (call.connect_timeout, call.response_timeout);
        let answer = self.dispatched(module, call, connect).await?;
        match timeout(response, answer).await {
            Ok(Ok(answer)) => answer,
            // Its session is gone, and the calls that were under way with it.
            Ok(Err(_)) => Err(HubError::DeviceWentAway),
            Err(_) => Err(HubError::MethodTimeout { waited_seconds: seconds(response) }),
        }
    }

    /// Waits until the call is on its way to the device.
    async fn dispatched(
        &self,
        module: Option<ModuleId>,
        call: MethodCall,
        connect: Duration,
    ) -> Result<Dispatched, HubError> {
        let (reply, mut dispatched) = oneshot::channel();
        let ask = Box::new(IdentityAsk::Invoke { call, reply });
        self.deliver(super::call::Call::Identity { module, ask }).await;
        let answer = match timeout(connect, &mut dispatched).await {
            Ok(answer) => answer.ok(),
            Err(_) => {
                // It may have been sent at this very moment, and then the device runs it.
                dispatched.close();
                match dispatched.try_recv() {
                    Ok(answer) => Some(answer),
                    Err(_) => return Err(HubError::NotOnline { waited_seconds: seconds(connect) }),
                }
            }
        };
        answer.unwrap_or(Err(HubError::ShuttingDown))
    }

    /// A module and its presence.
    pub(crate) async fn module(&self, module: ModuleId) -> Result<ModuleView, HubError> {
        self.ask_identity(Some(module), |reply| IdentityAsk::Module { reply }).await
    }

    /// The modules of the device.
    pub(crate) async fn modules(&self) -> Result<Vec<ModuleView>, HubError> {
        self.ask_device(|reply| DeviceAsk::Modules { reply }).await
    }

    /// Registers a module, or replaces what of its identity can be changed.
    pub(crate) async fn put_module(&self, put: PutModule) -> Result<ModuleView, HubError> {
        self.ask_device(|reply| DeviceAsk::PutModule { put: Box::new(put), reply }).await
    }

    /// Removes a module.
    pub(crate) async fn delete_module(
        &self,
        module: ModuleId,
        if_match: IfMatch,
    ) -> Result<(), HubError> {
        self.ask_identity(Some(module), |reply| IdentityAsk::DeleteModule { if_match, reply }).await
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
