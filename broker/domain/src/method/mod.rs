//! Direct methods: a call that is answered at once or not at all (device-protocols.md 7.5).

use std::time::Duration;

use bytes::Bytes;

/// A call, as a service asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodCall {
    /// Name; case-sensitive.
    pub name: String,
    /// JSON; `null` if the service sent none.
    pub payload: Bytes,
    /// How long to wait for the device to answer.
    pub response_timeout: Duration,
    /// How long to wait for the device to connect; 0 for not at all.
    pub connect_timeout: Duration,
}

/// The device's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodAnswer {
    /// The device's own status.
    pub status: i32,
    /// JSON, or empty.
    pub payload: Bytes,
}
