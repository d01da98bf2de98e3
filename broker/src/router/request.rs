//! What frontends ask of a device, and what a device's owner asks of a session.

use std::sync::Arc;

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::auth::PeerCertificate;
use ironhub_domain::c2d::Delivery;
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity, StoredSession};
use ironhub_domain::event::AuthMethod;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::{DesiredNotice, Twin};
use tokio::sync::oneshot;

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
    /// It took what was pushed to it more slowly than that came ([`PUSHES_MAX`]).
    Slow,
    /// The node stops.
    ShuttingDown,
}

/// What the owner sends to a session that said it wants such things ([`Features`]).
#[derive(Clone, Debug, PartialEq)]
pub enum Push {
    /// Cloud-to-device messages, locked for this session, in order; never more than the credit it gave.
    C2d(Vec<Delivery>),
    /// The desired properties changed. In the order of their versions, without gaps; at most
    /// [`PUSHES_MAX`](crate::router::request::PUSHES_MAX) wait, a session that falls further behind is closed.
    Desired(DesiredNotice),
    /// A direct method is called. The answer carries the same id.
    Method(MethodRequest),
}

/// A direct method on its way to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodRequest {
    /// Unique among the calls of this session.
    pub id: u32,
    /// Name.
    pub name: String,
    /// JSON.
    pub payload: Bytes,
}

/// Pushes that a sink holds for a session that is slow to take them; one more closes the session. Credit bounds the
/// C2D messages and [`METHODS_IN_FLIGHT_MAX`](ironhub_domain::limits::METHODS_IN_FLIGHT_MAX) the methods, so this is about
/// desired properties.
pub const PUSHES_MAX: usize = 256;

/// What a session wants to be sent now: it follows from its subscriptions or links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Cloud-to-device messages, as far as credit goes.
    pub c2d: bool,
    /// Direct methods: the identity is "online for methods" (device-protocols.md 2.12).
    pub methods: bool,
    /// Changes of the desired properties. When this turns on, changes that the identity missed follow as one notice with
    /// the whole section, unless `twin.notify_at_reconnect` is off (device-protocols.md 7.3).
    pub desired: bool,
}

/// How the owner of a device reaches the session that holds its connection. Called from any thread; must not block.
pub trait SessionSink: Send + Sync + 'static {
    /// The session must close; nothing it sends afterwards is accepted.
    fn close(&self, reason: CloseReason);

    /// Takes what the session shall send to its client. `false` if it holds [`PUSHES_MAX`] already: the owner then closes
    /// the session.
    fn push(&self, push: Push) -> bool;
}

/// What somebody shows to prove who they are.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The SAS token, raw.
    pub token: Option<String>,
    /// The certificate of the TLS connection.
    pub certificate: Option<Arc<PeerCertificate>>,
}

impl Credentials {
    /// A token alone.
    pub fn token(token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), certificate: None }
    }
}

/// What becomes of a stored MQTT session at connect (device-protocols.md 2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStart {
    /// The protocol has no such sessions.
    None,
    /// Clean session 0: what was stored is resumed.
    Resume,
    /// Clean session 1: what was stored is forgotten.
    Clean,
}

/// A session asks to be the one live session of an identity.
pub struct ConnectRequest {
    /// Who it says it is.
    pub identity: IdentityId,
    /// How it proves that.
    pub credentials: Credentials,
    /// What becomes of a stored session.
    pub start: SessionStart,
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
    /// The stored session that was resumed.
    pub resumed: Option<StoredSession>,
}

/// An answer under way: resolves with the result, or never if the node stops.
pub type Pending<T> = oneshot::Receiver<Result<T, HubError>>;

/// The twin as its own identity sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceTwin {
    /// `$version` of the desired properties in it.
    pub desired_version: u64,
    /// JSON (device-protocols.md 2.11).
    pub body: Bytes,
}

/// A twin as services see it, with what else its document shows.
#[derive(Clone, Debug)]
pub struct TwinView {
    /// The device, and its presence (the module's, if it is a module's twin).
    pub device: DeviceView,
    /// The module, if it is a module's twin.
    pub module: Option<ModuleIdentity>,
    /// The twin.
    pub twin: Twin,
    /// Cloud-to-device messages in the identity's queue.
    pub c2d_count: u32,
    /// Model id that the live session announced.
    pub model_id: Option<String>,
}

/// A module and its presence.
#[derive(Clone, Debug)]
pub struct ModuleView {
    /// What is registered.
    pub identity: ModuleIdentity,
    /// A session of the module is live.
    pub connected: bool,
    /// Last message or connect that this node saw; 0 if none.
    pub last_activity: UnixMs,
    /// Last connect or disconnect that this node saw; 0 if none.
    pub connection_updated: UnixMs,
    /// Messages in its queue.
    pub c2d_count: u32,
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
    /// Cloud-to-device messages in its queue.
    pub c2d_count: u32,
}

impl DeviceView {
    /// A device that is not active on this node.
    pub fn offline(identity: DeviceIdentity) -> Self {
        Self {
            identity,
            connected: false,
            last_activity: UnixMs::default(),
            connection_updated: UnixMs::default(),
            c2d_count: 0,
        }
    }
}
