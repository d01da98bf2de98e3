//! Commands of the replicated log: one byte says which, the rest is its message.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::partition::{Command, TrimMark};
use ironhub_domain::registry::{
    AuthenticationRequest, DeviceRequest, Fresh, IfMatch, PutDevice, PutMode,
};
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use ironhub_proto::authentication::Kind as AuthenticationKind;
use prost::Message;

use super::device::{
    keys_from_proto, keys_to_proto, status_from_proto, thumbprints_from_proto, thumbprints_to_proto,
};
use super::hub;

/// The first byte of a command. A number is never given another meaning. Reserved: 0x20.. twins, 0x30.. C2D,
/// 0x40.. modules, 0x50.. jobs and configurations.
pub(crate) mod kind {
    /// A batch of events; see `commands::append_events`.
    pub(crate) const APPEND_EVENTS: u8 = 0x01;
    pub(crate) const TRIM_EVENTS: u8 = 0x02;
    pub(crate) const PUT_DEVICE: u8 = 0x08;
    pub(crate) const DELETE_DEVICE: u8 = 0x09;
    pub(crate) const PUT_HUB: u8 = 0x10;
    pub(crate) const PUT_POLICIES: u8 = 0x11;
    pub(crate) const PUT_CONSUMER_GROUP: u8 = 0x12;
    pub(crate) const DELETE_CONSUMER_GROUP: u8 = 0x13;
}

pub(crate) fn encode(command: &Command) -> Bytes {
    let (kind, message) = match command {
        Command::PutDevice(put) => (kind::PUT_DEVICE, put_to_proto(put).encode_to_vec()),
        Command::DeleteDevice { id, precondition } => {
            let message = proto::DeleteDeviceCommand {
                device_id: id.as_str().to_owned(),
                if_match: Some(if_match_to_proto(precondition)),
            };
            (kind::DELETE_DEVICE, message.encode_to_vec())
        }
        Command::TrimEvents(TrimMark { sequence, offset }) => {
            let message = proto::TrimEventsCommand { sequence: *sequence, offset: *offset };
            (kind::TRIM_EVENTS, message.encode_to_vec())
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
        // Twins, modules, authorities.
        Command::PutAuthority { .. }
        | Command::DeleteAuthority { .. }
        | Command::PutModule(_)
        | Command::DeleteModule { .. }
        | Command::UpdateTwin(_)
        | Command::PatchReported(_)
        | Command::SeeDesired { .. } => (0xfe, Vec::new()),
        // C2D, sessions, uploads, notices.
        Command::EnqueueC2d(_)
        | Command::LockC2d { .. }
        | Command::SettleC2d { .. }
        | Command::ReleaseC2d { .. }
        | Command::SweepC2d { .. }
        | Command::PurgeC2d { .. }
        | Command::PutSession { .. }
        | Command::OpenUpload { .. }
        | Command::CloseUpload { .. }
        | Command::DropNotices { .. } => (0xff, Vec::new()),
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
        kind::DELETE_DEVICE => {
            let message: proto::DeleteDeviceCommand = read(message)?;
            Command::DeleteDevice {
                id: DeviceId::new(&message.device_id)?,
                precondition: if_match_from_proto(message.if_match),
            }
        }
        kind::TRIM_EVENTS => {
            let proto::TrimEventsCommand { sequence, offset } = read(message)?;
            Command::TrimEvents(TrimMark { sequence, offset })
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
        other => return Err(unreadable(format!("unknown kind {other:#04x}"))),
    })
}

fn put_to_proto(put: &PutDevice) -> proto::PutDeviceCommand {
    let PutDevice { mode, request, fresh } = put;
    let (mode, if_match) = match mode {
        PutMode::Create => (proto::PutMode::Create, None),
        PutMode::Update(if_match) => (proto::PutMode::Update, Some(if_match)),
        PutMode::CreateOrUpdate(if_match) => (proto::PutMode::CreateOrUpdate, Some(if_match)),
    };
    let authentication = match &request.authentication {
        AuthenticationRequest::Sas(keys) => AuthenticationKind::Sas(keys_to_proto(keys)),
        AuthenticationRequest::SelfSigned(thumbprints) => {
            AuthenticationKind::SelfSigned(thumbprints_to_proto(thumbprints))
        }
        AuthenticationRequest::CertificateAuthority => {
            AuthenticationKind::CertificateAuthority(proto::NoCredentials {})
        }
        AuthenticationRequest::None => AuthenticationKind::None(proto::NoCredentials {}),
    };
    proto::PutDeviceCommand {
        mode: mode.into(),
        if_match: if_match.map(if_match_to_proto),
        device_id: request.id.as_str().to_owned(),
        disabled: request.status != status_from_proto(false),
        status_reason: request.status_reason.clone(),
        authentication: Some(proto::Authentication { kind: Some(authentication) }),
        iot_edge: request.iot_edge,
        device_scope: request.device_scope.clone(),
        parent_scopes: request.parent_scopes.clone(),
        fresh_generation: fresh.generation.clone(),
        fresh_etag: fresh.etag.clone(),
        fresh_keys: Some(keys_to_proto(&fresh.keys)),
        now_ms: fresh.now.0,
    }
}

fn put_from_proto(message: proto::PutDeviceCommand) -> Result<PutDevice, HubError> {
    let if_match = if_match_from_proto(message.if_match.clone());
    let mode = match message.mode() {
        proto::PutMode::Create => PutMode::Create,
        proto::PutMode::Update => PutMode::Update(if_match),
        proto::PutMode::CreateOrUpdate => PutMode::CreateOrUpdate(if_match),
        proto::PutMode::Unspecified => return Err(unreadable("unknown put mode")),
    };
    let authentication = match message.authentication.and_then(|a| a.kind) {
        Some(AuthenticationKind::Sas(keys)) => AuthenticationRequest::Sas(keys_from_proto(keys)),
        Some(AuthenticationKind::SelfSigned(thumbprints)) => {
            AuthenticationRequest::SelfSigned(thumbprints_from_proto(thumbprints))
        }
        Some(AuthenticationKind::CertificateAuthority(proto::NoCredentials {})) => {
            AuthenticationRequest::CertificateAuthority
        }
        Some(AuthenticationKind::None(proto::NoCredentials {})) => AuthenticationRequest::None,
        None => return Err(unreadable("unknown authentication")),
    };
    Ok(PutDevice {
        mode,
        request: DeviceRequest {
            id: DeviceId::new(&message.device_id)?,
            status: status_from_proto(message.disabled),
            status_reason: message.status_reason,
            authentication,
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

fn if_match_to_proto(if_match: &IfMatch) -> proto::IfMatch {
    match if_match {
        IfMatch::Any => proto::IfMatch { any: true, tags: Vec::new() },
        IfMatch::Tags(tags) => proto::IfMatch { any: false, tags: tags.clone() },
    }
}

/// No precondition at all matches nothing: losing one must not make a change unconditional.
fn if_match_from_proto(if_match: Option<proto::IfMatch>) -> IfMatch {
    match if_match.unwrap_or_default() {
        proto::IfMatch { any: true, .. } => IfMatch::Any,
        proto::IfMatch { any: false, tags } => IfMatch::Tags(tags),
    }
}

fn read<M: Message + Default>(message: &[u8]) -> Result<M, HubError> {
    M::decode(message).map_err(unreadable)
}

fn unreadable(why: impl std::fmt::Display) -> HubError {
    HubError::Internal(format!("a command that cannot be read: {why}"))
}
