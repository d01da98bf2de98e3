//! Direct methods: a call that is answered at once or not at all (device-protocols.md 7.5).

pub mod call;

use bytes::Bytes;

pub use call::MethodCall;

/// The device's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodAnswer {
    /// The device's own status.
    pub status: i32,
    /// JSON, or empty.
    pub payload: Bytes,
}
