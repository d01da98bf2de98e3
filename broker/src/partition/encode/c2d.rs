//! Cloud-to-device queues: indexes, messages and commands.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{
    AckMode, C2dMessage, C2dProperties, Entry, Holder, Lock, LockToken, Queue, Settlement,
};
use ironhub_domain::event::AppProperty;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::partition::{Command, EnqueueC2d};
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use prost::Message;

use super::command::{read, unreadable};
use super::{damaged, identity};

pub(crate) fn encode_message(message: &C2dMessage) -> Vec<u8> {
    message_to_proto(message).encode_to_vec()
}

pub(crate) fn decode_message(bytes: &[u8]) -> Result<C2dMessage, StorageError> {
    let record = proto::C2dMessageRecord::decode(bytes);
    record.map_err(|error| damaged("C2D message", error)).and_then(|record| {
        message_from_proto(record).map_err(|error| damaged("C2D message", error))
    })
}

pub(crate) fn encode_queue(queue: &Queue) -> Vec<u8> {
    let entries = queue.entries.iter().map(|entry| proto::C2dEntry {
        sequence: entry.sequence,
        enqueued_ms: entry.enqueued.0,
        expires_ms: entry.expires.0,
        delivery_count: entry.delivery_count,
        lock: entry.lock.map(|lock| proto::C2dLock {
            token: token_to_proto(lock.token),
            until_ms: lock.until.0,
            holder: holder_to_proto(lock.holder).into(),
        }),
        ack: ack_to_proto(entry.ack).into(),
        message_id: entry.message_id.clone(),
        sent: entry.sent,
    });
    proto::C2dQueueRecord { next_sequence: queue.next_sequence, entries: entries.collect() }
        .encode_to_vec()
}

pub(crate) fn decode_queue(bytes: &[u8]) -> Result<Queue, StorageError> {
    let record = proto::C2dQueueRecord::decode(bytes).map_err(|e| damaged("C2D queue", e))?;
    let entries: Result<Vec<Entry>, HubError> =
        record.entries.into_iter().map(entry_from_proto).collect();
    Ok(Queue {
        next_sequence: record.next_sequence,
        entries: entries.map_err(|error| damaged("C2D queue", error))?,
    })
}

fn entry_from_proto(entry: proto::C2dEntry) -> Result<Entry, HubError> {
    Ok(Entry {
        ack: ack_from_proto(entry.ack)?,
        sequence: entry.sequence,
        enqueued: UnixMs(entry.enqueued_ms),
        expires: UnixMs(entry.expires_ms),
        delivery_count: entry.delivery_count,
        lock: entry.lock.map(lock_from_proto).transpose()?,
        message_id: entry.message_id,
        sent: entry.sent,
    })
}

fn lock_from_proto(lock: proto::C2dLock) -> Result<Lock, HubError> {
    Ok(Lock {
        holder: holder_from_proto(lock.holder)?,
        token: token_from_proto(&lock.token)?,
        until: UnixMs(lock.until_ms),
    })
}

fn message_to_proto(message: &C2dMessage) -> proto::C2dMessageRecord {
    let C2dMessage { system, ack, properties, body } = message;
    let property = |property: &AppProperty| proto::EventProperty {
        name: property.name.clone(),
        value: property.value.clone(),
    };
    proto::C2dMessageRecord {
        body: body.clone(),
        properties: properties.iter().map(property).collect(),
        ack: ack_to_proto(*ack).into(),
        message_id: system.message_id.clone(),
        correlation_id: system.correlation_id.clone(),
        user_id: system.user_id.clone(),
        content_type: system.content_type.clone(),
        content_encoding: system.content_encoding.clone(),
        creation_time_ms: system.creation_time.map(|time| time.0),
        absolute_expiry_ms: system.absolute_expiry.map(|time| time.0),
    }
}

fn message_from_proto(record: proto::C2dMessageRecord) -> Result<C2dMessage, HubError> {
    let property =
        |property: proto::EventProperty| AppProperty { name: property.name, value: property.value };
    Ok(C2dMessage {
        ack: ack_from_proto(record.ack)?,
        system: C2dProperties {
            message_id: record.message_id,
            correlation_id: record.correlation_id,
            user_id: record.user_id,
            content_type: record.content_type,
            content_encoding: record.content_encoding,
            creation_time: record.creation_time_ms.map(UnixMs),
            absolute_expiry: record.absolute_expiry_ms.map(UnixMs),
        },
        properties: record.properties.into_iter().map(property).collect(),
        body: record.body,
    })
}

pub(super) fn encode_enqueue(enqueue: &EnqueueC2d) -> Vec<u8> {
    proto::EnqueueC2dCommand {
        identity: Some(identity::to_proto(&enqueue.identity)),
        message: Some(message_to_proto(&enqueue.message)),
        expires_ms: enqueue.expires.0,
        now_ms: enqueue.now.0,
    }
    .encode_to_vec()
}

pub(super) fn decode_enqueue(bytes: &[u8]) -> Result<Command, HubError> {
    let message: proto::EnqueueC2dCommand = read(bytes)?;
    Ok(Command::EnqueueC2d(Box::new(EnqueueC2d {
        identity: identity::from_proto(message.identity)?,
        message: message_from_proto(message.message.unwrap_or_default())?,
        expires: UnixMs(message.expires_ms),
        now: UnixMs(message.now_ms),
    })))
}

pub(super) fn encode_lock(
    identity: &IdentityId,
    tokens: &[LockToken],
    holder: Holder,
    now: UnixMs,
) -> Vec<u8> {
    proto::LockC2dCommand {
        identity: Some(identity::to_proto(identity)),
        tokens: tokens.iter().copied().map(token_to_proto).collect(),
        holder: holder_to_proto(holder).into(),
        now_ms: now.0,
    }
    .encode_to_vec()
}

pub(super) fn decode_lock(bytes: &[u8]) -> Result<Command, HubError> {
    let message: proto::LockC2dCommand = read(bytes)?;
    let tokens: Result<Vec<_>, _> =
        message.tokens.iter().map(|token| token_from_proto(token)).collect();
    Ok(Command::LockC2d {
        identity: identity::from_proto(message.identity)?,
        tokens: tokens?,
        holder: holder_from_proto(message.holder)?,
        now: UnixMs(message.now_ms),
    })
}

pub(super) fn encode_settle(
    identity: &IdentityId,
    token: LockToken,
    settlement: Settlement,
    deliveries_max: u32,
    now: UnixMs,
) -> Vec<u8> {
    let settlement = match settlement {
        Settlement::Complete => proto::C2dSettlement::Complete,
        Settlement::Reject => proto::C2dSettlement::Reject,
        Settlement::Abandon => proto::C2dSettlement::Abandon,
    };
    proto::SettleC2dCommand {
        identity: Some(identity::to_proto(identity)),
        token: token_to_proto(token),
        settlement: settlement.into(),
        deliveries_max,
        now_ms: now.0,
    }
    .encode_to_vec()
}

pub(super) fn decode_settle(bytes: &[u8]) -> Result<Command, HubError> {
    let message: proto::SettleC2dCommand = read(bytes)?;
    let settlement = match message.settlement() {
        proto::C2dSettlement::Complete => Settlement::Complete,
        proto::C2dSettlement::Reject => Settlement::Reject,
        proto::C2dSettlement::Abandon => Settlement::Abandon,
        proto::C2dSettlement::Unspecified => return Err(unreadable("unknown settlement")),
    };
    Ok(Command::SettleC2d {
        identity: identity::from_proto(message.identity)?,
        lock: token_from_proto(&message.token)?,
        settlement,
        deliveries_max: message.deliveries_max,
        now: UnixMs(message.now_ms),
    })
}

pub(super) fn encode_queue_command(identity: &IdentityId, now: UnixMs) -> Vec<u8> {
    proto::C2dQueueCommand { identity: Some(identity::to_proto(identity)), now_ms: now.0 }
        .encode_to_vec()
}

pub(super) fn decode_queue_command(bytes: &[u8]) -> Result<(IdentityId, UnixMs), HubError> {
    let proto::C2dQueueCommand { identity, now_ms } = read(bytes)?;
    Ok((identity::from_proto(identity)?, UnixMs(now_ms)))
}

fn token_to_proto(token: LockToken) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&token.0)
}

fn token_from_proto(token: &[u8]) -> Result<LockToken, HubError> {
    token.try_into().map(LockToken).map_err(|_| unreadable("a lock token has 16 bytes"))
}

fn ack_to_proto(ack: AckMode) -> proto::C2dAck {
    match ack {
        AckMode::None => proto::C2dAck::None,
        AckMode::Positive => proto::C2dAck::Positive,
        AckMode::Negative => proto::C2dAck::Negative,
        AckMode::Full => proto::C2dAck::Full,
    }
}

fn ack_from_proto(ack: i32) -> Result<AckMode, HubError> {
    match proto::C2dAck::try_from(ack).map_err(unreadable)? {
        proto::C2dAck::None => Ok(AckMode::None),
        proto::C2dAck::Positive => Ok(AckMode::Positive),
        proto::C2dAck::Negative => Ok(AckMode::Negative),
        proto::C2dAck::Full => Ok(AckMode::Full),
    }
}

fn holder_to_proto(holder: Holder) -> proto::C2dHolder {
    match holder {
        Holder::Session => proto::C2dHolder::Session,
        Holder::StoredSession => proto::C2dHolder::StoredSession,
        Holder::Request => proto::C2dHolder::Request,
    }
}

fn holder_from_proto(holder: i32) -> Result<Holder, HubError> {
    match proto::C2dHolder::try_from(holder).map_err(unreadable)? {
        proto::C2dHolder::Session => Ok(Holder::Session),
        proto::C2dHolder::StoredSession => Ok(Holder::StoredSession),
        proto::C2dHolder::Request => Ok(Holder::Request),
        proto::C2dHolder::Unspecified => Err(unreadable("unknown holder of a lock")),
    }
}
