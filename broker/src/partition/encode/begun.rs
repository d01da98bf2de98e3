//! Stored MQTT sessions and open uploads.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::device::{FilterKind, StoredSession, Subscription};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::partition::Command;
use ironhub_domain::time::UnixMs;
use ironhub_domain::upload::{UploadResult, UploadTicket};
use ironhub_proto as proto;
use prost::Message;

use super::command::{read, unreadable};
use super::{damaged, identity};

pub(crate) fn encode_session(session: &StoredSession) -> Vec<u8> {
    session_to_proto(session).encode_to_vec()
}

pub(crate) fn decode_session(bytes: &[u8]) -> Result<StoredSession, StorageError> {
    let record = proto::SessionRecord::decode(bytes).map_err(|error| damaged("session", error))?;
    session_from_proto(record).map_err(|error| damaged("session", error))
}

fn session_to_proto(session: &StoredSession) -> proto::SessionRecord {
    let subscriptions = session.subscriptions.iter().map(|granted| {
        let kind = match granted.kind {
            FilterKind::C2d => proto::FilterKind::C2d,
            FilterKind::Inputs => proto::FilterKind::Inputs,
            FilterKind::Module => proto::FilterKind::Module,
            FilterKind::TwinResponses => proto::FilterKind::TwinResponses,
            FilterKind::Desired => proto::FilterKind::Desired,
            FilterKind::Methods => proto::FilterKind::Methods,
        };
        proto::SubscriptionRecord {
            kind: kind.into(),
            filter: granted.filter.clone(),
            qos: granted.qos.into(),
        }
    });
    proto::SessionRecord { subscriptions: subscriptions.collect() }
}

fn session_from_proto(record: proto::SessionRecord) -> Result<StoredSession, HubError> {
    let subscription = |granted: proto::SubscriptionRecord| {
        let kind = match granted.kind() {
            proto::FilterKind::C2d => FilterKind::C2d,
            proto::FilterKind::Inputs => FilterKind::Inputs,
            proto::FilterKind::Module => FilterKind::Module,
            proto::FilterKind::TwinResponses => FilterKind::TwinResponses,
            proto::FilterKind::Desired => FilterKind::Desired,
            proto::FilterKind::Methods => FilterKind::Methods,
            proto::FilterKind::Unspecified => return Err(unreadable("unknown kind of filter")),
        };
        let qos = u8::try_from(granted.qos).map_err(unreadable)?;
        Ok(Subscription { kind, filter: granted.filter, qos })
    };
    let subscriptions: Result<_, _> = record.subscriptions.into_iter().map(subscription).collect();
    Ok(StoredSession { subscriptions: subscriptions? })
}

pub(super) fn encode_put_session(
    identity: &IdentityId,
    session: Option<&StoredSession>,
) -> Vec<u8> {
    proto::PutSessionCommand {
        identity: Some(identity::to_proto(identity)),
        session: session.map(session_to_proto),
    }
    .encode_to_vec()
}

pub(super) fn decode_put_session(bytes: &[u8]) -> Result<Command, HubError> {
    let message: proto::PutSessionCommand = read(bytes)?;
    Ok(Command::PutSession {
        identity: identity::from_proto(message.identity)?,
        session: message.session.map(session_from_proto).transpose()?,
    })
}

pub(crate) fn encode_uploads(tickets: &[UploadTicket]) -> Vec<u8> {
    proto::UploadsRecord { tickets: tickets.iter().map(ticket_to_proto).collect() }.encode_to_vec()
}

pub(crate) fn decode_uploads(bytes: &[u8]) -> Result<Vec<UploadTicket>, StorageError> {
    let record = proto::UploadsRecord::decode(bytes).map_err(|error| damaged("uploads", error))?;
    Ok(record.tickets.into_iter().map(ticket_from_proto).collect())
}

fn ticket_to_proto(ticket: &UploadTicket) -> proto::UploadTicketRecord {
    proto::UploadTicketRecord {
        correlation_id: ticket.correlation_id.clone(),
        blob_name: ticket.blob_name.clone(),
        expires_ms: ticket.expires.0,
    }
}

fn ticket_from_proto(record: proto::UploadTicketRecord) -> UploadTicket {
    UploadTicket {
        correlation_id: record.correlation_id,
        blob_name: record.blob_name,
        expires: UnixMs(record.expires_ms),
    }
}

pub(super) fn encode_open_upload(device: &DeviceId, ticket: &UploadTicket, now: UnixMs) -> Vec<u8> {
    proto::OpenUploadCommand {
        device_id: device.as_str().to_owned(),
        ticket: Some(ticket_to_proto(ticket)),
        now_ms: now.0,
    }
    .encode_to_vec()
}

pub(super) fn decode_open_upload(bytes: &[u8]) -> Result<Command, HubError> {
    let message: proto::OpenUploadCommand = read(bytes)?;
    Ok(Command::OpenUpload {
        device: DeviceId::new(&message.device_id)?,
        ticket: ticket_from_proto(message.ticket.ok_or_else(|| unreadable("no ticket"))?),
        now: UnixMs(message.now_ms),
    })
}

pub(super) fn encode_close_upload(
    device: &DeviceId,
    correlation_id: &str,
    result: &UploadResult,
    notify: bool,
    now: UnixMs,
) -> Vec<u8> {
    let stored = match result {
        UploadResult::Stored { blob_uri, bytes, last_updated } => Some(proto::UploadStored {
            blob_uri: blob_uri.clone(),
            bytes: *bytes,
            last_updated_ms: last_updated.0,
        }),
        UploadResult::Failed => None,
    };
    proto::CloseUploadCommand {
        device_id: device.as_str().to_owned(),
        correlation_id: correlation_id.to_owned(),
        stored,
        notify,
        now_ms: now.0,
    }
    .encode_to_vec()
}

pub(super) fn decode_close_upload(bytes: &[u8]) -> Result<Command, HubError> {
    let message: proto::CloseUploadCommand = read(bytes)?;
    let stored = |stored: proto::UploadStored| UploadResult::Stored {
        blob_uri: stored.blob_uri,
        bytes: stored.bytes,
        last_updated: UnixMs(stored.last_updated_ms),
    };
    Ok(Command::CloseUpload {
        device: DeviceId::new(&message.device_id)?,
        correlation_id: message.correlation_id,
        result: message.stored.map_or(UploadResult::Failed, stored),
        notify: message.notify,
        now: UnixMs(message.now_ms),
    })
}
