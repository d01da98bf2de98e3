//! A D2C message as a frontend hands it over, and the event that the log keeps.

use bytes::Bytes;

use crate::event::source::MessageSource;
use crate::ids::{DeviceId, ModuleId};
use crate::time::UnixMs;

/// One application property. `None` is the null of a bag's `key` without `=` (device-protocols.md 2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppProperty {
    /// Name, any text.
    pub name: String,
    /// Value.
    pub value: Option<String>,
}

/// The system properties that a device may set (device-protocols.md 2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemProperties {
    /// `$.mid`
    pub message_id: Option<String>,
    /// `$.cid`
    pub correlation_id: Option<String>,
    /// `$.uid`
    pub user_id: Option<String>,
    /// `$.to`
    pub to: Option<String>,
    /// `$.ct`
    pub content_type: Option<String>,
    /// `$.ce`
    pub content_encoding: Option<String>,
    /// `$.exp`, as the device wrote it (ISO 8601)
    pub absolute_expiry_time: Option<String>,
    /// `$.ctime`, as the device wrote it
    pub creation_time: Option<String>,
    /// `$.on`
    pub output_name: Option<String>,
    /// `$.ifid`
    pub interface_id: Option<String>,
    /// `$.sub`
    pub component_name: Option<String>,
    /// `$.schema`
    pub message_schema: Option<String>,
}

/// A message as a device sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct D2cMessage {
    /// System properties.
    pub system: SystemProperties,
    /// Application properties, in the order sent; names may repeat.
    pub properties: Vec<AppProperty>,
    /// Body.
    pub body: Bytes,
}

/// Which credential's scope let the sender in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScope {
    /// A shared access policy of the hub.
    Hub,
    /// The device's own key or certificate.
    Device,
    /// The module's own key or certificate.
    Module,
}

/// Which kind of credential let the sender in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// A token signed with the identity's symmetric key.
    SymmetricKey,
    /// A token signed with a policy's key.
    Sas,
    /// A client certificate.
    X509,
}

/// What the hub stamps as `iothub-connection-auth-method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthMethod {
    /// Scope.
    pub scope: AuthScope,
    /// Type.
    pub kind: AuthType,
}

/// What the hub knows of a sender and stamps on each of its messages; a device cannot override it. Of an event that the hub
/// makes itself it is whom that is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The device.
    pub device: DeviceId,
    /// The module, if one sent it.
    pub module: Option<ModuleId>,
    /// The identity's generation id.
    pub generation: String,
    /// How it proved itself.
    pub auth: AuthMethod,
    /// Model id announced at connect (`dt-dataschema`).
    pub model_id: Option<String>,
    /// What its messages tell of.
    pub source: MessageSource,
}

/// One event of a partition's log, as consumers read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Gap-free per partition, from 0.
    pub sequence: u64,
    /// Strictly increasing per partition: bytes of events before this one.
    pub offset: u64,
    /// When the hub's log took it.
    pub enqueued: UnixMs,
    /// Who sent it.
    pub origin: Origin,
    /// What was sent.
    pub message: D2cMessage,
}
