//! One item, read.
//!
//! Unknown members are passed over, null is as good as absent, and the case of names does not matter, as it does not to
//! the original's reader.

use serde_json::Value;

use super::{ImportMode, ItemFault, RegistryOperation, TwinImport};
use crate::HubError;
use crate::auth::SymmetricKeys;
use crate::device::{DeviceStatus, Thumbprints};
use crate::ids::{DeviceId, IdentityId, ModuleId};
use crate::limits::IMPORT_LINE_BYTES_MAX;
use crate::registry::{AuthenticationRequest, DeviceRequest, IfMatch, ModuleRequest, PutMode};
use crate::twin::parse::{read, take_reported};
use crate::twin::{Object, SectionChange, TwinUpdate};

/// An item that is good.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportItem {
    /// `importMode`
    pub mode: ImportMode,
    /// What it asks for.
    pub operation: RegistryOperation,
}

impl ImportItem {
    /// Reads and checks one item: a JSON object of at most [`IMPORT_LINE_BYTES_MAX`]. A fault names the identity as far
    /// as the item does.
    pub fn parse(json: &[u8]) -> Result<Self, ItemFault> {
        let mut object =
            read(json, IMPORT_LINE_BYTES_MAX).map_err(|error| ItemFault::unread(json, &error))?;
        let named = |name: &str| text(&object, name).ok().flatten();
        let mut fault = ItemFault {
            device: named("id").unwrap_or_default(),
            module: named("moduleId"),
            mode: None,
            error: HubError::Malformed(String::new()),
        };
        mode(&object)
            .and_then(|mode| {
                fault.mode = Some(mode);
                Ok(Self { mode, operation: operation(&mut object, mode)? })
            })
            .map_err(|error| ItemFault { error, ..fault })
    }
}

fn mode(object: &Object) -> Result<ImportMode, HubError> {
    match text(object, "importMode")? {
        None => Ok(ImportMode::default()),
        Some(word) => ImportMode::parse(&word)
            .ok_or_else(|| malformed(format!("importMode {:?} is unknown", shown(&word)))),
    }
}

fn operation(object: &mut Object, mode: ImportMode) -> Result<RegistryOperation, HubError> {
    let identity = identity(object)?;
    let tag = |name: &str| {
        let tag = text(object, name)?.filter(|tag| !tag.is_empty());
        Ok::<_, HubError>(tag.map(|tag| IfMatch::parse(&tag)))
    };
    let needed = |name: &str, tag: Option<IfMatch>| {
        let missing = || wrong(format!("{} needs an {name}", mode.as_str()));
        tag.ok_or_else(missing)
    };
    let (etag, twin_etag) = (tag("eTag")?, tag("twinETag")?);
    let any_twin = IfMatch::Any;
    match mode {
        ImportMode::Create => put(object, identity, PutMode::Create, any_twin),
        ImportMode::Update => put(object, identity, PutMode::Update(IfMatch::Any), any_twin),
        ImportMode::CreateOrUpdate => {
            put(object, identity, PutMode::CreateOrUpdate(IfMatch::Any), any_twin)
        }
        ImportMode::UpdateIfMatch => {
            let mode = PutMode::Update(needed("eTag", etag)?);
            put(object, identity, mode, twin_etag.unwrap_or(any_twin))
        }
        // Without an ETag it may create, and matches nothing that exists.
        ImportMode::CreateOrUpdateIfMatch => {
            let mode = PutMode::CreateOrUpdate(etag.unwrap_or(IfMatch::Tags(Vec::new())));
            put(object, identity, mode, twin_etag.unwrap_or(any_twin))
        }
        ImportMode::Delete => Ok(delete(identity, IfMatch::Any)),
        ImportMode::DeleteIfMatch => Ok(delete(identity, needed("eTag", etag)?)),
        ImportMode::UpdateTwin => update_twin(object, identity, IfMatch::Any),
        ImportMode::UpdateTwinIfMatch => {
            let tag = needed("twinETag", twin_etag.or(etag))?;
            update_twin(object, identity, tag)
        }
    }
}

fn identity(object: &Object) -> Result<IdentityId, HubError> {
    let device = text(object, "id")?.ok_or_else(|| malformed("id is missing".into()))?;
    let device = DeviceId::new(&device)?;
    Ok(match text(object, "moduleId")?.filter(|module| !module.is_empty()) {
        Some(module) => IdentityId::module(device, ModuleId::new(&module)?),
        None => device.into(),
    })
}

fn put(
    object: &mut Object,
    identity: IdentityId,
    mode: PutMode,
    twin_precondition: IfMatch,
) -> Result<RegistryOperation, HubError> {
    let authentication = authentication(member(object, "authentication"))?;
    let twin = twin(object, SectionChange::Replace, twin_precondition)?;
    let Some(module) = identity.module else {
        let request = device(object, identity.device, authentication)?;
        request.validate()?;
        return Ok(RegistryOperation::PutDevice { mode, request, twin });
    };
    let managed_by = text(object, "managedBy")?;
    let request = ModuleRequest { device: identity.device, id: module, authentication, managed_by };
    request.validate()?;
    Ok(RegistryOperation::PutModule { mode, request, twin })
}

fn device(
    object: &Object,
    id: DeviceId,
    authentication: AuthenticationRequest,
) -> Result<DeviceRequest, HubError> {
    let status = match text(object, "status")? {
        None => DeviceStatus::default(),
        Some(word) => DeviceStatus::parse(&word).ok_or_else(|| {
            malformed(format!("status {:?} is neither enabled nor disabled", shown(&word)))
        })?,
    };
    let iot_edge = match inner(object, "capabilities")?.and_then(|c| member(c, "iotEdge")) {
        None => false,
        Some(Value::Bool(edge)) => *edge,
        Some(_) => return Err(malformed("capabilities.iotEdge is neither true nor false".into())),
    };
    let parent_scopes = match member(object, "parentScopes") {
        None => Some(Vec::new()),
        Some(Value::Array(scopes)) => {
            scopes.iter().map(|scope| scope.as_str().map(str::to_owned)).collect()
        }
        Some(_) => None,
    };
    Ok(DeviceRequest {
        id,
        status,
        status_reason: text(object, "statusReason")?,
        authentication,
        iot_edge,
        device_scope: text(object, "deviceScope")?,
        parent_scopes: parent_scopes
            .ok_or_else(|| malformed("parentScopes is no list of texts".into()))?,
    })
}

/// As in the registry's own JSON; older files call `x509Thumbprint` just `thumbprint`.
fn authentication(value: Option<&Value>) -> Result<AuthenticationRequest, HubError> {
    let Some(value) = value else {
        return Ok(AuthenticationRequest::default());
    };
    let Value::Object(object) = value else {
        return Err(malformed("authentication is not an object".into()));
    };
    let part = |outer: &str, name: &str| match inner(object, outer)? {
        Some(part) => text(part, name),
        None => Ok(None),
    };
    let keys = SymmetricKeys {
        primary: part("symmetricKey", "primaryKey")?.unwrap_or_default(),
        secondary: part("symmetricKey", "secondaryKey")?.unwrap_or_default(),
    };
    let thumbprint = |name: &str| {
        let given = match part("x509Thumbprint", name)? {
            None => part("thumbprint", name)?,
            given => given,
        };
        Ok::<_, HubError>(given.filter(|text| !text.is_empty()))
    };
    let thumbprints = Thumbprints {
        primary: thumbprint("primaryThumbprint")?,
        secondary: thumbprint("secondaryThumbprint")?,
    };
    let Some(kind) = text(object, "type")? else {
        return Ok(match thumbprints == Thumbprints::default() {
            true => AuthenticationRequest::Sas(keys),
            false => AuthenticationRequest::SelfSigned(thumbprints),
        });
    };
    match kind.to_ascii_lowercase().as_str() {
        "sas" => Ok(AuthenticationRequest::Sas(keys)),
        "selfsigned" => Ok(AuthenticationRequest::SelfSigned(thumbprints)),
        "certificateauthority" => Ok(AuthenticationRequest::CertificateAuthority),
        "none" => Ok(AuthenticationRequest::None),
        _ => Err(malformed(format!("authentication.type {:?} is unknown", shown(&kind)))),
    }
}

fn twin(
    object: &mut Object,
    change: fn(Object) -> SectionChange,
    precondition: IfMatch,
) -> Result<Option<TwinImport>, HubError> {
    let update = TwinUpdate::take(object, change)?;
    let reported = take_reported(object)?;
    let has_any = reported.is_some() || update != TwinUpdate::default();
    Ok(has_any.then_some(TwinImport { update, precondition, reported }))
}

/// Services do not write what devices report: `reported` is passed over.
fn update_twin(
    object: &mut Object,
    identity: IdentityId,
    precondition: IfMatch,
) -> Result<RegistryOperation, HubError> {
    let update = TwinUpdate::take(object, SectionChange::Patch)?;
    if update == TwinUpdate::default() {
        return Err(wrong("there are neither tags nor properties.desired".into()));
    }
    let twin = TwinImport { update, precondition, reported: None };
    Ok(RegistryOperation::UpdateTwin { identity, twin })
}

fn delete(identity: IdentityId, precondition: IfMatch) -> RegistryOperation {
    let IdentityId { device, module } = identity;
    match module {
        Some(module) => RegistryOperation::DeleteModule { device, module, precondition },
        None => RegistryOperation::DeleteDevice { id: device, precondition },
    }
}

fn member<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object
        .get(name)
        .or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v))
        .filter(|value| !value.is_null())
}

fn inner<'a>(object: &'a Object, name: &str) -> Result<Option<&'a Object>, HubError> {
    match member(object, name) {
        None => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(malformed(format!("{name} is not an object"))),
    }
}

fn text(object: &Object, name: &str) -> Result<Option<String>, HubError> {
    match member(object, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(format!("{name} is no text"))),
    }
}

/// Of a word that is far too long nobody needs to see more.
fn shown(word: &str) -> String {
    word.chars().take(64).collect()
}

fn malformed(why: String) -> HubError {
    HubError::Malformed(why)
}

fn wrong(why: String) -> HubError {
    HubError::InvalidArgument(why)
}
