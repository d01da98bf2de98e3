//! The rules' view of a partition's records: what is stored, as changed by the entry being applied.

mod index;
mod jobs;
mod notices;

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateTx, StorageError};
use ironhub_domain::auth::{Authority, PolicySet};
use ironhub_domain::c2d::{C2dMessage, Queue};
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity, Presence, StoredSession};
use ironhub_domain::document::{Document, DocumentKind};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::job::{DeviceJob, JobId};
use ironhub_domain::notice::{Notice, NoticeKind};
use ironhub_domain::partition::{ConsumerGroup, EventLog, HubInfo, Records, Stream};
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::Twin;
use ironhub_domain::upload::UploadTicket;

use super::encode::{authority, begun, c2d, device, document, hub, module, presence, twin};
use super::keys;
use super::machine::Logs;

pub(super) struct Transaction<'t, 's> {
    pub(super) group: GroupId,
    pub(super) logs: &'t mut Logs,
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

    /// Moves a queue's place in the index of what is due: from where its stored form put it, to a new one.
    fn set_c2d_due(
        &mut self,
        identity: &IdentityId,
        due: Option<UnixMs>,
    ) -> Result<(), StorageError> {
        let before = self.c2d_queue(identity)?.and_then(|queue| queue.next_due());
        if before != due {
            if let Some(at) = before {
                self.tx.delete(keys::c2d::due(self.group, at, identity));
            }
            if let Some(at) = due {
                self.tx.put(keys::c2d::due(self.group, at, identity), Vec::new());
            }
        }
        Ok(())
    }
}

impl Records for Transaction<'_, '_> {
    type Error = StorageError;

    fn event_log(&mut self, stream: Stream) -> &mut EventLog {
        self.logs.get_mut(stream)
    }

    fn drop_events(&mut self, stream: Stream, from: u64, to: u64) {
        let row = |sequence| keys::event_row(self.group, stream, sequence);
        let (from, to) = (row(from), row(to));
        self.tx.drop_events(from, to);
    }

    fn forget_stream(&mut self, stream: Stream) {
        self.logs.remove(stream);
        self.tx.delete(keys::event_log(self.group, stream));
        self.tx.delete(keys::cursor(self.group, stream));
    }

    fn cursor(&self, stream: Stream) -> Result<u64, StorageError> {
        let cursor = self.read(&keys::cursor(self.group, stream), hub::decode_cursor)?;
        Ok(cursor.unwrap_or_default())
    }

    fn put_cursor(&mut self, stream: Stream, sequence: u64) {
        self.tx.put(keys::cursor(self.group, stream), hub::encode_cursor(stream, sequence));
    }

    fn device(&self, id: &DeviceId) -> Result<Option<DeviceIdentity>, StorageError> {
        self.read(&keys::device(self.group, id), device::decode)
    }

    fn put_device(&mut self, identity: &DeviceIdentity) -> Result<(), StorageError> {
        self.note_device(&identity.id, Some(identity))?;
        self.tx.put(keys::device(self.group, &identity.id), device::encode(identity));
        Ok(())
    }

    fn delete_device(&mut self, id: &DeviceId) -> Result<(), StorageError> {
        self.note_device(id, None)?;
        self.tx.delete(keys::device(self.group, id));
        Ok(())
    }

    fn presence(&self, identity: &IdentityId) -> Result<Option<Presence>, StorageError> {
        self.read(&keys::presence(self.group, identity), presence::decode)
    }

    fn put_presence(
        &mut self,
        identity: &IdentityId,
        presence: &Presence,
    ) -> Result<(), StorageError> {
        self.change_presence(identity, Some(presence))?;
        self.tx.put(keys::presence(self.group, identity), presence::encode(presence));
        Ok(())
    }

    fn delete_presence(&mut self, identity: &IdentityId) -> Result<(), StorageError> {
        self.change_presence(identity, None)?;
        self.tx.delete(keys::presence(self.group, identity));
        Ok(())
    }

    fn set_indexed_tags(&mut self, paths: &[String]) -> Result<(), StorageError> {
        self.index_tags_anew(paths)
    }

    fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, StorageError> {
        self.read(&keys::document(self.group, kind, id), document::decode)
    }

    fn count_documents(&self, kind: DocumentKind) -> Result<usize, StorageError> {
        let (from, to) = keys::documents(self.group, kind);
        let mut count = 0;
        self.tx.scan(&from, &to, &mut |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    fn put_document(&mut self, kind: DocumentKind, document: &Document) {
        let key = keys::document(self.group, kind, &document.id);
        self.tx.put(key, document::encode(document));
    }

    fn delete_document(&mut self, kind: DocumentKind, id: &str) {
        self.tx.delete(keys::document(self.group, kind, id));
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
        let authorities = self.read(&keys::authorities(self.group), authority::decode)?;
        Ok(authorities.unwrap_or_default())
    }

    fn put_authorities(&mut self, authorities: &[Authority]) {
        self.tx.put(keys::authorities(self.group), authority::encode(authorities));
    }

    fn module(
        &self,
        device: &DeviceId,
        module: &ModuleId,
    ) -> Result<Option<ModuleIdentity>, StorageError> {
        self.read(&keys::module(self.group, device, module), module::decode)
    }

    fn modules(&self, device: &DeviceId) -> Result<Vec<ModuleIdentity>, StorageError> {
        let (from, to) = keys::modules(self.group, device);
        let mut modules = Vec::new();
        self.tx.scan(&from, &to, &mut |_, record| {
            modules.push(module::decode(record));
            ControlFlow::Continue(())
        })?;
        modules.into_iter().collect()
    }

    fn put_module(&mut self, module: &ModuleIdentity) {
        self.tx.put(keys::module(self.group, &module.device, &module.id), module::encode(module));
    }

    fn delete_module(&mut self, device: &DeviceId, module: &ModuleId) {
        self.tx.delete(keys::module(self.group, device, module));
    }

    fn twin(&self, identity: &IdentityId) -> Result<Option<Twin>, StorageError> {
        self.read(&keys::twin(self.group, identity), twin::decode)
    }

    fn put_twin(&mut self, identity: &IdentityId, twin: &Twin) -> Result<(), StorageError> {
        self.change_tags(identity, Some(twin))?;
        self.tx.put(keys::twin(self.group, identity), twin::encode(twin));
        Ok(())
    }

    fn delete_twin(&mut self, identity: &IdentityId) -> Result<(), StorageError> {
        self.change_tags(identity, None)?;
        self.tx.delete(keys::twin(self.group, identity));
        Ok(())
    }

    // Jobs.

    fn device_job(
        &self,
        job: &JobId,
        identity: &IdentityId,
    ) -> Result<Option<DeviceJob>, StorageError> {
        self.read_device_job(job, identity)
    }

    fn device_jobs(
        &self,
        job: &JobId,
        after: Option<&IdentityId>,
        max: usize,
    ) -> Result<Vec<DeviceJob>, StorageError> {
        self.read_device_jobs(job, after, max)
    }

    fn put_device_job(&mut self, row: &DeviceJob) -> Result<(), StorageError> {
        self.write_device_job(row)
    }

    fn delete_device_job(&mut self, row: &DeviceJob) -> Result<(), StorageError> {
        self.remove_device_job(row)
    }

    // C2D, sessions, uploads, notices.

    fn c2d_queue(&self, identity: &IdentityId) -> Result<Option<Queue>, StorageError> {
        self.read(&keys::c2d::queue(self.group, identity), c2d::decode_queue)
    }

    fn put_c2d_queue(&mut self, identity: &IdentityId, queue: &Queue) -> Result<(), StorageError> {
        self.set_c2d_due(identity, queue.next_due())?;
        self.tx.put(keys::c2d::queue(self.group, identity), c2d::encode_queue(queue));
        Ok(())
    }

    fn delete_c2d_queue(&mut self, identity: &IdentityId) -> Result<(), StorageError> {
        self.set_c2d_due(identity, None)?;
        self.tx.delete(keys::c2d::queue(self.group, identity));
        Ok(())
    }

    fn c2d_message(
        &self,
        identity: &IdentityId,
        sequence: u64,
    ) -> Result<Option<C2dMessage>, StorageError> {
        self.read(&keys::c2d::message(self.group, identity, sequence), c2d::decode_message)
    }

    fn put_c2d_message(&mut self, identity: &IdentityId, sequence: u64, message: &C2dMessage) {
        let key = keys::c2d::message(self.group, identity, sequence);
        self.tx.put(key, c2d::encode_message(message));
    }

    fn delete_c2d_message(&mut self, identity: &IdentityId, sequence: u64) {
        self.tx.delete(keys::c2d::message(self.group, identity, sequence));
    }

    fn session(&self, identity: &IdentityId) -> Result<Option<StoredSession>, StorageError> {
        self.read(&keys::c2d::session(self.group, identity), begun::decode_session)
    }

    fn put_session(&mut self, identity: &IdentityId, session: &StoredSession) {
        self.tx.put(keys::c2d::session(self.group, identity), begun::encode_session(session));
    }

    fn delete_session(&mut self, identity: &IdentityId) {
        self.tx.delete(keys::c2d::session(self.group, identity));
    }

    fn uploads(&self, device: &DeviceId) -> Result<Vec<UploadTicket>, StorageError> {
        let uploads = self.read(&keys::c2d::uploads(self.group, device), begun::decode_uploads)?;
        Ok(uploads.unwrap_or_default())
    }

    fn put_uploads(&mut self, device: &DeviceId, uploads: &[UploadTicket]) {
        let key = keys::c2d::uploads(self.group, device);
        if uploads.is_empty() {
            self.tx.delete(key);
        } else {
            self.tx.put(key, begun::encode_uploads(uploads));
        }
    }

    fn push_notice(&mut self, notice: &Notice) -> Result<(), StorageError> {
        self.append_notice(notice)
    }

    fn drop_notices(&mut self, kind: NoticeKind, sequences: &[u64]) -> Result<(), StorageError> {
        self.remove_notices(kind, sequences)
    }

    fn drop_feedback_of(&mut self, device: &DeviceId) -> Result<(), StorageError> {
        self.remove_feedback_of(device)
    }
}
