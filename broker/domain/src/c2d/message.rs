//! A cloud-to-device message as a service sent it.

use bytes::Bytes;

use crate::event::AppProperty;
use crate::time::UnixMs;

/// Which outcomes the sender wants to hear of (`iothub-ack`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// None.
    #[default]
    None,
    /// When the device completed it.
    Positive,
    /// When it did not get it.
    Negative,
    /// Either way.
    Full,
}

/// System properties of a cloud-to-device message (device-protocols.md 2.10, 3.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct C2dProperties {
    /// Message id; feedback needs one.
    pub message_id: Option<String>,
    /// Correlation id.
    pub correlation_id: Option<String>,
    /// User id.
    pub user_id: Option<String>,
    /// Content type.
    pub content_type: Option<String>,
    /// Content encoding.
    pub content_encoding: Option<String>,
    /// When the sender made it.
    pub creation_time: Option<UnixMs>,
    /// When the sender wants it to expire; `None` for the hub's default.
    pub absolute_expiry: Option<UnixMs>,
}

/// A message for a device or module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct C2dMessage {
    /// System properties.
    pub system: C2dProperties,
    /// Which outcomes are reported.
    pub ack: AckMode,
    /// Application properties, in the order sent.
    pub properties: Vec<AppProperty>,
    /// Body.
    pub body: Bytes,
}
