//! What services ask of devices and modules.

use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::auth::Authority;
use ironhub_domain::c2d::C2dMessage;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::method::{MethodAnswer, MethodCall};
use ironhub_domain::registry::{IfMatch, ModuleRequest, PutModule, PutMode};
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
}
