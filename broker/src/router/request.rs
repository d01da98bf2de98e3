//! What frontends ask of a device, and what a device's owner asks of a session.

use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::device::DeviceIdentity;
use ironhub_domain::event::AuthMethod;
use ironhub_domain::ids::{DeviceId, ModuleId};
use ironhub_domain::time::UnixMs;

/// Why the owner closes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// A newer connection of the same identity.
    TakenOver,
    /// The identity was disabled.
    Disabled,
    /// The identity was deleted.
    Deleted,
    /// The identity's keys changed.
    Rekeyed,
    /// The node stops.
    ShuttingDown,
}

/// How the owner of a device reaches the session that holds its connection. Called from any thread; must not block.
pub trait SessionSink: Send + Sync + 'static {
    /// The session must close; nothing it sends afterwards is accepted.
    fn close(&self, reason: CloseReason);
}

/// A session asks to be the one live session of an identity.
pub struct ConnectRequest {
    /// Who it says it is.
    pub device: DeviceId,
    /// A module of that device, if it says so.
    pub module: Option<ModuleId>,
    /// The SAS token it brought, raw.
    pub token: Option<String>,
    /// Model id it announced.
    pub model_id: Option<String>,
    /// Frontend, for metrics and presence: `mqtt`, `amqp`.
    pub protocol: &'static str,
    /// How to reach it.
    pub sink: Arc<dyn SessionSink>,
}

/// The owner let the session in.
#[derive(Clone, Debug)]
pub struct Connected {
    /// How it proved itself.
    pub auth: AuthMethod,
    /// When its token ends; `None` without one.
    pub token_expires: Option<UnixMs>,
}

/// The reply to a batch of D2C messages: all durable, or why not.
pub type D2cReply = Result<(), HubError>;

/// An identity and whether its device is connected right now.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// What is registered.
    pub identity: DeviceIdentity,
    /// A session is live.
    pub connected: bool,
    /// Last message or connect that this node saw; 0 if none.
    pub last_activity: UnixMs,
    /// Last connect or disconnect that this node saw; 0 if none.
    pub connection_updated: UnixMs,
}

impl DeviceView {
    /// A device that is not active on this node.
    pub fn offline(identity: DeviceIdentity) -> Self {
        Self {
            identity,
            connected: false,
            last_activity: UnixMs::default(),
            connection_updated: UnixMs::default(),
        }
    }
}
