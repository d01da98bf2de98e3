//! Keys of the secondary indexes: name, zero byte, value, zero byte, device, zero byte, module if it is one. There is nothing
//! under them. Neither names nor ids have zero bytes, and a value is cut before its first.

use ironhub_cluster::GroupId;
use ironhub_domain::ids::{IdentityId, ModuleId};

use super::{key, split_identity};

const INDEX: u8 = 0x60;

fn start(group: GroupId, name: &str, value: &[u8]) -> Vec<u8> {
    key(group, INDEX, &[name.as_bytes(), &[0], value, &[0]].concat())
}

pub(in crate::partition) fn entry(
    group: GroupId,
    name: &str,
    value: &[u8],
    identity: &IdentityId,
) -> Vec<u8> {
    let mut key = start(group, name, value);
    key.extend_from_slice(identity.device.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(identity.module.as_ref().map_or("", ModuleId::as_str).as_bytes());
    key
}

/// The entries of one value lie between these two; behind `after`, if that is given.
pub(in crate::partition) fn of_value(
    group: GroupId,
    name: &str,
    value: &[u8],
    after: Option<&IdentityId>,
) -> (Vec<u8>, Vec<u8>) {
    let mut to = start(group, name, value);
    let from = match after {
        Some(identity) => {
            let mut from = entry(group, name, value, identity);
            from.push(0);
            from
        }
        None => to.clone(),
    };
    to.push(0xff);
    (from, to)
}

/// All entries of one name lie between these two.
pub(in crate::partition) fn of_name(group: GroupId, name: &str) -> (Vec<u8>, Vec<u8>) {
    let at = |end| key(group, INDEX, &[name.as_bytes(), &[end]].concat());
    (at(0), at(1))
}

/// The value and whether it is a device's (not a module's) in the key of an entry of this name.
pub(in crate::partition) fn value_in<'k>(name: &str, key: &'k [u8]) -> Option<(&'k [u8], bool)> {
    let rest = key.get(5..)?.strip_prefix(name.as_bytes())?.strip_prefix(&[0])?;
    let at = rest.iter().position(|byte| *byte == 0)?;
    Some((&rest[..at], rest.last() == Some(&0)))
}

/// The identity at the end of an entry's key; `None` if it is no entry of this value.
pub(in crate::partition) fn identity(
    group: GroupId,
    name: &str,
    value: &[u8],
    key: &[u8],
) -> Option<IdentityId> {
    let rest = key.strip_prefix(start(group, name, value).as_slice())?;
    split_identity(rest)
}
