//! What queries and services read of the registry: presence, counts, indexes, and identities one after the other.

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{Area, StateStore, StorageError};
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity, Presence};
use ironhub_domain::ids::{DeviceId, IdentityId};

use super::read;
use crate::partition::encode::{device, module, presence as presence_record};
use crate::partition::index::RegistryCounts;
use crate::partition::keys;

/// The presence of an identity as it was last noted; `None` while it was never heard of.
pub fn presence(
    store: &dyn StateStore,
    group: GroupId,
    identity: &IdentityId,
) -> Result<Option<Presence>, StorageError> {
    read(store, &keys::presence(group, identity), presence_record::decode)
}

/// How many identities a partition has.
pub fn counts(store: &dyn StateStore, group: GroupId) -> Result<RegistryCounts, StorageError> {
    Ok(read(store, &keys::counts(group), presence_record::decode_counts)?.unwrap_or_default())
}

/// The paths of tags that a partition indexes.
pub fn indexed_tags(store: &dyn StateStore, group: GroupId) -> Result<Vec<String>, StorageError> {
    let paths = read(store, &keys::indexed_tags(group), presence_record::decode_indexed_tags)?;
    Ok(paths.unwrap_or_default())
}

/// At most `max` identities that the index of that name has under a value of this form
/// ([`index_value`](crate::partition::index::index_value)), in the order of their ids, beginning behind `after`.
pub fn indexed(
    store: &dyn StateStore,
    group: GroupId,
    (name, value): (&str, &[u8]),
    after: Option<&IdentityId>,
    max: usize,
) -> Result<Vec<IdentityId>, StorageError> {
    let (from, to) = keys::index::of_value(group, name, value, after);
    let mut found = Vec::new();
    if max == 0 {
        return Ok(found);
    }
    store.scan(Area::Records, &from, &to, &mut |key, _| {
        found.extend(keys::index::identity(group, name, value, key));
        if found.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}

/// Visits the forms of values that the index of that name has for devices, in their order, each with the number of devices
/// that have it, until the visitor breaks; with `form` that one only.
pub fn count_indexed(
    store: &dyn StateStore,
    group: GroupId,
    name: &str,
    form: Option<&[u8]>,
    visit: &mut dyn FnMut(&[u8], u64) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    let (from, to) = match form {
        Some(form) => keys::index::of_value(group, name, form, None),
        None => keys::index::of_name(group, name),
    };
    let (mut at, mut count) = (Vec::new(), 0);
    let mut flow = ControlFlow::Continue(());
    store.scan(Area::Records, &from, &to, &mut |key, _| {
        let Some((value, is_device)) = keys::index::value_in(name, key) else { return flow };
        if value != at {
            if count > 0 {
                flow = visit(&at, count);
            }
            at.clear();
            at.extend_from_slice(value);
            count = 0;
        }
        count += u64::from(is_device);
        flow
    })?;
    if count > 0 && flow.is_continue() {
        // The last value; nobody is there to stop for.
        let _ = visit(&at, count);
    }
    Ok(())
}

/// Visits the devices of one partition in the order of their ids, beginning behind `after`, until the visitor breaks.
pub fn visit_devices(
    store: &dyn StateStore,
    group: GroupId,
    after: Option<&DeviceId>,
    visit: &mut dyn FnMut(DeviceIdentity) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    let (from, to) = (keys::devices_after(group, after), keys::devices_end(group));
    visit_records(store, &from, &to, &device::decode, visit)
}

/// Visits the modules of one partition in the order of their devices' and their own ids, beginning behind `after`.
pub fn visit_modules(
    store: &dyn StateStore,
    group: GroupId,
    after: Option<&IdentityId>,
    visit: &mut dyn FnMut(ModuleIdentity) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    let (from, to) = keys::modules_after(group, after);
    visit_records(store, &from, &to, &module::decode, visit)
}

fn visit_records<T>(
    store: &dyn StateStore,
    from: &[u8],
    to: &[u8],
    decode: &dyn Fn(&[u8]) -> Result<T, StorageError>,
    visit: &mut dyn FnMut(T) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    let mut failed = None;
    store.scan(Area::Records, from, to, &mut |_, record| match decode(record) {
        Ok(record) => visit(record),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}
