//! What can be asked of a device actor. The reply channel travels with the call.

use std::sync::Arc;

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{C2dMessage, Delivery, LockToken, Settlement};
use ironhub_domain::device::StoredSession;
use ironhub_domain::event::{AuthMethod, D2cMessage};
use ironhub_domain::ids::ModuleId;
use ironhub_domain::job::JobId;
use ironhub_domain::method::MethodCall;
use ironhub_domain::partition::PutWithTwin;
use ironhub_domain::registry::{IfMatch, PutDevice, PutModule};
use ironhub_domain::twin::TwinUpdate;
use ironhub_domain::upload::{UploadResult, UploadTicket};
use tokio::sync::oneshot;

use super::control::{Backlog, Control};
use super::handle::DeviceHandle;
use super::in_flight::Admission;
use super::method::Dispatched;
use super::session_handle::SessionHandle;
use crate::router::request::{
    CloseReason, ConnectRequest, Connected, Credentials, D2cReply, DeviceTwin, DeviceView,
    ModuleView, TwinView,
};

/// One session of one identity. A newer session fences an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionKey {
    /// Of the device itself, or of this module.
    pub(super) module: Option<ModuleId>,
    /// Unique within the process's life.
    pub(super) number: u64,
}

/// A session that was let in. Dropping it ends the session.
pub(crate) struct Admitted {
    pub(crate) session: SessionHandle,
    pub(crate) connected: Connected,
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, HubError>>;

/// Everything a device actor does, one call at a time. What is rare is boxed, so that the mailbox stays small.
pub(super) enum Call {
    Connect {
        request: Box<ConnectRequest>,
        /// For the session, which reaches the actor by it.
        handle: DeviceHandle,
        reply: Reply<Admitted>,
    },
    SendD2c {
        session: SessionKey,
        messages: Vec<D2cMessage>,
        place: Admission,
        reply: oneshot::Sender<D2cReply>,
    },
    Control {
        session: SessionKey,
        control: Box<Control>,
    },
    /// What a session said while the mailbox was full.
    Backlog {
        session: SessionKey,
        backlog: Arc<Backlog>,
    },
    FromSession {
        session: SessionKey,
        ask: SessionAsk,
    },
    /// What concerns the device as a whole.
    Device(DeviceAsk),
    /// What concerns one identity: the device itself, or one of its modules.
    Identity {
        module: Option<ModuleId>,
        ask: Box<IdentityAsk>,
    },
}

/// What a session asks; refused if it is not the live one of its identity.
pub(super) enum SessionAsk {
    Settle { lock: LockToken, how: Settlement, reply: Reply<()> },
    Twin { reply: Reply<DeviceTwin> },
    PatchReported { patch: Bytes, if_version: Option<u64>, reply: Reply<u64> },
    Store { stored: StoredSession, reply: Reply<()> },
    Renew { credentials: Box<Credentials>, reply: Reply<Connected> },
}

pub(super) enum DeviceAsk {
    View { reply: Reply<DeviceView> },
    Put { put: Box<PutDevice>, reply: Reply<DeviceView> },
    PutWithTwin { put: Box<PutWithTwin>, reply: Reply<()> },
    Delete { precondition: IfMatch, reply: Reply<()> },
    CloseSessions { reason: CloseReason },
    Modules { reply: Reply<Vec<ModuleView>> },
    PutModule { put: Box<PutModule>, reply: Reply<ModuleView> },
    OpenUpload { ticket: UploadTicket, reply: Reply<()> },
    Upload { correlation_id: String, reply: Reply<UploadTicket> },
    CloseUpload { correlation_id: String, result: UploadResult, notify: bool, reply: Reply<()> },
}

pub(super) enum IdentityAsk {
    /// A will may come from a session that was just taken over: it says so itself, with the credentials it had.
    SendD2c {
        auth: AuthMethod,
        model_id: Option<String>,
        messages: Vec<D2cMessage>,
        reply: oneshot::Sender<D2cReply>,
    },
    Authenticate {
        credentials: Credentials,
        reply: Reply<Connected>,
    },
    ReceiveC2d {
        reply: Reply<Option<Delivery>>,
    },
    SettleC2d {
        lock: LockToken,
        how: Settlement,
        reply: Reply<()>,
    },
    EnqueueC2d {
        message: C2dMessage,
        reply: Reply<u64>,
    },
    PurgeC2d {
        reply: Reply<u32>,
    },
    SweepC2d {
        reply: Reply<()>,
    },
    /// Looks whether the record still says that it is connected.
    Recall {
        reply: Reply<()>,
    },
    Twin {
        reply: Reply<TwinView>,
    },
    UpdateTwin {
        update: TwinUpdate,
        if_match: IfMatch,
        reply: Reply<TwinView>,
    },
    /// A job changes the twin, if it has not done so.
    UpdateTwinOfJob {
        job: JobId,
        update: TwinUpdate,
        if_match: IfMatch,
        reply: Reply<()>,
    },
    /// Makes its twin what configurations want, and those of a device's modules.
    Configure {
        reply: Reply<()>,
    },
    Invoke {
        call: MethodCall,
        reply: Reply<Dispatched>,
    },
    /// Of a module only.
    Module {
        reply: Reply<ModuleView>,
    },
    /// Of a module only.
    DeleteModule {
        if_match: IfMatch,
        reply: Reply<()>,
    },
}

impl actix::Message for Call {
    type Result = ();
}
