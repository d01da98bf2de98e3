//! Cloud-to-device queues, stored sessions, uploads and notices.

use ironhub_cluster::GroupId;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::notice::NoticeKind;
use ironhub_domain::time::UnixMs;

use super::{key, of_identity};

const QUEUE: u8 = 0x30;
const MESSAGE: u8 = 0x31;
const DUE: u8 = 0x32;
const SESSION: u8 = 0x33;
const UPLOADS: u8 = 0x34;
const NOTICE_COUNTERS: u8 = 0x35;
const NOTICE: u8 = 0x36;
const FEEDBACK_OF: u8 = 0x37;

fn of(group: GroupId, kind: u8, identity: &IdentityId) -> Vec<u8> {
    of_identity(group, kind, &identity.device, identity.module.as_ref())
}

/// The index of a queue.
pub(in crate::partition) fn queue(group: GroupId, identity: &IdentityId) -> Vec<u8> {
    of(group, QUEUE, identity)
}

/// A message of a queue.
pub(in crate::partition) fn message(
    group: GroupId,
    identity: &IdentityId,
    sequence: u64,
) -> Vec<u8> {
    let mut key = of(group, MESSAGE, identity);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// Says that a queue is due then: time, identity.
pub(in crate::partition) fn due(group: GroupId, at: UnixMs, identity: &IdentityId) -> Vec<u8> {
    let mut key = of(group, DUE, identity);
    key.splice(5..5, at.0.to_be_bytes());
    key
}

/// Everything that is due at a time or before lies between these.
pub(in crate::partition) fn due_until(group: GroupId, at: UnixMs) -> (Vec<u8>, Vec<u8>) {
    let to = match at.0.checked_add(1) {
        Some(after) => key(group, DUE, &after.to_be_bytes()),
        None => key(group, DUE + 1, &[]),
    };
    (key(group, DUE, &[]), to)
}

/// The time and the identity in a key that [`due`] made.
pub(in crate::partition) fn due_of(key: &[u8]) -> Option<(UnixMs, IdentityId)> {
    let (at, identity) = key.get(5..)?.split_first_chunk()?;
    let (device, module) = std::str::from_utf8(identity).ok()?.split_once('\0')?;
    let module = if module.is_empty() { None } else { Some(ModuleId::new(module).ok()?) };
    let identity = IdentityId { device: DeviceId::new(device).ok()?, module };
    Some((UnixMs(u64::from_be_bytes(*at)), identity))
}

pub(in crate::partition) fn session(group: GroupId, identity: &IdentityId) -> Vec<u8> {
    of(group, SESSION, identity)
}

pub(in crate::partition) fn uploads(group: GroupId, device: &DeviceId) -> Vec<u8> {
    key(group, UPLOADS, device.as_str().as_bytes())
}

const fn number(kind: NoticeKind) -> u8 {
    match kind {
        NoticeKind::Feedback => 1,
        NoticeKind::FileUpload => 2,
    }
}

pub(in crate::partition) fn notice_counters(group: GroupId, kind: NoticeKind) -> Vec<u8> {
    key(group, NOTICE_COUNTERS, &[number(kind)])
}

pub(in crate::partition) fn notice(group: GroupId, kind: NoticeKind, sequence: u64) -> Vec<u8> {
    let mut key = key(group, NOTICE, &[number(kind)]);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// Says that a device, or one of its modules, has feedback under this number.
pub(in crate::partition) fn feedback_of(
    group: GroupId,
    device: &DeviceId,
    sequence: u64,
) -> Vec<u8> {
    let mut key = of_identity(group, FEEDBACK_OF, device, None);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// All that [`feedback_of`] makes for a device: it has no number as high as the second key's.
pub(in crate::partition) fn all_feedback_of(
    group: GroupId,
    device: &DeviceId,
) -> (Vec<u8>, Vec<u8>) {
    (feedback_of(group, device, 0), feedback_of(group, device, u64::MAX))
}

/// The number at the end of a key that [`notice`] or [`feedback_of`] made.
pub(in crate::partition) fn sequence_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().copied().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_in_the_order_of_time_and_names_its_identity() {
        let group = GroupId(3);
        let device = DeviceId::new("d").unwrap();
        let module = IdentityId::module(device.clone(), ModuleId::new("m").unwrap());
        let device = IdentityId::device(device);
        let key = |at, identity| due(group, UnixMs(at), identity);
        for (at, identity) in [(0, &device), (1 << 40, &module), (u64::MAX, &device)] {
            assert_eq!(due_of(&key(at, identity)), Some((UnixMs(at), identity.clone())));
        }
        assert!(key(255, &module) < key(256, &device));
        for (at, until, inside) in [(7, 7, true), (8, 7, false), (u64::MAX, u64::MAX, true)] {
            let (from, to) = due_until(group, UnixMs(until));
            assert_eq!((from..to).contains(&key(at, &module)), inside, "{at} {until}");
        }
        assert_eq!(due_of(b"short"), None);
    }
}
