//! Queues of devices, and notices for services.

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{Area, StateStore, StorageError};
use ironhub_domain::c2d::{C2dMessage, Queue};
use ironhub_domain::device::StoredSession;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::notice::{Notice, NoticeKind};
use ironhub_domain::time::UnixMs;
use ironhub_domain::upload::UploadTicket;

use super::super::encode::{begun, c2d, damaged, notice};
use super::super::keys::c2d as keys;
use super::read;

/// The index of an identity's queue; empty if it never held a message.
pub fn c2d_queue(
    store: &dyn StateStore,
    group: GroupId,
    identity: &IdentityId,
) -> Result<Queue, StorageError> {
    Ok(read(store, &keys::queue(group, identity), c2d::decode_queue)?.unwrap_or_default())
}

/// A message of a queue.
pub fn c2d_message(
    store: &dyn StateStore,
    group: GroupId,
    identity: &IdentityId,
    sequence: u64,
) -> Result<Option<C2dMessage>, StorageError> {
    read(store, &keys::message(group, identity, sequence), c2d::decode_message)
}

/// Queues in which a lock has lapsed or a message has expired by `now`, most overdue first; at most `max`.
pub fn c2d_due(
    store: &dyn StateStore,
    group: GroupId,
    now: UnixMs,
    max: usize,
) -> Result<Vec<IdentityId>, StorageError> {
    let (from, to) = keys::due_until(group, now);
    Ok(due(store, &from, &to, max)?.into_iter().map(|(_, identity)| identity).collect())
}

/// When the first queue of a partition is due for a sweep; `None` if there is no message at all.
pub fn next_c2d_due(
    store: &dyn StateStore,
    group: GroupId,
) -> Result<Option<UnixMs>, StorageError> {
    let (from, to) = keys::due_until(group, UnixMs(u64::MAX));
    Ok(due(store, &from, &to, 1)?.first().map(|(at, _)| *at))
}

fn due(
    store: &dyn StateStore,
    from: &[u8],
    to: &[u8],
    max: usize,
) -> Result<Vec<(UnixMs, IdentityId)>, StorageError> {
    let mut found = Vec::new();
    if max == 0 {
        return Ok(found);
    }
    let mut failed = None;
    store.scan(Area::Records, from, to, &mut |key, _| {
        match keys::due_of(key) {
            Some(due) => found.push(due),
            None => failed = Some(damaged("key of a queue that is due", "not an identity")),
        }
        if failed.is_none() && found.len() < max {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(found), Err)
}

/// The stored MQTT session of an identity.
pub fn session(
    store: &dyn StateStore,
    group: GroupId,
    identity: &IdentityId,
) -> Result<Option<StoredSession>, StorageError> {
    read(store, &keys::session(group, identity), begun::decode_session)
}

/// Open uploads of a device, oldest first; those whose time is over may be among them.
pub fn uploads(
    store: &dyn StateStore,
    group: GroupId,
    device: &DeviceId,
) -> Result<Vec<UploadTicket>, StorageError> {
    Ok(read(store, &keys::uploads(group, device), begun::decode_uploads)?.unwrap_or_default())
}

/// Notices with their numbers, oldest first, from a number on; at most `max`.
pub fn notices(
    store: &dyn StateStore,
    group: GroupId,
    kind: NoticeKind,
    from_sequence: u64,
    max: usize,
) -> Result<Vec<(u64, Notice)>, StorageError> {
    let counters = read(store, &keys::notice_counters(group, kind), notice::decode_counters)?;
    let counters = counters.unwrap_or_default();
    let from = keys::notice(group, kind, from_sequence.max(counters.first));
    let to = keys::notice(group, kind, u64::MAX);
    let mut found = Vec::new();
    if max == 0 {
        return Ok(found);
    }
    let mut failed = None;
    store.scan(Area::Records, &from, &to, &mut |key, record| {
        let sequence =
            keys::sequence_of(key).ok_or_else(|| damaged("key of a notice", "too short"));
        match sequence.and_then(|sequence| Ok((sequence, notice::decode(record)?))) {
            Ok(notice) => found.push(notice),
            Err(error) => failed = Some(error),
        }
        if failed.is_none() && found.len() < max {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(found), Err)
}
