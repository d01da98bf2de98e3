//! The rules' view of a partition's records: what is stored, as changed by the entry being applied.

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateTx, StorageError};
use ironhub_domain::auth::{Authority, PolicySet};
use ironhub_domain::c2d::{C2dMessage, Queue};
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity, StoredSession};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::notice::{Notice, NoticeKind};
use ironhub_domain::partition::{ConsumerGroup, EventLog, HubInfo, Records};
use ironhub_domain::twin::Twin;
use ironhub_domain::upload::UploadTicket;

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

    // Twins, modules, authorities.

    fn authorities(&self) -> Result<Vec<Authority>, StorageError> {
        Ok(Vec::new())
    }

    fn put_authorities(&mut self, _: &[Authority]) {}

    fn module(&self, _: &DeviceId, _: &ModuleId) -> Result<Option<ModuleIdentity>, StorageError> {
        Ok(None)
    }

    fn modules(&self, _: &DeviceId) -> Result<Vec<ModuleIdentity>, StorageError> {
        Ok(Vec::new())
    }

    fn put_module(&mut self, _: &ModuleIdentity) {}

    fn delete_module(&mut self, _: &DeviceId, _: &ModuleId) {}

    fn twin(&self, _: &IdentityId) -> Result<Option<Twin>, StorageError> {
        Ok(None)
    }

    fn put_twin(&mut self, _: &IdentityId, _: &Twin) {}

    fn delete_twin(&mut self, _: &IdentityId) {}

    // C2D, sessions, uploads, notices.

    fn c2d_queue(&self, _: &IdentityId) -> Result<Option<Queue>, StorageError> {
        Ok(None)
    }

    fn put_c2d_queue(&mut self, _: &IdentityId, _: &Queue) -> Result<(), StorageError> {
        Ok(())
    }

    fn delete_c2d_queue(&mut self, _: &IdentityId) -> Result<(), StorageError> {
        Ok(())
    }

    fn c2d_message(&self, _: &IdentityId, _: u64) -> Result<Option<C2dMessage>, StorageError> {
        Ok(None)
    }

    fn put_c2d_message(&mut self, _: &IdentityId, _: u64, _: &C2dMessage) {}

    fn delete_c2d_message(&mut self, _: &IdentityId, _: u64) {}

    fn session(&self, _: &IdentityId) -> Result<Option<StoredSession>, StorageError> {
        Ok(None)
    }

    fn put_session(&mut self, _: &IdentityId, _: &StoredSession) {}

    fn delete_session(&mut self, _: &IdentityId) {}

    fn uploads(&self, _: &DeviceId) -> Result<Vec<UploadTicket>, StorageError> {
        Ok(Vec::new())
    }

    fn put_uploads(&mut self, _: &DeviceId, _: &[UploadTicket]) {}

    fn push_notice(&mut self, _: &Notice) -> Result<(), StorageError> {
        Ok(())
    }

    fn drop_notices(&mut self, _: NoticeKind, _: &[u64]) -> Result<(), StorageError> {
        Ok(())
    }

    fn drop_feedback_of(&mut self, _: &DeviceId) -> Result<(), StorageError> {
        Ok(())
    }
}
