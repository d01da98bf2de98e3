//! Where each record of a group lives: group id (4 bytes, big-endian), one byte of kind, the rest.
//!
//! The kind 0x00 is the engine's own. 0x20.. are twins, 0x30.. C2D queues and notices (in [`c2d`]), 0x40.. modules,
//! 0x50.. jobs of devices (in [`jobs`]), 0x60 the secondary indexes (in [`index`]).

pub(super) mod c2d;
pub(super) mod index;
pub(super) mod jobs;

use ironhub_cluster::GroupId;
use ironhub_domain::document::DocumentKind;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::partition::Stream;

const EVENT_LOG: u8 = 0x01;
const HUB: u8 = 0x02;
const POLICIES: u8 = 0x03;
const CONSUMER_GROUPS: u8 = 0x04;
const AUTHORITIES: u8 = 0x05;
const COUNTS: u8 = 0x06;
const INDEXED_TAGS: u8 = 0x07;
const DOCUMENT: u8 = 0x08;
const DEVICE: u8 = 0x10;
const PRESENCE: u8 = 0x11;
const TWIN: u8 = 0x20;
const MODULE: u8 = 0x40;

const CURSOR: u8 = 0x09;

/// In the area of events: rows of the built-in endpoint.
const EVENT_ROW: u8 = 0x01;
/// In the area of events: rows of other logs.
const STREAM_ROW: u8 = 0x02;

fn key(group: GroupId, kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(5 + rest.len());
    key.extend_from_slice(&group.0.to_be_bytes());
    key.push(kind);
    key.extend_from_slice(rest);
    key
}

/// The counters of a log; of the built-in one without its number.
pub(super) fn event_log(group: GroupId, stream: Stream) -> Vec<u8> {
    match stream {
        Stream::BUILT_IN => key(group, EVENT_LOG, &[]),
        Stream(number) => key(group, EVENT_LOG, &number.to_be_bytes()),
    }
}

/// The counters of all logs lie between these two.
pub(super) fn event_logs(group: GroupId) -> (Vec<u8>, Vec<u8>) {
    (key(group, EVENT_LOG, &[]), key(group, EVENT_LOG + 1, &[]))
}

/// The log in the key of its counters.
pub(super) fn event_log_stream(key: &[u8]) -> Option<Stream> {
    match key.get(5..)? {
        [] => Some(Stream::BUILT_IN),
        number => Some(Stream(u32::from_be_bytes(number.try_into().ok()?))),
    }
}

pub(super) fn cursor(group: GroupId, stream: Stream) -> Vec<u8> {
    key(group, CURSOR, &stream.0.to_be_bytes())
}

pub(super) fn hub(group: GroupId) -> Vec<u8> {
    key(group, HUB, &[])
}

pub(super) fn policies(group: GroupId) -> Vec<u8> {
    key(group, POLICIES, &[])
}

pub(super) fn consumer_groups(group: GroupId) -> Vec<u8> {
    key(group, CONSUMER_GROUPS, &[])
}

pub(super) fn authorities(group: GroupId) -> Vec<u8> {
    key(group, AUTHORITIES, &[])
}

pub(super) fn counts(group: GroupId) -> Vec<u8> {
    key(group, COUNTS, &[])
}

pub(super) fn indexed_tags(group: GroupId) -> Vec<u8> {
    key(group, INDEXED_TAGS, &[])
}

pub(super) fn document(group: GroupId, kind: DocumentKind, id: &str) -> Vec<u8> {
    key(group, DOCUMENT, &[&[kind.number()], id.as_bytes()].concat())
}

/// The keys of the documents of a kind lie between these two.
pub(super) fn documents(group: GroupId, kind: DocumentKind) -> (Vec<u8>, Vec<u8>) {
    (document(group, kind, ""), key(group, DOCUMENT, &[kind.number() + 1]))
}

pub(super) fn presence(group: GroupId, identity: &IdentityId) -> Vec<u8> {
    of_identity(group, PRESENCE, &identity.device, identity.module.as_ref())
}

/// A device's id, a zero byte, the module's id if it is one. An id has no zero byte, so a device and its modules lie side
/// by side, and nobody else between them.
fn of_identity(group: GroupId, kind: u8, device: &DeviceId, module: Option<&ModuleId>) -> Vec<u8> {
    let (device, module) = (device.as_str(), module.map_or("", ModuleId::as_str));
    key(group, kind, &[device.as_bytes(), &[0], module.as_bytes()].concat())
}

pub(super) fn twin(group: GroupId, identity: &IdentityId) -> Vec<u8> {
    of_identity(group, TWIN, &identity.device, identity.module.as_ref())
}

/// The keys of all twins lie between these two.
pub(super) fn twins(group: GroupId) -> (Vec<u8>, Vec<u8>) {
    (key(group, TWIN, &[]), key(group, TWIN + 1, &[]))
}

/// The identity in the key of a twin, a presence or a module.
pub(super) fn key_identity(key: &[u8]) -> Option<IdentityId> {
    split_identity(key.get(5..)?)
}

fn split_identity(rest: &[u8]) -> Option<IdentityId> {
    let at = rest.iter().position(|byte| *byte == 0)?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let module = match &rest[at + 1..] {
        [] => None,
        module => Some(ModuleId::new(text(module)?).ok()?),
    };
    Some(IdentityId { device: DeviceId::new(text(&rest[..at])?).ok()?, module })
}

pub(super) fn module(group: GroupId, device: &DeviceId, module: &ModuleId) -> Vec<u8> {
    of_identity(group, MODULE, device, Some(module))
}

/// The keys of a device's modules lie between these two: ids are ASCII.
pub(super) fn modules(group: GroupId, device: &DeviceId) -> (Vec<u8>, Vec<u8>) {
    let from = of_identity(group, MODULE, device, None);
    let mut to = from.clone();
    to.push(0xff);
    (from, to)
}

/// The keys of all modules behind `after` lie between these two.
pub(super) fn modules_after(group: GroupId, after: Option<&IdentityId>) -> (Vec<u8>, Vec<u8>) {
    let from = match after {
        Some(after) => {
            let mut from = of_identity(group, MODULE, &after.device, after.module.as_ref());
            from.push(0);
            from
        }
        None => key(group, MODULE, &[]),
    };
    (from, key(group, MODULE + 1, &[]))
}

pub(super) fn device(group: GroupId, id: &DeviceId) -> Vec<u8> {
    key(group, DEVICE, id.as_str().as_bytes())
}

/// The first key that an identity after `id` can have (any identity at all, if there is none).
pub(super) fn devices_after(group: GroupId, id: Option<&DeviceId>) -> Vec<u8> {
    let mut from = id.map_or_else(|| key(group, DEVICE, &[]), |id| device(group, id));
    if id.is_some() {
        from.push(0);
    }
    from
}

pub(super) fn devices_end(group: GroupId) -> Vec<u8> {
    key(group, DEVICE + 1, &[])
}

/// The row whose first event has this sequence number.
pub(super) fn event_row(group: GroupId, stream: Stream, sequence: u64) -> Vec<u8> {
    match stream {
        Stream::BUILT_IN => key(group, EVENT_ROW, &sequence.to_be_bytes()),
        Stream(number) => {
            let rest = [&number.to_be_bytes()[..], &sequence.to_be_bytes()].concat();
            key(group, STREAM_ROW, &rest)
        }
    }
}

/// The sequence number in the key of an event row: its last eight bytes.
pub(super) fn event_row_sequence(key: &[u8]) -> Option<u64> {
    key.get(5..).and_then(<[u8]>::last_chunk).copied().map(u64::from_be_bytes)
}
