//! Records in memory, for tests of the rules.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::*;
use crate::auth::Authority;
use crate::c2d::{C2dMessage, Queue};
use crate::device::{DeviceIdentity, ModuleIdentity, Presence, StoredSession};
use crate::document::{Document, DocumentKind};
use crate::ids::{IdentityId, ModuleId};
use crate::job::{DeviceJob, JobId};
use crate::notice::{Notice, NoticeKind};
use crate::partition::event_log::{EventLog, Stream};
use crate::twin::Twin;
use crate::upload::UploadTicket;

/// A partition's records, in memory.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) logs: BTreeMap<Stream, EventLog>,
    pub(super) dropped: Vec<(Stream, u64, u64)>,
    pub(super) cursors: BTreeMap<Stream, u64>,
    pub(super) devices: BTreeMap<DeviceId, DeviceIdentity>,
    pub(super) hub: Option<HubInfo>,
    pub(super) policies: Option<PolicySet>,
    pub(super) groups: Vec<ConsumerGroup>,
    pub(super) authorities: Vec<Authority>,
    pub(super) modules: BTreeMap<IdentityId, ModuleIdentity>,
    pub(super) presences: BTreeMap<IdentityId, Presence>,
    pub(super) indexed_tags: Vec<String>,
    pub(super) documents: BTreeMap<(DocumentKind, String), Document>,
    pub(super) twins: BTreeMap<IdentityId, Twin>,
    pub(super) jobs: BTreeMap<(JobId, IdentityId), DeviceJob>,
    pub(super) queues: BTreeMap<IdentityId, Queue>,
    pub(super) messages: BTreeMap<(IdentityId, u64), C2dMessage>,
    pub(super) sessions: BTreeMap<IdentityId, StoredSession>,
    pub(super) uploads: BTreeMap<DeviceId, Vec<UploadTicket>>,
    /// By sequence number; `None` where one was dropped.
    pub(super) notices: Vec<Option<Notice>>,
}

impl Records for Memory {
    type Error = Infallible;

    fn event_log(&mut self, stream: Stream) -> &mut EventLog {
        self.logs.entry(stream).or_default()
    }
    fn drop_events(&mut self, stream: Stream, from: u64, to: u64) {
        self.dropped.push((stream, from, to));
    }
    fn forget_stream(&mut self, stream: Stream) {
        self.logs.remove(&stream);
        self.cursors.remove(&stream);
    }
    fn cursor(&self, stream: Stream) -> Result<u64, Infallible> {
        Ok(self.cursors.get(&stream).copied().unwrap_or_default())
    }
    fn put_cursor(&mut self, stream: Stream, sequence: u64) {
        self.cursors.insert(stream, sequence);
    }
    fn device(&self, id: &DeviceId) -> Result<Option<DeviceIdentity>, Infallible> {
        Ok(self.devices.get(id).cloned())
    }
    fn put_device(&mut self, device: &DeviceIdentity) -> Result<(), Infallible> {
        self.devices.insert(device.id.clone(), device.clone());
        Ok(())
    }
    fn delete_device(&mut self, id: &DeviceId) -> Result<(), Infallible> {
        self.devices.remove(id);
        Ok(())
    }
    fn presence(&self, identity: &IdentityId) -> Result<Option<Presence>, Infallible> {
        Ok(self.presences.get(identity).cloned())
    }
    fn put_presence(
        &mut self,
        identity: &IdentityId,
        presence: &Presence,
    ) -> Result<(), Infallible> {
        self.presences.insert(identity.clone(), presence.clone());
        Ok(())
    }
    fn delete_presence(&mut self, identity: &IdentityId) -> Result<(), Infallible> {
        self.presences.remove(identity);
        Ok(())
    }
    fn set_indexed_tags(&mut self, paths: &[String]) -> Result<(), Infallible> {
        self.indexed_tags = paths.to_vec();
        Ok(())
    }
    fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, Infallible> {
        Ok(self.documents.get(&(kind, id.to_owned())).cloned())
    }
    fn count_documents(&self, kind: DocumentKind) -> Result<usize, Infallible> {
        Ok(self.documents.keys().filter(|(of, _)| *of == kind).count())
    }
    fn put_document(&mut self, kind: DocumentKind, document: &Document) {
        self.documents.insert((kind, document.id.clone()), document.clone());
    }
    fn delete_document(&mut self, kind: DocumentKind, id: &str) {
        self.documents.remove(&(kind, id.to_owned()));
    }
    fn hub(&self) -> Result<Option<HubInfo>, Infallible> {
        Ok(self.hub.clone())
    }
    fn put_hub(&mut self, hub: &HubInfo) {
        self.hub = Some(hub.clone());
    }
    fn policies(&self) -> Result<Option<PolicySet>, Infallible> {
        Ok(self.policies.clone())
    }
    fn put_policies(&mut self, policies: &PolicySet) {
        self.policies = Some(policies.clone());
    }
    fn consumer_groups(&self) -> Result<Vec<ConsumerGroup>, Infallible> {
        Ok(self.groups.clone())
    }
    fn put_consumer_groups(&mut self, groups: &[ConsumerGroup]) {
        self.groups = groups.to_vec();
    }

    // Twins, modules, authorities.

    fn authorities(&self) -> Result<Vec<Authority>, Infallible> {
        Ok(self.authorities.clone())
    }
    fn put_authorities(&mut self, authorities: &[Authority]) {
        self.authorities = authorities.to_vec();
    }
    fn module(
        &self,
        device: &DeviceId,
        module: &ModuleId,
    ) -> Result<Option<ModuleIdentity>, Infallible> {
        let identity = IdentityId::module(device.clone(), module.clone());
        Ok(self.modules.get(&identity).cloned())
    }
    fn modules(&self, device: &DeviceId) -> Result<Vec<ModuleIdentity>, Infallible> {
        Ok(self.modules.values().filter(|module| module.device == *device).cloned().collect())
    }
    fn put_module(&mut self, module: &ModuleIdentity) {
        let identity = IdentityId::module(module.device.clone(), module.id.clone());
        self.modules.insert(identity, module.clone());
    }
    fn delete_module(&mut self, device: &DeviceId, module: &ModuleId) {
        self.modules.remove(&IdentityId::module(device.clone(), module.clone()));
    }
    fn twin(&self, identity: &IdentityId) -> Result<Option<Twin>, Infallible> {
        Ok(self.twins.get(identity).cloned())
    }
    fn put_twin(&mut self, identity: &IdentityId, twin: &Twin) -> Result<(), Infallible> {
        self.twins.insert(identity.clone(), twin.clone());
        Ok(())
    }
    fn delete_twin(&mut self, identity: &IdentityId) -> Result<(), Infallible> {
        self.twins.remove(identity);
        Ok(())
    }

    // Jobs.

    fn device_job(
        &self,
        job: &JobId,
        identity: &IdentityId,
    ) -> Result<Option<DeviceJob>, Infallible> {
        Ok(self.jobs.get(&(job.clone(), identity.clone())).cloned())
    }
    fn device_jobs(
        &self,
        job: &JobId,
        after: Option<&IdentityId>,
        max: usize,
    ) -> Result<Vec<DeviceJob>, Infallible> {
        let of_job = self.jobs.values().filter(|row| row.job == *job);
        let behind = of_job.filter(|row| after.is_none_or(|after| row.identity > *after));
        Ok(behind.take(max).cloned().collect())
    }
    fn put_device_job(&mut self, row: &DeviceJob) -> Result<(), Infallible> {
        self.jobs.insert((row.job.clone(), row.identity.clone()), row.clone());
        Ok(())
    }
    fn delete_device_job(&mut self, row: &DeviceJob) -> Result<(), Infallible> {
        self.jobs.remove(&(row.job.clone(), row.identity.clone()));
        Ok(())
    }

    // C2D, sessions, uploads, notices.

    fn c2d_queue(&self, identity: &IdentityId) -> Result<Option<Queue>, Infallible> {
        Ok(self.queues.get(identity).cloned())
    }

    fn put_c2d_queue(&mut self, identity: &IdentityId, queue: &Queue) -> Result<(), Infallible> {
        self.queues.insert(identity.clone(), queue.clone());
        Ok(())
    }

    fn delete_c2d_queue(&mut self, identity: &IdentityId) -> Result<(), Infallible> {
        self.queues.remove(identity);
        Ok(())
    }

    fn c2d_message(
        &self,
        identity: &IdentityId,
        sequence: u64,
    ) -> Result<Option<C2dMessage>, Infallible> {
        Ok(self.messages.get(&(identity.clone(), sequence)).cloned())
    }

    fn put_c2d_message(&mut self, identity: &IdentityId, sequence: u64, message: &C2dMessage) {
        self.messages.insert((identity.clone(), sequence), message.clone());
    }

    fn delete_c2d_message(&mut self, identity: &IdentityId, sequence: u64) {
        self.messages.remove(&(identity.clone(), sequence));
    }

    fn session(&self, identity: &IdentityId) -> Result<Option<StoredSession>, Infallible> {
        Ok(self.sessions.get(identity).cloned())
    }

    fn put_session(&mut self, identity: &IdentityId, session: &StoredSession) {
        self.sessions.insert(identity.clone(), session.clone());
    }

    fn delete_session(&mut self, identity: &IdentityId) {
        self.sessions.remove(identity);
    }

    fn uploads(&self, device: &DeviceId) -> Result<Vec<UploadTicket>, Infallible> {
        Ok(self.uploads.get(device).cloned().unwrap_or_default())
    }

    fn put_uploads(&mut self, device: &DeviceId, uploads: &[UploadTicket]) {
        self.uploads.insert(device.clone(), uploads.to_vec());
    }

    fn push_notice(&mut self, notice: &Notice) -> Result<(), Infallible> {
        self.notices.push(Some(notice.clone()));
        Ok(())
    }

    fn drop_notices(&mut self, kind: NoticeKind, sequences: &[u64]) -> Result<(), Infallible> {
        for sequence in sequences {
            let slot = self.notices.get_mut(*sequence as usize);
            if let Some(slot) = slot.filter(|slot| slot.as_ref().is_some_and(|n| n.kind() == kind))
            {
                *slot = None;
            }
        }
        Ok(())
    }

    fn drop_feedback_of(&mut self, device: &DeviceId) -> Result<(), Infallible> {
        for slot in &mut self.notices {
            if matches!(slot, Some(Notice::Feedback { identity, .. }) if identity.device == *device)
            {
                *slot = None;
            }
        }
        Ok(())
    }
}
