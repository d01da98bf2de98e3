//! One typed error over all rules; each frontend gives every variant a face in one exhaustive match.

use crate::ids::IdError;

/// Why a request was refused or could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The id breaks the grammar.
    #[error("{0}")]
    InvalidId(#[from] IdError),
    /// No such device.
    #[error("device {0:?} is not registered")]
    DeviceNotFound(String),
    /// Create of an id that exists.
    #[error("device {0:?} already exists")]
    DeviceAlreadyExists(String),
    /// The device is disabled.
    #[error("device {0:?} is disabled")]
    DeviceDisabled(String),
    /// The ETag given is not the current one.
    #[error("the etag given does not match the device's current etag {current:?}")]
    PreconditionFailed {
        /// The current ETag.
        current: String,
    },
    /// Missing, malformed, expired or wrongly signed credentials.
    #[error("unauthorized: {0}")]
    Unauthorized(String),
    /// Good credentials without the right to do this.
    #[error("access denied: {0}")]
    Forbidden(String),
    /// A field or argument is wrong.
    #[error("invalid argument: {0}")]
    InvalidArgument(String),
    /// A message is over its limit.
    #[error("message has {size} bytes, at most {max} are allowed")]
    MessageTooLarge {
        /// Counted size.
        size: usize,
        /// Limit.
        max: usize,
    },
    /// A newer connection of this identity took over.
    #[error("a newer connection of this device took over")]
    SessionFenced,
    /// A bounded queue is full; try again later.
    #[error("the hub is busy, try again later")]
    Busy,
    /// The partition has no leader right now; try again later.
    #[error("partition {partition} has no leader right now, try again later")]
    NoLeader {
        /// The device partition.
        partition: u32,
    },
    /// The outcome of a write is unknown (leadership moved while it was under way).
    #[error("the outcome is unknown: leadership moved while the write was under way")]
    OutcomeUnknown,
    /// The disk is (nearly) full: nothing is accepted until there is room.
    #[error("the hub's disk is full: writes are refused until there is room")]
    StorageFull,
    /// The node is stopping.
    #[error("the hub is shutting down")]
    ShuttingDown,
    /// Something that should not happen; details are in the log.
    #[error("internal error: {0}")]
    Internal(String),
}
