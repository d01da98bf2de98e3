//! What the rules of a partition read and write.

use crate::auth::{Authority, PolicySet};
use crate::c2d::{C2dMessage, Queue};
use crate::device::{DeviceIdentity, ModuleIdentity, Presence, StoredSession};
use crate::document::{Document, DocumentKind};
use crate::ids::{DeviceId, IdentityId, ModuleId};
use crate::job::{DeviceJob, JobId};
use crate::notice::{Notice, NoticeKind};
use crate::partition::event_log::{EventLog, Stream};
use crate::partition::hub::{ConsumerGroup, HubInfo};
use crate::twin::Twin;
use crate::upload::UploadTicket;

/// The records of one partition, as the command being applied would leave them.
pub trait Records {
    /// Why a record could not be read; stops the partition.
    type Error;

    /// A log's counters. The shell stores them when they have changed.
    fn event_log(&mut self, stream: Stream) -> &mut EventLog;
    /// The events of a log with sequence numbers in `from..to` go.
    fn drop_events(&mut self, stream: Stream, from: u64, to: u64);
    /// A log's counters and cursor go, with all events that are left.
    fn forget_stream(&mut self, stream: Stream);
    /// The first event of a log that is not delivered yet; 0 while none was.
    fn cursor(&self, stream: Stream) -> Result<u64, Self::Error>;
    /// Stores a log's cursor.
    fn put_cursor(&mut self, stream: Stream, sequence: u64);

    /// An identity.
    fn device(&self, id: &DeviceId) -> Result<Option<DeviceIdentity>, Self::Error>;
    /// Stores an identity; the partition's counts and indexes follow, here and wherever a record they are about changes.
    fn put_device(&mut self, device: &DeviceIdentity) -> Result<(), Self::Error>;
    /// Removes an identity.
    fn delete_device(&mut self, id: &DeviceId) -> Result<(), Self::Error>;

    /// An identity's presence; `None` while it was never heard of.
    fn presence(&self, identity: &IdentityId) -> Result<Option<Presence>, Self::Error>;
    /// Stores an identity's presence.
    fn put_presence(
        &mut self,
        identity: &IdentityId,
        presence: &Presence,
    ) -> Result<(), Self::Error>;
    /// Removes an identity's presence.
    fn delete_presence(&mut self, identity: &IdentityId) -> Result<(), Self::Error>;
    /// Replaces the paths of tags that are indexed, and makes the index anew.
    fn set_indexed_tags(&mut self, paths: &[String]) -> Result<(), Self::Error>;

    /// A document of the hub.
    fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, Self::Error>;
    /// How many documents of a kind there are.
    fn count_documents(&self, kind: DocumentKind) -> Result<usize, Self::Error>;
    /// Stores a document.
    fn put_document(&mut self, kind: DocumentKind, document: &Document);
    /// Removes a document.
    fn delete_document(&mut self, kind: DocumentKind, id: &str);

    /// What the hub is.
    fn hub(&self) -> Result<Option<HubInfo>, Self::Error>;
    /// Stores what the hub is.
    fn put_hub(&mut self, hub: &HubInfo);
    /// The shared access policies.
    fn policies(&self) -> Result<Option<PolicySet>, Self::Error>;
    /// Stores the shared access policies.
    fn put_policies(&mut self, policies: &PolicySet);
    /// The consumer groups that were made, in that order; `$Default` is not among them.
    fn consumer_groups(&self) -> Result<Vec<ConsumerGroup>, Self::Error>;
    /// Replaces the list of consumer groups.
    fn put_consumer_groups(&mut self, groups: &[ConsumerGroup]);
    /// The certificate authorities, in the order they were made.
    fn authorities(&self) -> Result<Vec<Authority>, Self::Error>;
    /// Replaces the list of certificate authorities.
    fn put_authorities(&mut self, authorities: &[Authority]);

    /// A module.
    fn module(
        &self,
        device: &DeviceId,
        module: &ModuleId,
    ) -> Result<Option<ModuleIdentity>, Self::Error>;
    /// The modules of a device, by id.
    fn modules(&self, device: &DeviceId) -> Result<Vec<ModuleIdentity>, Self::Error>;
    /// Stores a module.
    fn put_module(&mut self, module: &ModuleIdentity);
    /// Removes a module's identity.
    fn delete_module(&mut self, device: &DeviceId, module: &ModuleId);

    /// A twin; `None` while nothing of it was ever changed.
    fn twin(&self, identity: &IdentityId) -> Result<Option<Twin>, Self::Error>;
    /// Stores a twin.
    fn put_twin(&mut self, identity: &IdentityId, twin: &Twin) -> Result<(), Self::Error>;
    /// Removes a twin.
    fn delete_twin(&mut self, identity: &IdentityId) -> Result<(), Self::Error>;

    /// What became of a job on one identity.
    fn device_job(
        &self,
        job: &JobId,
        identity: &IdentityId,
    ) -> Result<Option<DeviceJob>, Self::Error>;
    /// At most `max` rows of a job in the order of their identities, behind `after`.
    fn device_jobs(
        &self,
        job: &JobId,
        after: Option<&IdentityId>,
        max: usize,
    ) -> Result<Vec<DeviceJob>, Self::Error>;
    /// Stores a row of a job; the job's counts in this partition follow.
    fn put_device_job(&mut self, row: &DeviceJob) -> Result<(), Self::Error>;
    /// Removes a row of a job; the counts follow.
    fn delete_device_job(&mut self, row: &DeviceJob) -> Result<(), Self::Error>;

    /// A queue's index; `None` while it never held a message.
    fn c2d_queue(&self, identity: &IdentityId) -> Result<Option<Queue>, Self::Error>;
    /// Stores a queue's index, and with it when the queue is next due for a sweep.
    fn put_c2d_queue(&mut self, identity: &IdentityId, queue: &Queue) -> Result<(), Self::Error>;
    /// Removes a queue's index; its messages are removed one by one.
    fn delete_c2d_queue(&mut self, identity: &IdentityId) -> Result<(), Self::Error>;
    /// A message of a queue.
    fn c2d_message(
        &self,
        identity: &IdentityId,
        sequence: u64,
    ) -> Result<Option<C2dMessage>, Self::Error>;
    /// Stores a message of a queue.
    fn put_c2d_message(&mut self, identity: &IdentityId, sequence: u64, message: &C2dMessage);
    /// Removes a message of a queue.
    fn delete_c2d_message(&mut self, identity: &IdentityId, sequence: u64);

    /// A stored MQTT session.
    fn session(&self, identity: &IdentityId) -> Result<Option<StoredSession>, Self::Error>;
    /// Stores an MQTT session.
    fn put_session(&mut self, identity: &IdentityId, session: &StoredSession);
    /// Removes an MQTT session.
    fn delete_session(&mut self, identity: &IdentityId);

    /// Open uploads of a device, oldest first.
    fn uploads(&self, device: &DeviceId) -> Result<Vec<UploadTicket>, Self::Error>;
    /// Replaces the list of open uploads of a device; an empty one removes it.
    fn put_uploads(&mut self, device: &DeviceId, uploads: &[UploadTicket]);

    /// Appends a notice. Beyond [`NOTICES_MAX`](crate::limits::NOTICES_MAX) the oldest of its kind goes.
    fn push_notice(&mut self, notice: &Notice) -> Result<(), Self::Error>;
    /// Removes notices; those that are gone already are passed over.
    fn drop_notices(&mut self, kind: NoticeKind, sequences: &[u64]) -> Result<(), Self::Error>;
    /// Removes the feedback of a device that is not delivered yet, its modules' included.
    fn drop_feedback_of(&mut self, device: &DeviceId) -> Result<(), Self::Error>;
}
