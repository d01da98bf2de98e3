//! What can be asked of a device actor. The reply channel travels with the call.

use ironhub_domain::HubError;
use ironhub_domain::event::{AuthMethod, D2cMessage};
use ironhub_domain::registry::{IfMatch, PutDevice};
use tokio::sync::oneshot;

use super::in_flight::Admission;
use crate::router::request::{CloseReason, ConnectRequest, Connected, D2cReply, DeviceView};

/// One session of one device, unique within the process's life. A newer session fences an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(pub(crate) u64);

/// A session that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) session: SessionId,
    pub(crate) connected: Connected,
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, HubError>>;

/// Everything a device actor does, one call at a time.
pub(super) enum Call {
    Connect {
        request: Box<ConnectRequest>,
        reply: Reply<Admitted>,
    },
    SendD2c {
        session: SessionId,
        messages: Vec<D2cMessage>,
        place: Admission,
        reply: oneshot::Sender<D2cReply>,
    },
    /// A will may come from a session that was just taken over: it says so itself, with the credentials it had.
    Will {
        auth: AuthMethod,
        model_id: Option<String>,
        message: Box<D2cMessage>,
        reply: oneshot::Sender<D2cReply>,
    },
    Disconnect {
        session: SessionId,
    },
    View {
        reply: Reply<DeviceView>,
    },
    Put {
        put: Box<PutDevice>,
        reply: Reply<DeviceView>,
    },
    Delete {
        precondition: IfMatch,
        reply: Reply<()>,
    },
    CloseSession {
        reason: CloseReason,
    },
}

impl actix::Message for Call {
    type Result = ();
}
