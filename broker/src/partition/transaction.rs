//! The rules' view of a partition's records: what is stored, as changed by the entry being applied.

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateTx, StorageError};
use ironhub_domain::auth::PolicySet;
use ironhub_domain::device::DeviceIdentity;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::partition::{ConsumerGroup, EventLog, HubInfo, Records};

use super::encode::{device, hub};
use super::keys;

pub(super) struct Transaction<'t, 's> {
    pub(super) group: GroupId,
    pub(super) log: &'t mut EventLog,
    pub(super) tx: &'t mut StateTx<'s>,
}

impl Transaction<'_, '_> {
    fn read<T>(
        &self,
        key: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        self.tx.get(key)?.map(|value| decode(&value)).transpose()
    }
}

impl Records for Transaction<'_, '_> {
    type Error = StorageError;

    fn event_log(&mut self) -> &mut EventLog {
        self.log
    }

    fn drop_events(&mut self, from: u64, to: u64) {
        self.tx.drop_events(keys::event_row(self.group, from), keys::event_row(self.group, to));
    }

    fn device(&self, id: &DeviceId) -> Result<Option<DeviceIdentity>, StorageError> {
        self.read(&keys::device(self.group, id), device::decode)
    }

    fn put_device(&mut self, identity: &DeviceIdentity) {
        self.tx.put(keys::device(self.group, &identity.id), device::encode(identity));
    }

    fn delete_device(&mut self, id: &DeviceId) {
        self.tx.delete(keys::device(self.group, id));
    }

    fn hub(&self) -> Result<Option<HubInfo>, StorageError> {
        self.read(&keys::hub(self.group), hub::decode_hub)
    }

    fn put_hub(&mut self, info: &HubInfo) {
        self.tx.put(keys::hub(self.group), hub::encode_hub(info));
    }

    fn policies(&self) -> Result<Option<PolicySet>, StorageError> {
        self.read(&keys::policies(self.group), hub::decode_policies)
    }

    fn put_policies(&mut self, policies: &PolicySet) {
        self.tx.put(keys::policies(self.group), hub::encode_policies(policies));
    }

    fn consumer_groups(&self) -> Result<Vec<ConsumerGroup>, StorageError> {
        let groups = self.read(&keys::consumer_groups(self.group), hub::decode_consumer_groups)?;
        Ok(groups.unwrap_or_default())
    }

    fn put_consumer_groups(&mut self, groups: &[ConsumerGroup]) {
        self.tx.put(keys::consumer_groups(self.group), hub::encode_consumer_groups(groups));
    }
}
