//! The part of an MQTT session that outlives its connection (device-protocols.md 2.5).

use crate::HubError;
use crate::limits::{FILTER_BYTES_MAX, SUBSCRIPTIONS_MAX};

/// What a filter is for (device-protocols.md 2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FilterKind {
    /// `devices/{d}/messages/devicebound/#`, in its spellings; for modules theirs.
    C2d,
    /// `devices/{d}/modules/{m}/inputs/#`
    Inputs,
    /// `devices/{d}/modules/{m}/#`: all that is a module's.
    Module,
    /// `$iothub/twin/res/#`
    TwinResponses,
    /// `$iothub/twin/PATCH/properties/desired/#`
    Desired,
    /// `$iothub/methods/POST/#`
    Methods,
}

/// One granted filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What it is for.
    pub kind: FilterKind,
    /// As the client wrote it.
    pub filter: String,
    /// Granted quality of service: 0 or 1.
    pub qos: u8,
}

/// Subscriptions of a session that was opened with clean session 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredSession {
    /// At most [`SUBSCRIPTIONS_MAX`](crate::limits::SUBSCRIPTIONS_MAX).
    pub subscriptions: Vec<Subscription>,
}

impl StoredSession {
    /// Whether it is small enough to be kept.
    pub fn validate(&self) -> Result<(), HubError> {
        if self.subscriptions.len() > SUBSCRIPTIONS_MAX {
            return Err(HubError::InvalidArgument(format!(
                "a session keeps at most {SUBSCRIPTIONS_MAX} subscriptions"
            )));
        }
        if self.subscriptions.iter().any(|granted| granted.filter.len() > FILTER_BYTES_MAX) {
            return Err(HubError::InvalidArgument(format!(
                "a filter has at most {FILTER_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }
}
