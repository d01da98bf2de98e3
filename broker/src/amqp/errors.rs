//! The AMQP face of the hub's errors: a condition and a text (service-protocols.md 3.4, 3.7).

use ironhub_domain::HubError;
use ironhub_wire::amqp::{Error, condition};

/// The condition that an error travels under.
pub(super) fn condition(error: &HubError) -> &'static str {
    match error {
        HubError::InvalidId(_)
        | HubError::InvalidArgument(_)
        | HubError::InvalidExpiry(_)
        | HubError::JobFinished(_)
        | HubError::DefinedTwice(_)
        | HubError::TooManyItems { .. }
        | HubError::Malformed(_)
        | HubError::UploadNotFound(_)
        | HubError::UploadExpired
        | HubError::UploadBlobMissing(_) => condition::ARGUMENT_ERROR,
        HubError::DeviceNotFound(_)
        | HubError::ModuleNotFound(_)
        | HubError::CertificateNotFound(_)
        | HubError::PolicyNotFound(_)
        | HubError::JobNotFound(_)
        | HubError::ConfigurationNotFound(_)
        | HubError::NotOnline { .. }
        | HubError::DeviceWentAway => condition::NOT_FOUND,
        HubError::DeviceAlreadyExists(_)
        | HubError::ModuleAlreadyExists(_)
        | HubError::JobAlreadyExists(_)
        | HubError::ConfigurationAlreadyExists(_) => condition::ALREADY_EXISTS,
        HubError::PreconditionFailed { .. } => condition::PRECONDITION_FAILED,
        HubError::LockLost => condition::LOCK_LOST,
        HubError::QueueFull { .. }
        | HubError::TooManyModules { .. }
        | HubError::TooManyMethods { .. }
        | HubError::TooManyJobs { .. }
        | HubError::TooManyConfigurations { .. }
        | HubError::TooManyUploads { .. } => condition::RESOURCE_LIMIT_EXCEEDED,
        HubError::DeviceDisabled(_) | HubError::Unauthorized(_) | HubError::Forbidden(_) => {
            condition::UNAUTHORIZED_ACCESS
        }
        HubError::MessageTooLarge { .. } => condition::MESSAGE_SIZE_EXCEEDED,
        HubError::SessionFenced => condition::STOLEN,
        HubError::Busy => condition::SERVER_BUSY,
        HubError::NoLeader { .. } | HubError::OutcomeUnknown | HubError::MethodTimeout { .. } => {
            condition::TIMEOUT
        }
        HubError::StorageFull => condition::RESOURCE_LIMIT_EXCEEDED,
        HubError::ShuttingDown => condition::CONNECTION_FORCED,
        HubError::Internal(_) => condition::INTERNAL_ERROR,
    }
}

/// The whole error. What only the operator should read stays in the log.
pub(super) fn error(error: &HubError) -> Error {
    let text = match error {
        HubError::Internal(detail) => {
            tracing::warn!(%detail, "internal error told to an AMQP client");
            "internal error".to_owned()
        }
        other => other.to_string(),
    };
    Error::new(condition(error), text)
}
