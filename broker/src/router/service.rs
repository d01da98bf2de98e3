//! What services ask of devices and modules.

use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::auth::Authority;
use ironhub_domain::c2d::C2dMessage;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::method::{MethodAnswer, MethodCall};
use ironhub_domain::partition::{Command, Outcome};
use ironhub_domain::registry::{IfMatch, ModuleRequest, PutMode, PutModule};
use ironhub_domain::twin::TwinUpdate;

use super::request::{ModuleView, TwinView};
use super::{Router, fresh};
use crate::actor::NodeFacts;

impl Router {
    /// Puts a message into the identity's queue; returns its sequence number once it is durable. `QueueFull`,
    /// `InvalidExpiry`, `MessageTooLarge`.
    pub async fn send_c2d(
        &self,
        identity: &IdentityId,
        message: C2dMessage,
    ) -> Result<u64, HubError> {
        self.registered(&identity.device)?.enqueue_c2d(identity.module.clone(), message).await
    }

    /// Removes all messages of the identity's queue; returns how many there were.
    pub async fn purge_c2d(&self, identity: &IdentityId) -> Result<u32, HubError> {
        self.registered(&identity.device)?.purge_c2d(identity.module.clone()).await
    }

    /// The twin with everything its document shows. Linearizable.
    pub async fn twin(&self, identity: &IdentityId) -> Result<TwinView, HubError> {
        self.registered(&identity.device)?.twin(identity.module.clone()).await
    }

    /// Changes tags and desired properties; a connected device is told.
    pub async fn update_twin(
        &self,
        identity: &IdentityId,
        update: TwinUpdate,
        if_match: IfMatch,
    ) -> Result<TwinView, HubError> {
        self.registered(&identity.device)?
            .update_twin(identity.module.clone(), update, if_match)
            .await
    }

    /// Calls a direct method and waits for the answer, within the call's own time limits. `NotOnline`, `DeviceWentAway`,
    /// `MethodTimeout`, `TooManyMethods`.
    pub async fn invoke_method(
        &self,
        identity: &IdentityId,
        call: MethodCall,
    ) -> Result<MethodAnswer, HubError> {
        self.registered(&identity.device)?.invoke_method(identity.module.clone(), call).await
    }

    /// A module and its presence.
    pub async fn module(
        &self,
        device: &DeviceId,
        module: &ModuleId,
    ) -> Result<ModuleView, HubError> {
        self.registered(device)?.module(module.clone()).await
    }

    /// The modules of a device, by id.
    pub async fn modules(&self, device: &DeviceId) -> Result<Vec<ModuleView>, HubError> {
        self.registered(device)?.modules().await
    }

    /// Registers a module, or replaces what of its identity can be changed.
    pub async fn put_module(
        &self,
        mode: PutMode,
        request: ModuleRequest,
    ) -> Result<ModuleView, HubError> {
        let handle = self.registered(&request.device)?;
        let fresh = fresh::fresh(NodeFacts::now());
        handle.put_module(PutModule { mode, request, fresh }).await
    }

    /// Removes a module and closes its session.
    pub async fn delete_module(
        &self,
        device: &DeviceId,
        module: &ModuleId,
        if_match: Option<IfMatch>,
    ) -> Result<(), HubError> {
        self.registered(device)?
            .delete_module(module.clone(), if_match.unwrap_or(IfMatch::Any))
            .await
    }

    /// The certificate authorities that devices may be certified by.
    pub fn authorities(&self) -> Arc<Vec<Authority>> {
        self.facts().authorities.load_full()
    }

    /// Registers a certificate authority or replaces one; its ETag and times are made here. `PreconditionFailed`,
    /// `InvalidArgument`. Sessions of devices that it certifies are not touched.
    pub async fn put_authority(
        &self,
        authority: Authority,
        if_match: Option<IfMatch>,
    ) -> Result<Authority, HubError> {
        let now = NodeFacts::now();
        let etag = fresh::fresh(now).etag;
        let authority = Box::new(Authority { etag, created: now, updated: now, ..authority });
        let precondition = if_match.unwrap_or(IfMatch::Any);
        let put = Command::PutAuthority { authority, precondition };
        let outcome = self.state.system().change(&put).await;
        // Also if the outcome is not known: what is applied counts.
        self.state.refresh_authorities()?;
        match outcome? {
            Outcome::Authority(authority) => Ok(*authority),
            other => Err(HubError::Internal(format!("unexpected outcome: {other:?}"))),
        }
    }

    /// Removes a certificate authority. Whom it has certified stays connected and cannot connect anew.
    pub async fn delete_authority(
        &self,
        name: &str,
        if_match: Option<IfMatch>,
    ) -> Result<(), HubError> {
        let (name, precondition) = (name.to_owned(), if_match.unwrap_or(IfMatch::Any));
        let delete = Command::DeleteAuthority { name, precondition };
        let outcome = self.state.system().change(&delete).await;
        self.state.refresh_authorities()?;
        outcome.map(|_| ())
    }

    /// Largest payload of a direct method, each way, in bytes.
    pub fn method_payload_bytes_max(&self) -> usize {
        self.facts().settings.method_payload_bytes_max
    }
}
