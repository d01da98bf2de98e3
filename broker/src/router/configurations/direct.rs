//! A content for one device and its modules, written at once and not kept applied (service-protocols.md 2.11).

use ironhub_domain::HubError;
use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::configuration::DirectContent;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::registry::{AuthenticationRequest, IfMatch, ModuleRequest, PutMode};
use ironhub_domain::twin::{SectionChange, TwinUpdate};

use super::Router;

impl Router {
    /// Writes the content into the twins of a device and its modules; those that are connected are told. Modules that an edge
    /// device does not have are created, so that it can be set up by its first content; of any other device they must be
    /// there: `ModuleNotFound`, before anything is changed.
    pub async fn apply_configuration_content(
        &self,
        device: &DeviceId,
        content: DirectContent,
    ) -> Result<(), HubError> {
        let view = self.identity(device).await?;
        let known: Vec<_> =
            self.modules(device).await?.into_iter().map(|module| module.identity.id).collect();
        let missing: Vec<ModuleId> =
            content.modules.keys().filter(|id| !known.contains(id)).cloned().collect();
        for id in missing {
            if !view.identity.iot_edge {
                return Err(HubError::ModuleNotFound(format!("{device}/{id}")));
            }
            self.create_edge_module(device, id).await?;
        }
        if let Some(change) = content.device {
            self.write_desired(IdentityId::device(device.clone()), change).await?;
        }
        for (module, change) in content.modules {
            let identity = IdentityId { device: device.clone(), module: Some(module) };
            self.write_desired(identity, change).await?;
        }
        Ok(())
    }

    async fn create_edge_module(&self, device: &DeviceId, id: ModuleId) -> Result<(), HubError> {
        let request = ModuleRequest {
            device: device.clone(),
            id,
            authentication: AuthenticationRequest::Sas(SymmetricKeys::default()),
            managed_by: Some("IotEdge".into()),
        };
        match self.put_module(PutMode::Create, request).await {
            Ok(_) | Err(HubError::ModuleAlreadyExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn write_desired(
        &self,
        identity: IdentityId,
        change: SectionChange,
    ) -> Result<(), HubError> {
        let update = TwinUpdate { tags: None, desired: Some(change) };
        self.update_twin(&identity, update, IfMatch::Any).await.map(|_| ())
    }
}
