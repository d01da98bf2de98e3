//! What a partition is told, and what it answers.

use crate::HubError;
use crate::auth::{Authority, Policy, PolicySet};
use crate::c2d::{C2dMessage, Delivery, Holder, LockToken, Settlement};
use crate::configuration::Assigned;
use crate::device::{DeviceIdentity, ModuleIdentity, Presence, StoredSession};
use crate::document::{Document, DocumentKind};
use crate::ids::{DeviceId, IdentityId, ModuleId};
use crate::limits::TwinLimits;
use crate::notice::NoticeKind;
use crate::partition::event_log::{Appended, Stream, TrimMark};
use crate::partition::hub::{ConsumerGroup, HubInfo};
use crate::partition::job_command::JobCommand;
use crate::registry::{IfMatch, PutDevice, PutMode, PutModule, TwinImport};
use crate::time::UnixMs;
use crate::twin::{Object, TwinChange, TwinUpdate};
use crate::upload::{UploadResult, UploadTicket};

/// One replicated change of records. A batch of events is none: the shell numbers it with
/// [`EventLog::append`](crate::partition::EventLog::append) and never builds a command of it. Everything random and every time is in it: applying reads nothing else.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Create or change a device identity.
    PutDevice(Box<PutDevice>),
    /// Create or change an identity together with its twin, all or nothing.
    PutWithTwin(Box<PutWithTwin>),
    /// Delete a device and everything of it.
    DeleteDevice {
        /// Which.
        id: DeviceId,
        /// If its ETag is still this.
        precondition: IfMatch,
    },
    /// Forget the oldest events.
    TrimEvents(TrimMark),
    /// Forget a log: the endpoint that it belonged to is gone.
    ForgetStream(Stream),
    /// What a log's endpoint has been delivered, up to here.
    MoveCursor {
        /// Of which log.
        stream: Stream,
        /// The first event that is not delivered yet.
        sequence: u64,
    },
    /// System partition: say what the hub is. The first one counts, later ones change nothing.
    PutHub(HubInfo),
    /// System partition: the policies of a new hub. The first one counts.
    PutPolicies(PolicySet),
    /// System partition: a shared access policy, new or changed. `PreconditionFailed` if it is not what it was when that
    /// was decided.
    PutPolicy {
        /// The policy.
        policy: Policy,
        /// What it is before; `None` if there is none of that name.
        before: Option<Policy>,
    },
    /// System partition: a shared access policy ends.
    DeletePolicy(String),
    /// System partition: a document, new or changed.
    PutDocument {
        /// What it is about.
        kind: DocumentKind,
        /// The document as it shall be.
        document: Document,
        /// When it may be put.
        mode: PutMode,
    },
    /// System partition: a document ends.
    DeleteDocument {
        /// What it is about.
        kind: DocumentKind,
        /// Which.
        id: String,
        /// If its ETag is still this.
        precondition: IfMatch,
    },
    /// What the partition's leader knows of an identity's connection.
    NotePresence {
        /// Whose.
        identity: IdentityId,
        /// As it is now.
        presence: Presence,
    },
    /// The paths of tags that queries find quickly, from now on: `floor`, `location.building`. The partition's index is made
    /// anew if they differ from those before.
    SetIndexedTags(Vec<String>),
    /// System partition: a consumer group; none if it exists.
    PutConsumerGroup(ConsumerGroup),
    /// System partition: a consumer group ends.
    DeleteConsumerGroup(String),
    /// System partition: a certificate authority, new or changed.
    PutAuthority {
        /// The authority as it shall be; `created` is that of the existing one, if there is one.
        authority: Box<Authority>,
        /// If its ETag is still this.
        precondition: IfMatch,
    },
    /// System partition: a certificate authority ends.
    DeleteAuthority {
        /// Which.
        name: String,
        /// If its ETag is still this.
        precondition: IfMatch,
    },
    /// Create or change a module.
    PutModule(Box<PutModule>),
    /// Delete a module and everything of it.
    DeleteModule {
        /// Of which device.
        device: DeviceId,
        /// Which.
        module: ModuleId,
        /// If its ETag is still this.
        precondition: IfMatch,
    },
    /// A service changes tags or desired properties.
    UpdateTwin(Box<UpdateTwin>),
    /// A device changes its reported properties.
    PatchReported(Box<PatchReported>),
    /// The desired properties were sent to their identity, or fetched by it, up to this version.
    SeeDesired {
        /// Whose.
        identity: IdentityId,
        /// `$version`
        version: u64,
    },
    /// What concerns the targets of a job.
    Job(JobCommand),
    /// A new cloud-to-device message.
    EnqueueC2d(Box<EnqueueC2d>),
    /// Lock the oldest messages that are free, as many as there are tokens.
    LockC2d {
        /// Whose queue.
        identity: IdentityId,
        /// Fresh tokens, one for each message wanted.
        tokens: Vec<LockToken>,
        /// Who asks.
        holder: Holder,
        /// Now.
        now: UnixMs,
    },
    /// A delivered message is done with, or not.
    SettleC2d {
        /// Whose queue.
        identity: IdentityId,
        /// The delivery.
        lock: LockToken,
        /// How.
        settlement: Settlement,
        /// Abandoning it this often ends it: 1 to 100.
        deliveries_max: u32,
        /// Now.
        now: UnixMs,
    },
    /// The identity's session ended: what it held is free again, counts unchanged.
    ReleaseC2d {
        /// Whose queue.
        identity: IdentityId,
        /// Now.
        now: UnixMs,
    },
    /// Return lapsed locks, end expired messages.
    SweepC2d {
        /// Whose queue.
        identity: IdentityId,
        /// Now.
        now: UnixMs,
    },
    /// Remove all messages.
    PurgeC2d {
        /// Whose queue.
        identity: IdentityId,
        /// Now.
        now: UnixMs,
    },
    /// What of an MQTT session outlives its connection; `None` forgets it.
    PutSession {
        /// Whose.
        identity: IdentityId,
        /// The session.
        session: Option<StoredSession>,
    },
    /// A device announces an upload.
    OpenUpload {
        /// Which device.
        device: DeviceId,
        /// The ticket.
        ticket: UploadTicket,
        /// Now: tickets whose time is over do not count.
        now: UnixMs,
    },
    /// A device finishes an upload. A stored blob becomes a notice, if those are wanted.
    CloseUpload {
        /// Which device.
        device: DeviceId,
        /// Which upload.
        correlation_id: String,
        /// How it ended.
        result: UploadResult,
        /// Services want to hear of it.
        notify: bool,
        /// Now.
        now: UnixMs,
    },
    /// A service completed these notices, or their time is over.
    DropNotices {
        /// Of which queue.
        kind: NoticeKind,
        /// Their sequence numbers.
        sequences: Vec<u64>,
    },
}

/// A put of an identity and of its twin: both happen or neither does.
#[derive(Clone, Debug, PartialEq)]
pub struct PutWithTwin {
    /// The identity.
    pub identity: IdentityPut,
    /// What its twin becomes. The precondition counts only if the identity was there before.
    pub twin: TwinImport,
    /// What fits.
    pub limits: TwinLimits,
}

/// A put of a device or of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityPut {
    /// Of a device.
    Device(PutDevice),
    /// Of a module.
    Module(PutModule),
}

/// A service's change of a twin.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateTwin {
    /// Whose.
    pub identity: IdentityId,
    /// What.
    pub update: TwinUpdate,
    /// What configurations have made of it, if this is their doing.
    pub assigned: Option<Assigned>,
    /// If its ETag is still this.
    pub precondition: IfMatch,
    /// What fits.
    pub limits: TwinLimits,
    /// Now.
    pub now: UnixMs,
}

/// A device's change of its reported properties.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchReported {
    /// Whose.
    pub identity: IdentityId,
    /// JSON merge patch.
    pub patch: Object,
    /// Only if `$version` is still this.
    pub if_version: Option<u64>,
    /// What fits.
    pub limits: TwinLimits,
    /// Now.
    pub now: UnixMs,
}

/// A message for a device or module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnqueueC2d {
    /// Whose queue.
    pub identity: IdentityId,
    /// The message.
    pub message: C2dMessage,
    /// When it expires: what the sender asked for, or the hub's default.
    pub expires: UnixMs,
    /// Now.
    pub now: UnixMs,
}

/// The answer to one command.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The events are in the log.
    Events(Appended),
    /// The identity as it is now.
    Device(Box<DeviceIdentity>),
    /// The device (or module, or whatever it was) is gone.
    Deleted,
    /// The module as it is now.
    Module(Box<ModuleIdentity>),
    /// The device and its twin as they are now.
    DeviceWithTwin(Box<DeviceIdentity>, Box<TwinChange>),
    /// The module and its twin as they are now.
    ModuleWithTwin(Box<ModuleIdentity>, Box<TwinChange>),
    /// The certificate authority as it is now.
    Authority(Box<Authority>),
    /// The document as it is now.
    Document(Document),
    /// The twin as it is now.
    Twin(Box<TwinChange>),
    /// The message is in the queue, under this sequence number.
    Enqueued(u64),
    /// These are locked, oldest first: fewer than asked for if there are no more.
    Locked(Vec<Delivery>),
    /// So many messages were removed, returned or ended.
    Affected(u32),
    /// So many rows of a job were changed.
    JobRows {
        /// How many.
        changed: u32,
        /// The last one that was looked at; `None` if there are no more behind it.
        last: Option<IdentityId>,
    },
    /// Done, and nothing to say about it.
    Done,
    /// A rule forbids it; nothing changed.
    Refused(HubError),
}
