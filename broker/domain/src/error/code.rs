//! The numeric code of every error (device-protocols.md 6.1, service-protocols.md 2.2): the first three digits are an HTTP
//! status, also where no HTTP is spoken.

use super::HubError;
use crate::time::UnixMs;

/// A numeric code and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Six digits.
    pub number: u32,
    /// As SDKs spell it.
    pub name: &'static str,
}

impl ErrorCode {
    /// The status: the first three digits.
    pub const fn status(self) -> u16 {
        (self.number / 1000) as u16
    }
}

const fn code(number: u32, name: &'static str) -> ErrorCode {
    ErrorCode { number, name }
}

impl HubError {
    /// The code of this error.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidId(_) | Self::InvalidArgument(_) => code(400_004, "ArgumentInvalid"),
            Self::JobFinished(_) => code(400_003, "InvalidOperation"),
            Self::DefinedTwice(_) => code(400_011, "DeviceDefinedMultipleTimes"),
            Self::Malformed(_) => code(400_012, "DeserializationError"),
            Self::UploadNotFound(_) => code(400_015, "InvalidFileUploadCorrelationId"),
            Self::UploadExpired => code(400_016, "ExpiredFileUploadCorrelationId"),
            Self::UploadBlobMissing(_) => code(400_020, "InvalidStorageEndpointOrBlob"),
            // To its own endpoints a disabled device is as good as one with a wrong token.
            Self::DeviceDisabled(_) | Self::Forbidden(_) => {
                code(401_002, "IotHubUnauthorizedAccess")
            }
            Self::Unauthorized(_) => code(401_003, "IotHubUnauthorized"),
            Self::TooManyConfigurations { .. } => code(403_002, "IotHubQuotaExceeded"),
            Self::TooManyJobs { .. } => code(403_003, "JobQuotaExceeded"),
            Self::QueueFull { .. } => code(403_004, "DeviceMaximumQueueDepthExceeded"),
            Self::TooManyUploads { .. } => {
                code(403_006, "DeviceMaximumActiveFileUploadLimitExceeded")
            }
            Self::InvalidExpiry(_) => code(403_009, "InvalidMessageExpiryTime"),
            Self::TooManyMethods { .. } => code(403_800, "DeviceMaximumInflightMethodExceeded"),
            Self::CertificateNotFound(_)
            | Self::PolicyNotFound(_)
            | Self::ConfigurationNotFound(_) => code(404_000, "GenericNotFound"),
            Self::JobNotFound(_) => code(404_002, "JobNotFound"),
            Self::DeviceNotFound(_) => code(404_001, "DeviceNotFound"),
            Self::ModuleNotFound(_) => code(404_010, "ModuleNotFound"),
            Self::NotOnline { .. } | Self::DeviceWentAway => code(404_103, "DeviceNotOnline"),
            Self::SessionFenced
            | Self::JobAlreadyExists(_)
            | Self::ConfigurationAlreadyExists(_) => code(409_000, "GenericConflict"),
            Self::DeviceAlreadyExists(_) => code(409_001, "DeviceAlreadyExists"),
            Self::ModuleAlreadyExists(_) => code(409_301, "ModuleAlreadyExistsOnDevice"),
            Self::PreconditionFailed { .. } => code(412_001, "PreconditionFailed"),
            Self::LockLost => code(412_002, "DeviceMessageLockLost"),
            Self::MessageTooLarge { .. } => code(413_001, "MessageTooLarge"),
            Self::TooManyItems { .. } => code(413_002, "TooManyDevices"),
            Self::TooManyModules { .. } => code(413_003, "TooManyModulesOnDevice"),
            Self::Busy => code(429_001, "ThrottlingException"),
            Self::Internal(_) => code(500_001, "ServerError"),
            // Not 503: SDKs repeat that by themselves, and a repeated create of unknown outcome may meet itself.
            Self::OutcomeUnknown => code(500_008, "GenericTimeout"),
            Self::NoLeader { .. } | Self::StorageFull | Self::ShuttingDown => {
                code(503_001, "ServiceUnavailable")
            }
            Self::MethodTimeout { .. } => code(504_101, "GatewayTimeout"),
        }
    }

    /// In words, for whoever asked: what only the operator should read stays in the log.
    pub fn told(&self) -> String {
        match self {
            Self::Internal(_) => "internal error".to_owned(),
            other => other.to_string(),
        }
    }

    /// What a device is told where its protocol has no errors of its own: the body of a refused twin request
    /// (device-protocols.md 5.4). `tracking_id` finds the request in the log.
    pub fn body(&self, tracking_id: u128, now: UnixMs) -> Vec<u8> {
        let body = serde_json::json!({
            "errorCode": self.code().number,
            "trackingId": format!("{tracking_id:032x}"),
            "message": self.told(),
            "info": null,
            "timestampUtc": now.iso8601(),
        });
        body.to_string().into_bytes()
    }
}
