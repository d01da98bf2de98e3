//! Modules of a device (service-protocols.md 2.4).

use crate::HubError;
use crate::device::{DeviceIdentity, ModuleIdentity};
use crate::ids::{DeviceId, ModuleId};
use crate::limits::{MANAGED_BY_CHARS_MAX, MODULES_MAX};
use crate::registry::PutMode;
use crate::registry::create::authentication;
use crate::registry::request::{AuthenticationRequest, Fresh};

/// The fields of a module that a client may set. A put replaces them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRequest {
    /// Of which device.
    pub device: DeviceId,
    /// Which module.
    pub id: ModuleId,
    /// `authentication`
    pub authentication: AuthenticationRequest,
    /// `managedBy`
    pub managed_by: Option<String>,
}

/// A put of one module, with all that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutModule {
    /// When it may happen.
    pub mode: PutMode,
    /// What is asked for.
    pub request: ModuleRequest,
    /// What may be needed and must be random.
    pub fresh: Fresh,
}

impl ModuleRequest {
    /// Whether the fields keep their rules.
    pub fn validate(&self) -> Result<(), HubError> {
        let managed_by = self.managed_by.as_deref().unwrap_or_default();
        if managed_by.chars().count() > MANAGED_BY_CHARS_MAX {
            return Err(HubError::InvalidArgument(format!(
                "managedBy has more than {MANAGED_BY_CHARS_MAX} characters"
            )));
        }
        self.authentication.validate()
    }
}

/// The module after a put, or why it stays as it is: 404 without its device, or of a module that is to be updated and is
/// not there; 409 for one that is to be created and is there; 412 for another ETag. `modules` are all of the device, which
/// may have [`MODULES_MAX`].
pub fn put_module(
    device: Option<&DeviceIdentity>,
    modules: &[ModuleIdentity],
    put: &PutModule,
) -> Result<ModuleIdentity, HubError> {
    let PutModule { mode, request, fresh } = put;
    request.validate()?;
    if device.is_none() {
        return Err(HubError::DeviceNotFound(request.device.as_str().to_owned()));
    }
    let existing = modules.iter().find(|module| module.id == request.id);
    match (mode, existing) {
        (PutMode::Create, Some(_)) => {
            Err(HubError::ModuleAlreadyExists(module_name(&request.device, &request.id)))
        }
        (PutMode::Update(_), None) => {
            Err(HubError::ModuleNotFound(module_name(&request.device, &request.id)))
        }
        (PutMode::Create | PutMode::CreateOrUpdate(_), None) if modules.len() >= MODULES_MAX => {
            Err(HubError::TooManyModules { max: MODULES_MAX })
        }
        (PutMode::Create | PutMode::CreateOrUpdate(_), None) => Ok(ModuleIdentity {
            device: request.device.clone(),
            id: request.id.clone(),
            generation: fresh.generation.clone(),
            etag: fresh.etag.clone(),
            authentication: authentication(None, &request.authentication, &fresh.keys),
            managed_by: request.managed_by.clone(),
            created: fresh.now,
        }),
        (PutMode::Update(precondition) | PutMode::CreateOrUpdate(precondition), Some(existing)) => {
            precondition.check_tag(&existing.etag)?;
            let current = Some(&existing.authentication);
            Ok(ModuleIdentity {
                etag: fresh.etag.clone(),
                authentication: authentication(current, &request.authentication, &fresh.keys),
                managed_by: request.managed_by.clone(),
                ..existing.clone()
            })
        }
    }
}

/// As errors name a module.
pub fn module_name(device: &DeviceId, module: &ModuleId) -> String {
    format!("{device}/{module}")
}
