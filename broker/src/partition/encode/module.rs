//! Modules and their changes.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::device::ModuleIdentity;
use ironhub_domain::ids::{DeviceId, ModuleId};
use ironhub_domain::registry::{Fresh, ModuleRequest, PutModule};
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use prost::Message;

use super::command::{mode_from_proto, mode_to_proto, read};
use super::damaged;
use super::device::{
    authentication_from_proto, authentication_to_proto, keys_from_proto, keys_to_proto,
    request_from_proto, request_to_proto,
};

pub(crate) fn encode(module: &ModuleIdentity) -> Vec<u8> {
    proto::ModuleRecord {
        device_id: module.device.as_str().to_owned(),
        module_id: module.id.as_str().to_owned(),
        generation: module.generation.clone(),
        etag: module.etag.clone(),
        authentication: Some(authentication_to_proto(&module.authentication)),
        managed_by: module.managed_by.clone(),
        created_ms: module.created.0,
    }
    .encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<ModuleIdentity, StorageError> {
    let record = proto::ModuleRecord::decode(bytes).map_err(|error| damaged("module", error))?;
    Ok(ModuleIdentity {
        device: DeviceId::new(&record.device_id).map_err(|error| damaged("module", error))?,
        id: ModuleId::new(&record.module_id).map_err(|error| damaged("module", error))?,
        generation: record.generation,
        etag: record.etag,
        authentication: authentication_from_proto(record.authentication)
            .ok_or_else(|| damaged("module", "no authentication"))?,
        managed_by: record.managed_by,
        created: UnixMs(record.created_ms),
    })
}

pub(super) fn encode_put(put: &PutModule) -> Vec<u8> {
    put_to_proto(put).encode_to_vec()
}

pub(super) fn put_to_proto(put: &PutModule) -> proto::PutModuleCommand {
    let PutModule { mode, request, fresh } = put;
    let (mode, if_match) = mode_to_proto(mode);
    proto::PutModuleCommand {
        mode: mode.into(),
        if_match,
        device_id: request.device.as_str().to_owned(),
        module_id: request.id.as_str().to_owned(),
        authentication: Some(request_to_proto(&request.authentication)),
        managed_by: request.managed_by.clone(),
        fresh_generation: fresh.generation.clone(),
        fresh_etag: fresh.etag.clone(),
        fresh_keys: Some(keys_to_proto(&fresh.keys)),
        now_ms: fresh.now.0,
    }
}

pub(super) fn decode_put(message: &[u8]) -> Result<PutModule, HubError> {
    put_from_proto(read(message)?)
}

pub(super) fn put_from_proto(message: proto::PutModuleCommand) -> Result<PutModule, HubError> {
    Ok(PutModule {
        mode: mode_from_proto(message.mode(), message.if_match.clone())?,
        request: ModuleRequest {
            device: DeviceId::new(&message.device_id)?,
            id: ModuleId::new(&message.module_id)?,
            authentication: request_from_proto(message.authentication)?,
            managed_by: message.managed_by,
        },
        fresh: Fresh {
            generation: message.fresh_generation,
            etag: message.fresh_etag,
            keys: keys_from_proto(message.fresh_keys.unwrap_or_default()),
            now: UnixMs(message.now_ms),
        },
    })
}
