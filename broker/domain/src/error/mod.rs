//! One typed error over all rules; each frontend gives every variant a face in one exhaustive match.

mod code;

use crate::ids::IdError;

pub use code::ErrorCode;

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
    /// No such module; the text names device and module.
    #[error("module {0:?} is not registered")]
    ModuleNotFound(String),
    /// Create of a module that exists.
    #[error("module {0:?} already exists")]
    ModuleAlreadyExists(String),
    /// The device has as many modules as it may.
    #[error("the device has {max} modules, which is the limit")]
    TooManyModules {
        /// Limit.
        max: usize,
    },
    /// No certificate of that name.
    #[error("certificate {0:?} is not registered")]
    CertificateNotFound(String),
    /// No such job.
    #[error("job {0:?} does not exist")]
    JobNotFound(String),
    /// Create of a job under an id that is taken.
    #[error("job {0:?} already exists")]
    JobAlreadyExists(String),
    /// Cancel of a job that has ended.
    #[error("job {0:?} has ended already")]
    JobFinished(String),
    /// The hub has as many jobs as it may.
    #[error("there are {max} jobs, which is the limit")]
    TooManyJobs {
        /// Limit.
        max: usize,
    },
    /// No such configuration.
    #[error("configuration {0:?} does not exist")]
    ConfigurationNotFound(String),
    /// Create of a configuration that exists.
    #[error("configuration {0:?} already exists")]
    ConfigurationAlreadyExists(String),
    /// The hub has as many configurations as it may.
    #[error("the hub has {max} configurations, which is the limit")]
    TooManyConfigurations {
        /// Limit.
        max: usize,
    },
    /// One bulk request names the same identity twice.
    #[error("{0:?} is named more than once in one request")]
    DefinedTwice(String),
    /// A bulk request has too many items.
    #[error("the request has more than {max} items")]
    TooManyItems {
        /// Limit.
        max: usize,
    },
    /// An item of a bulk request or a line of an import is not what it must be.
    #[error("{0}")]
    Malformed(String),
    /// No shared access policy of that name.
    #[error("shared access policy {0:?} does not exist")]
    PolicyNotFound(String),
    /// The device is disabled.
    #[error("device {0:?} is disabled")]
    DeviceDisabled(String),
    /// The ETag given is not the current one.
    #[error("the etag given does not match the current etag {current:?}")]
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
    /// The 51st cloud-to-device message (device-protocols.md 7.4).
    #[error("the device's queue holds {max} messages, which is the limit")]
    QueueFull {
        /// Limit.
        max: usize,
    },
    /// A message that is to be settled is not locked by this lock token (any more).
    #[error("the lock was lost: the token is unknown or its time is over")]
    LockLost,
    /// A cloud-to-device message would expire in the past or too late.
    #[error("the expiry time is not allowed: {0}")]
    InvalidExpiry(String),
    /// Nobody is connected who takes direct methods.
    #[error("Timed out waiting for device to connect.")]
    NotOnline {
        /// How long the call waited for it.
        waited_seconds: u32,
    },
    /// The device went away while a direct method was under way.
    #[error("Device unavailable")]
    DeviceWentAway,
    /// The device did not answer a direct method in time.
    #[error("Timed out waiting for the response from device.")]
    MethodTimeout {
        /// How long the call waited.
        waited_seconds: u32,
    },
    /// Too many direct methods of one device under way.
    #[error("the device has {max} direct methods under way, which is the limit")]
    TooManyMethods {
        /// Limit.
        max: usize,
    },
    /// A file upload's correlation id is none of this device.
    #[error("there is no upload with correlation id {0:?}")]
    UploadNotFound(String),
    /// A file upload's time is over.
    #[error("the upload's time is over")]
    UploadExpired,
    /// A device reports a successful upload of a blob that is not there.
    #[error("the blob was not uploaded: {0}")]
    UploadBlobMissing(String),
    /// The device has as many uploads open as it may.
    #[error("the device has {max} uploads open, which is the limit")]
    TooManyUploads {
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
