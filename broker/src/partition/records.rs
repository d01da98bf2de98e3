//! Reads of applied records, from any thread. What is read is as new as this node has applied; a caller that needs it
//! linearizable asks the partition for a read barrier first.

mod beside;
mod c2d;
mod document;
mod jobs;
mod registry;

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{Area, StateStore, StorageError};
use ironhub_domain::auth::{Authority, PolicySet};
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::partition::{ConsumerGroup, HubInfo};
use ironhub_domain::twin::Twin;

use super::encode::{
    authority as authority_record, device as device_record, hub as hub_record,
    module as module_record, twin as twin_record,
};
use super::keys;

pub use beside::{visit_with_presences, visit_with_twins};
pub use c2d::{c2d_due, c2d_message, c2d_queue, next_c2d_due, notices, session, uploads};
pub use document::{cursor, document, documents};
pub(super) use jobs::decode_row as decode_device_job;
pub use jobs::{
    device_job, job_counts, jobs_behind, visit_all_device_jobs, visit_device_jobs,
    visit_jobs_of_device,
};
pub use registry::{
    count_indexed, counts, indexed, indexed_tags, presence, visit_devices, visit_modules,
};

/// The partition that holds what concerns the hub as a whole.
pub const SYSTEM: GroupId = GroupId(0);

/// The identity of a device.
pub fn device(
    store: &dyn StateStore,
    group: GroupId,
    id: &DeviceId,
) -> Result<Option<DeviceIdentity>, StorageError> {
    read(store, &keys::device(group, id), device_record::decode)
}

/// A module of a device.
pub fn module(
    store: &dyn StateStore,
    group: GroupId,
    device: &DeviceId,
    module: &ModuleId,
) -> Result<Option<ModuleIdentity>, StorageError> {
    read(store, &keys::module(group, device, module), module_record::decode)
}

/// The modules of a device in the order of their ids: at most
/// [`MODULES_MAX`](ironhub_domain::limits::MODULES_MAX).
pub fn modules(
    store: &dyn StateStore,
    group: GroupId,
    device: &DeviceId,
) -> Result<Vec<ModuleIdentity>, StorageError> {
    let (from, to) = keys::modules(group, device);
    let mut modules = Vec::new();
    store.scan(Area::Records, &from, &to, &mut |_, record| {
        modules.push(module_record::decode(record));
        ControlFlow::Continue(())
    })?;
    modules.into_iter().collect()
}

/// The twin of a device or module; `None` while nothing of it was ever changed (then it is [`Twin::new`]), or if there is
/// no such identity.
pub fn twin(
    store: &dyn StateStore,
    group: GroupId,
    identity: &IdentityId,
) -> Result<Option<Twin>, StorageError> {
    read(store, &keys::twin(group, identity), twin_record::decode)
}

fn read<T>(
    store: &dyn StateStore,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, StorageError>,
) -> Result<Option<T>, StorageError> {
    store.get(Area::Records, key)?.map(|record| decode(&record)).transpose()
}

/// At most `max` identities of one partition in the order of their ids, beginning behind `after`.
pub fn list_devices(
    store: &dyn StateStore,
    group: GroupId,
    after: Option<&DeviceId>,
    max: usize,
) -> Result<Vec<DeviceIdentity>, StorageError> {
    let mut devices = Vec::new();
    if max == 0 {
        return Ok(devices);
    }
    visit_devices(store, group, after, &mut |device| {
        devices.push(device);
        if devices.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(devices)
}

/// What the hub is; `None` before it was founded.
pub fn hub(store: &dyn StateStore) -> Result<Option<HubInfo>, StorageError> {
    let record = store.get(Area::Records, &keys::hub(SYSTEM))?;
    record.map(|record| hub_record::decode_hub(&record)).transpose()
}

/// The shared access policies; `None` before the hub was founded.
pub fn policies(store: &dyn StateStore) -> Result<Option<PolicySet>, StorageError> {
    let record = store.get(Area::Records, &keys::policies(SYSTEM))?;
    record.map(|record| hub_record::decode_policies(&record)).transpose()
}

/// The consumer groups in the order they were made; `$Default` is always there and not among them.
pub fn consumer_groups(store: &dyn StateStore) -> Result<Vec<ConsumerGroup>, StorageError> {
    let record = store.get(Area::Records, &keys::consumer_groups(SYSTEM))?;
    record.map_or_else(|| Ok(Vec::new()), |record| hub_record::decode_consumer_groups(&record))
}

/// The certificate authorities in the order they were made.
pub fn authorities(store: &dyn StateStore) -> Result<Vec<Authority>, StorageError> {
    let authorities = read(store, &keys::authorities(SYSTEM), authority_record::decode)?;
    Ok(authorities.unwrap_or_default())
}
