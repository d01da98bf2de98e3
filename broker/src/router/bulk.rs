//! Many identities at once: the items of a bulk request or of an import, and new keys (service-protocols.md 2.3, 2.5).

use std::collections::HashMap;

use futures_util::future::join_all;
use ironhub_domain::HubError;
use ironhub_domain::device::DeviceIdentity;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::partition::{IdentityPut, PutWithTwin};
use ironhub_domain::registry::{
    AuthenticationRequest, DeviceRequest, IfMatch, ImportItem, ItemFault, ModuleRequest, PutDevice,
    PutMode, PutModule, RegenerateRequest, RegistryOperation, RotatedKeys, TwinImport,
};

use super::{Router, fresh};
use crate::actor::NodeFacts;

/// How often new keys are made for an identity that others change meanwhile.
const ROTATE_TRIES: usize = 3;

impl Router {
    /// Carries out the items of one request, all devices at the same time; those of one device, which are it and its
    /// modules, one after the other as they were given. The faults, in the order of the items; each item that has none is
    /// durable. The caller bounds the number of items.
    pub async fn bulk(&self, items: Vec<Result<ImportItem, ItemFault>>) -> Vec<ItemFault> {
        let mut faults = Vec::new();
        let mut devices: HashMap<DeviceId, Vec<(usize, ImportItem)>> = HashMap::new();
        for (at, item) in items.into_iter().enumerate() {
            match item {
                Ok(item) => {
                    let device = item.operation.identity().device;
                    devices.entry(device).or_default().push((at, item));
                }
                Err(fault) => faults.push((at, fault)),
            }
        }
        let carried = join_all(devices.into_iter().map(|(device, items)| async move {
            let mut faults = Vec::new();
            for (at, item) in items {
                let operation = item.operation.clone();
                if let Err(error) = self.carry_out(operation).await {
                    faults.push((at, ItemFault::of(&item, error)));
                }
            }
            // Whoever fills a registry comes back to none of these soon.
            self.state.directory(&device).release(&device);
            faults
        }));
        faults.extend(carried.await.into_iter().flatten());
        faults.sort_by_key(|(at, _)| *at);
        faults.into_iter().map(|(_, fault)| fault).collect()
    }

    /// Carries out one item; it is durable then. An identity and its twin are put together or not at all.
    pub async fn carry_out(&self, operation: RegistryOperation) -> Result<(), HubError> {
        match operation {
            RegistryOperation::PutDevice { mode, request, twin } => {
                request.validate()?;
                let handle = match mode {
                    // What does not exist and must exist costs no actor.
                    PutMode::Update(_) => self.registered(&request.id)?,
                    PutMode::Create | PutMode::CreateOrUpdate(_) => self.writable(&request.id)?,
                };
                let put = PutDevice { mode, request, fresh: fresh::fresh(NodeFacts::now()) };
                match twin {
                    None => handle.put(put).await.map(drop),
                    Some(twin) => {
                        handle.put_with_twin(self.with_twin(IdentityPut::Device(put), twin)).await
                    }
                }
            }
            RegistryOperation::PutModule { mode, request, twin } => {
                let handle = self.registered(&request.device)?;
                let put = PutModule { mode, request, fresh: fresh::fresh(NodeFacts::now()) };
                match twin {
                    None => handle.put_module(put).await.map(drop),
                    Some(twin) => {
                        handle.put_with_twin(self.with_twin(IdentityPut::Module(put), twin)).await
                    }
                }
            }
            RegistryOperation::DeleteDevice { id, precondition } => {
                self.registered(&id)?.delete(precondition).await
            }
            RegistryOperation::DeleteModule { device, module, precondition } => {
                self.delete_module(&device, &module, Some(precondition)).await
            }
            RegistryOperation::UpdateTwin { identity, twin } => {
                let TwinImport { update, precondition, .. } = twin;
                self.update_twin(&identity, update, precondition).await.map(drop)
            }
        }
    }

    fn with_twin(&self, identity: IdentityPut, twin: TwinImport) -> PutWithTwin {
        PutWithTwin { identity, twin, limits: self.facts().settings.twin_limits }
    }

    /// Makes new keys for the identities of one request. The faults are in the order of the request. A session that was
    /// opened with a key that is gone is closed.
    pub async fn regenerate_keys(
        &self,
        request: &RegenerateRequest,
    ) -> (Vec<RotatedKeys>, Vec<ItemFault>) {
        let rotated = request.identities.iter().map(|identity| async move {
            match identity {
                Ok(identity) => self.rotate(identity, request).await.map_err(|error| ItemFault {
                    device: identity.device.to_string(),
                    module: identity.module.as_ref().map(ToString::to_string),
                    mode: None,
                    error,
                }),
                Err(fault) => Err(fault.clone()),
            }
        });
        let (mut done, mut faults) = (Vec::new(), Vec::new());
        for one in join_all(rotated).await {
            match one {
                Ok(keys) => done.push(keys),
                Err(fault) => faults.push(fault),
            }
        }
        (done, faults)
    }

    /// What somebody else changes between the look and the change is not lost: then it is looked at again.
    async fn rotate(
        &self,
        identity: &IdentityId,
        request: &RegenerateRequest,
    ) -> Result<RotatedKeys, HubError> {
        let mut outcome = Err(HubError::Busy);
        for _ in 0..ROTATE_TRIES {
            outcome = self.rotate_once(identity, request).await;
            if !matches!(outcome, Err(HubError::PreconditionFailed { .. })) {
                break;
            }
        }
        outcome
    }

    async fn rotate_once(
        &self,
        identity: &IdentityId,
        request: &RegenerateRequest,
    ) -> Result<RotatedKeys, HubError> {
        let made = fresh::fresh(NodeFacts::now()).keys;
        let keys = match &identity.module {
            None => {
                let current = self.identity(&identity.device).await?.identity;
                let keys = request.policy_key.rotate(&current.authentication, &made)?;
                let etag = IfMatch::Tags(vec![current.etag.clone()]);
                let changed = with_keys(current, AuthenticationRequest::Sas(keys.clone()));
                self.update_identity(changed, etag).await?;
                keys
            }
            Some(module) => {
                let current = self.module(&identity.device, module).await?.identity;
                let keys = request.policy_key.rotate(&current.authentication, &made)?;
                let mode = PutMode::Update(IfMatch::Tags(vec![current.etag]));
                let changed = ModuleRequest {
                    device: current.device,
                    id: current.id,
                    authentication: AuthenticationRequest::Sas(keys.clone()),
                    managed_by: current.managed_by,
                };
                self.put_module(mode, changed).await?;
                keys
            }
        };
        Ok(RotatedKeys { identity: identity.clone(), keys })
    }
}

/// The device as it is, but for how it proves itself.
fn with_keys(device: DeviceIdentity, authentication: AuthenticationRequest) -> DeviceRequest {
    DeviceRequest {
        id: device.id,
        status: device.status,
        status_reason: device.status_reason,
        authentication,
        iot_edge: device.iot_edge,
        device_scope: device.device_scope,
        parent_scopes: device.parent_scopes,
    }
}
