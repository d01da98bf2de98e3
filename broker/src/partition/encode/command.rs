//! Commands of the replicated log: one byte says which, the rest is its message.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::ids::{DeviceId, ModuleId};
use ironhub_domain::partition::{Command, Stream, TrimMark};
use ironhub_domain::registry::{DeviceRequest, Fresh, IfMatch, PutDevice, PutMode};
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use prost::Message;

use super::device::{
    keys_from_proto, keys_to_proto, request_from_proto, request_to_proto, status_from_proto,
};
use super::{
    authority, begun, c2d, document, hub, identity, job, module, notice, presence, put_with_twin,
    twin,
};

/// The first byte of a command. A number is never given another meaning. Reserved: 0x20.. twins, 0x30.. C2D,
/// 0x40.. modules, 0x50.. jobs.
pub(crate) mod kind {
    /// A batch of events for the built-in endpoint; see `commands::append_events`.
    pub(crate) const APPEND_EVENTS: u8 = 0x01;
    pub(crate) const TRIM_EVENTS: u8 = 0x02;
    /// A change and the events that tell of it, or events for several logs; see `commands::bundle`.
    pub(crate) const BUNDLE: u8 = 0x03;
    pub(crate) const FORGET_STREAM: u8 = 0x04;
    pub(crate) const MOVE_CURSOR: u8 = 0x05;
    pub(crate) const PUT_DEVICE: u8 = 0x08;
    pub(crate) const DELETE_DEVICE: u8 = 0x09;
    pub(crate) const PUT_HUB: u8 = 0x10;
    pub(crate) const PUT_POLICIES: u8 = 0x11;
    pub(crate) const PUT_CONSUMER_GROUP: u8 = 0x12;
    pub(crate) const DELETE_CONSUMER_GROUP: u8 = 0x13;
    pub(crate) const PUT_AUTHORITY: u8 = 0x14;
    pub(crate) const DELETE_AUTHORITY: u8 = 0x15;
    pub(crate) const PUT_POLICY: u8 = 0x16;
    pub(crate) const DELETE_POLICY: u8 = 0x17;
    pub(crate) const PUT_DOCUMENT: u8 = 0x18;
    pub(crate) const DELETE_DOCUMENT: u8 = 0x19;
    pub(crate) const SET_INDEXED_TAGS: u8 = 0x1a;
    pub(crate) const UPDATE_TWIN: u8 = 0x20;
    pub(crate) const PATCH_REPORTED: u8 = 0x21;
    pub(crate) const SEE_DESIRED: u8 = 0x22;
    pub(crate) const NOTE_PRESENCE: u8 = 0x28;
    pub(crate) const ENQUEUE_C2D: u8 = 0x30;
    pub(crate) const LOCK_C2D: u8 = 0x31;
    pub(crate) const SETTLE_C2D: u8 = 0x32;
    pub(crate) const RELEASE_C2D: u8 = 0x33;
    pub(crate) const SWEEP_C2D: u8 = 0x34;
    pub(crate) const PURGE_C2D: u8 = 0x35;
    pub(crate) const PUT_SESSION: u8 = 0x38;
    pub(crate) const OPEN_UPLOAD: u8 = 0x39;
    pub(crate) const CLOSE_UPLOAD: u8 = 0x3a;
    pub(crate) const DROP_NOTICES: u8 = 0x3b;
    pub(crate) const PUT_MODULE: u8 = 0x40;
    pub(crate) const DELETE_MODULE: u8 = 0x41;
    pub(crate) const PUT_WITH_TWIN: u8 = 0x42;
    /// To the last of these: in [`job`](super::super::job).
    pub(crate) const JOBS_FROM: u8 = 0x50;
    pub(crate) const JOBS_TO: u8 = 0x5f;
}

pub(crate) fn encode(command: &Command) -> Bytes {
    let (kind, message) = match command {
        Command::PutDevice(put) => (kind::PUT_DEVICE, put_to_proto(put).encode_to_vec()),
        Command::PutWithTwin(put) => (kind::PUT_WITH_TWIN, put_with_twin::encode(put)),
        Command::DeleteDevice { id, precondition } => {
            let message = proto::DeleteDeviceCommand {
                device_id: id.as_str().to_owned(),
                if_match: Some(if_match_to_proto(precondition)),
            };
            (kind::DELETE_DEVICE, message.encode_to_vec())
        }
        Command::TrimEvents(TrimMark { stream, sequence, offset }) => {
            let (sequence, offset, stream) = (*sequence, *offset, stream.0);
            let message = proto::TrimEventsCommand { sequence, offset, stream };
            (kind::TRIM_EVENTS, message.encode_to_vec())
        }
        Command::ForgetStream(Stream(stream)) => {
            let message = proto::ForgetStreamCommand { stream: *stream };
            (kind::FORGET_STREAM, message.encode_to_vec())
        }
        Command::MoveCursor { stream, sequence } => {
            let message = proto::CursorRecord { stream: stream.0, sequence: *sequence };
            (kind::MOVE_CURSOR, message.encode_to_vec())
        }
        Command::PutHub(info) => (kind::PUT_HUB, hub::encode_hub(info)),
        Command::PutPolicies(policies) => (kind::PUT_POLICIES, hub::encode_policies(policies)),
        Command::PutConsumerGroup(group) => {
            (kind::PUT_CONSUMER_GROUP, hub::encode_consumer_group(group))
        }
        Command::DeleteConsumerGroup(name) => {
            let message = proto::DeleteConsumerGroupCommand { name: name.clone() };
            (kind::DELETE_CONSUMER_GROUP, message.encode_to_vec())
        }
        Command::PutPolicy { policy, before } => {
            (kind::PUT_POLICY, hub::put_policy_to_proto(policy, before.as_ref()).encode_to_vec())
        }
        Command::DeletePolicy(name) => {
            let message = proto::DeletePolicyCommand { name: name.clone() };
            (kind::DELETE_POLICY, message.encode_to_vec())
        }
        Command::PutDocument { kind, document, mode } => {
            (kind::PUT_DOCUMENT, document::encode_put(*kind, document, mode))
        }
        Command::DeleteDocument { kind, id, precondition } => {
            (kind::DELETE_DOCUMENT, document::encode_delete(*kind, id, precondition))
        }
        Command::SetIndexedTags(paths) => {
            (kind::SET_INDEXED_TAGS, presence::encode_indexed_tags(paths))
        }
        Command::NotePresence { identity, presence } => {
            (kind::NOTE_PRESENCE, presence::encode_note(identity, presence))
        }
        // Twins, modules, authorities.
        Command::PutAuthority { authority, precondition } => {
            let message = proto::PutAuthorityCommand {
                authority: Some(authority::to_proto(authority)),
                if_match: Some(if_match_to_proto(precondition)),
            };
            (kind::PUT_AUTHORITY, message.encode_to_vec())
        }
        Command::DeleteAuthority { name, precondition } => {
            let if_match = Some(if_match_to_proto(precondition));
            let message = proto::DeleteAuthorityCommand { name: name.clone(), if_match };
            (kind::DELETE_AUTHORITY, message.encode_to_vec())
        }
        Command::PutModule(put) => (kind::PUT_MODULE, module::encode_put(put)),
        Command::DeleteModule { device, module, precondition } => {
            let message = proto::DeleteModuleCommand {
                device_id: device.as_str().to_owned(),
                module_id: module.as_str().to_owned(),
                if_match: Some(if_match_to_proto(precondition)),
            };
            (kind::DELETE_MODULE, message.encode_to_vec())
        }
        Command::UpdateTwin(update) => (kind::UPDATE_TWIN, twin::encode_update(update)),
        Command::PatchReported(patch) => (kind::PATCH_REPORTED, twin::encode_patch(patch)),
        Command::SeeDesired { identity, version } => {
            let identity = Some(identity::to_proto(identity));
            let message = proto::SeeDesiredCommand { identity, version: *version };
            (kind::SEE_DESIRED, message.encode_to_vec())
        }
        Command::Job(command) => job::encode_command(command),
        // C2D, sessions, uploads, notices.
        Command::EnqueueC2d(enqueue) => (kind::ENQUEUE_C2D, c2d::encode_enqueue(enqueue)),
        Command::LockC2d { identity, tokens, holder, now } => {
            (kind::LOCK_C2D, c2d::encode_lock(identity, tokens, *holder, *now))
        }
        Command::SettleC2d { identity, lock, settlement, deliveries_max, now } => {
            let message = c2d::encode_settle(identity, *lock, *settlement, *deliveries_max, *now);
            (kind::SETTLE_C2D, message)
        }
        Command::ReleaseC2d { identity, now } => {
            (kind::RELEASE_C2D, c2d::encode_queue_command(identity, *now))
        }
        Command::SweepC2d { identity, now } => {
            (kind::SWEEP_C2D, c2d::encode_queue_command(identity, *now))
        }
        Command::PurgeC2d { identity, now } => {
            (kind::PURGE_C2D, c2d::encode_queue_command(identity, *now))
        }
        Command::PutSession { identity, session } => {
            (kind::PUT_SESSION, begun::encode_put_session(identity, session.as_ref()))
        }
        Command::OpenUpload { device, ticket, now } => {
            (kind::OPEN_UPLOAD, begun::encode_open_upload(device, ticket, *now))
        }
        Command::CloseUpload { device, correlation_id, result, notify, now } => {
            let message = begun::encode_close_upload(device, correlation_id, result, *notify, *now);
            (kind::CLOSE_UPLOAD, message)
        }
        Command::DropNotices { kind, sequences } => {
            (kind::DROP_NOTICES, notice::encode_drop(*kind, sequences))
        }
    };
    let mut bytes = Vec::with_capacity(1 + message.len());
    bytes.push(kind);
    bytes.extend_from_slice(&message);
    bytes.into()
}

/// Reads what [`encode`] wrote. A batch of events is not one of these.
pub(crate) fn decode(command: &[u8]) -> Result<Command, HubError> {
    let (&kind, message) = command.split_first().ok_or_else(|| unreadable("empty"))?;
    Ok(match kind {
        kind::PUT_DEVICE => Command::PutDevice(Box::new(put_from_proto(read(message)?)?)),
        kind::PUT_WITH_TWIN => Command::PutWithTwin(Box::new(put_with_twin::decode(message)?)),
        kind::DELETE_DEVICE => {
            let message: proto::DeleteDeviceCommand = read(message)?;
            Command::DeleteDevice {
                id: DeviceId::new(&message.device_id)?,
                precondition: if_match_from_proto(message.if_match),
            }
        }
        kind::TRIM_EVENTS => {
            let proto::TrimEventsCommand { sequence, offset, stream } = read(message)?;
            Command::TrimEvents(TrimMark { stream: Stream(stream), sequence, offset })
        }
        kind::FORGET_STREAM => {
            let proto::ForgetStreamCommand { stream } = read(message)?;
            Command::ForgetStream(Stream(stream))
        }
        kind::MOVE_CURSOR => {
            let proto::CursorRecord { stream, sequence } = read(message)?;
            Command::MoveCursor { stream: Stream(stream), sequence }
        }
        kind::PUT_HUB => Command::PutHub(hub::decode_hub(message).map_err(unreadable)?),
        kind::PUT_POLICIES => {
            Command::PutPolicies(hub::decode_policies(message).map_err(unreadable)?)
        }
        kind::PUT_CONSUMER_GROUP => {
            Command::PutConsumerGroup(hub::decode_consumer_group(message).map_err(unreadable)?)
        }
        kind::DELETE_CONSUMER_GROUP => {
            let proto::DeleteConsumerGroupCommand { name } = read(message)?;
            Command::DeleteConsumerGroup(name)
        }
        kind::PUT_POLICY => hub::put_policy_from_proto(read(message)?),
        kind::DELETE_POLICY => {
            let proto::DeletePolicyCommand { name } = read(message)?;
            Command::DeletePolicy(name)
        }
        kind::PUT_DOCUMENT => document::decode_put(message)?,
        kind::DELETE_DOCUMENT => document::decode_delete(message)?,
        kind::SET_INDEXED_TAGS => {
            Command::SetIndexedTags(presence::decode_indexed_tags(message).map_err(unreadable)?)
        }
        kind::NOTE_PRESENCE => presence::decode_note(message)?,
        // Twins, modules, authorities.
        kind::PUT_AUTHORITY => {
            let proto::PutAuthorityCommand { authority, if_match } = read(message)?;
            let authority = authority.ok_or_else(|| unreadable("no authority"))?;
            Command::PutAuthority {
                authority: Box::new(authority::from_proto(authority)),
                precondition: if_match_from_proto(if_match),
            }
        }
        kind::DELETE_AUTHORITY => {
            let proto::DeleteAuthorityCommand { name, if_match } = read(message)?;
            Command::DeleteAuthority { name, precondition: if_match_from_proto(if_match) }
        }
        kind::PUT_MODULE => Command::PutModule(Box::new(module::decode_put(message)?)),
        kind::DELETE_MODULE => {
            let proto::DeleteModuleCommand { device_id, module_id, if_match } = read(message)?;
            Command::DeleteModule {
                device: DeviceId::new(&device_id)?,
                module: ModuleId::new(&module_id)?,
                precondition: if_match_from_proto(if_match),
            }
        }
        kind::UPDATE_TWIN => Command::UpdateTwin(Box::new(twin::decode_update(message)?)),
        kind::PATCH_REPORTED => Command::PatchReported(Box::new(twin::decode_patch(message)?)),
        kind::SEE_DESIRED => {
            let proto::SeeDesiredCommand { identity, version } = read(message)?;
            Command::SeeDesired { identity: identity::from_proto(identity)?, version }
        }
        kind::JOBS_FROM..=kind::JOBS_TO => Command::Job(job::decode_command(kind, message)?),
        // C2D, sessions, uploads, notices.
        kind::ENQUEUE_C2D => c2d::decode_enqueue(message)?,
        kind::LOCK_C2D => c2d::decode_lock(message)?,
        kind::SETTLE_C2D => c2d::decode_settle(message)?,
        kind::RELEASE_C2D => {
            let (identity, now) = c2d::decode_queue_command(message)?;
            Command::ReleaseC2d { identity, now }
        }
        kind::SWEEP_C2D => {
            let (identity, now) = c2d::decode_queue_command(message)?;
            Command::SweepC2d { identity, now }
        }
        kind::PURGE_C2D => {
            let (identity, now) = c2d::decode_queue_command(message)?;
            Command::PurgeC2d { identity, now }
        }
        kind::PUT_SESSION => begun::decode_put_session(message)?,
        kind::OPEN_UPLOAD => begun::decode_open_upload(message)?,
        kind::CLOSE_UPLOAD => begun::decode_close_upload(message)?,
        kind::DROP_NOTICES => notice::decode_drop(message)?,
        other => return Err(unreadable(format!("unknown kind {other:#04x}"))),
    })
}

pub(super) fn put_to_proto(put: &PutDevice) -> proto::PutDeviceCommand {
    let PutDevice { mode, request, fresh } = put;
    let (mode, if_match) = mode_to_proto(mode);
    proto::PutDeviceCommand {
        mode: mode.into(),
        if_match,
        device_id: request.id.as_str().to_owned(),
        disabled: request.status != status_from_proto(false),
        status_reason: request.status_reason.clone(),
        authentication: Some(request_to_proto(&request.authentication)),
        iot_edge: request.iot_edge,
        device_scope: request.device_scope.clone(),
        parent_scopes: request.parent_scopes.clone(),
        fresh_generation: fresh.generation.clone(),
        fresh_etag: fresh.etag.clone(),
        fresh_keys: Some(keys_to_proto(&fresh.keys)),
        now_ms: fresh.now.0,
    }
}

pub(super) fn put_from_proto(message: proto::PutDeviceCommand) -> Result<PutDevice, HubError> {
    let mode = mode_from_proto(message.mode(), message.if_match.clone())?;
    Ok(PutDevice {
        mode,
        request: DeviceRequest {
            id: DeviceId::new(&message.device_id)?,
            status: status_from_proto(message.disabled),
            status_reason: message.status_reason,
            authentication: request_from_proto(message.authentication)?,
            iot_edge: message.iot_edge,
            device_scope: message.device_scope,
            parent_scopes: message.parent_scopes,
        },
        fresh: Fresh {
            generation: message.fresh_generation,
            etag: message.fresh_etag,
            keys: keys_from_proto(message.fresh_keys.unwrap_or_default()),
            now: UnixMs(message.now_ms),
        },
    })
}

pub(super) fn mode_to_proto(mode: &PutMode) -> (proto::PutMode, Option<proto::IfMatch>) {
    let (mode, if_match) = match mode {
        PutMode::Create => (proto::PutMode::Create, None),
        PutMode::Update(if_match) => (proto::PutMode::Update, Some(if_match)),
        PutMode::CreateOrUpdate(if_match) => (proto::PutMode::CreateOrUpdate, Some(if_match)),
    };
    (mode, if_match.map(if_match_to_proto))
}

pub(super) fn mode_from_proto(
    mode: proto::PutMode,
    if_match: Option<proto::IfMatch>,
) -> Result<PutMode, HubError> {
    let if_match = if_match_from_proto(if_match);
    match mode {
        proto::PutMode::Create => Ok(PutMode::Create),
        proto::PutMode::Update => Ok(PutMode::Update(if_match)),
        proto::PutMode::CreateOrUpdate => Ok(PutMode::CreateOrUpdate(if_match)),
        proto::PutMode::Unspecified => Err(unreadable("unknown put mode")),
    }
}

pub(super) fn if_match_to_proto(if_match: &IfMatch) -> proto::IfMatch {
    match if_match {
        IfMatch::Any => proto::IfMatch { any: true, tags: Vec::new() },
        IfMatch::Tags(tags) => proto::IfMatch { any: false, tags: tags.clone() },
    }
}

/// No precondition at all matches nothing: losing one must not make a change unconditional.
pub(super) fn if_match_from_proto(if_match: Option<proto::IfMatch>) -> IfMatch {
    match if_match.unwrap_or_default() {
        proto::IfMatch { any: true, .. } => IfMatch::Any,
        proto::IfMatch { any: false, tags } => IfMatch::Tags(tags),
    }
}

pub(super) fn read<M: Message + Default>(message: &[u8]) -> Result<M, HubError> {
    M::decode(message).map_err(unreadable)
}

pub(super) fn unreadable(why: impl std::fmt::Display) -> HubError {
    HubError::Internal(format!("a command that cannot be read: {why}"))
}
