//! The MQTT face of every error: a CONNACK code before the session, the end of the connection in it. MQTT 3.1.1 has no
//! way to tell a connected client what was wrong (device-protocols.md 2.3), so the reason goes to log and metrics.

use std::io;

use ironhub_domain::HubError;
use ironhub_wire::mqtt::decode::DecodeError;
use ironhub_wire::mqtt::encode::ConnackCode;
use ironhub_wire::mqtt::framer::FrameError;
use ironhub_wire::mqtt::property_bag::BagError;

use crate::router::request::CloseReason;

/// The code for a refused CONNECT (device-protocols.md 2.2): what a new token or another name can mend is 5, and what
/// waiting can mend is 3, because some SDKs never try again after any other code.
pub(super) fn connack_code(error: &HubError) -> ConnackCode {
    match error {
        HubError::InvalidId(_)
        | HubError::DeviceNotFound(_)
        | HubError::ModuleNotFound(_)
        | HubError::DeviceDisabled(_)
        | HubError::Unauthorized(_)
        | HubError::Forbidden(_)
        | HubError::InvalidArgument(_)
        | HubError::MessageTooLarge { .. } => ConnackCode::NotAuthorized,
        HubError::DeviceAlreadyExists(_)
        | HubError::ModuleAlreadyExists(_)
        | HubError::TooManyModules { .. }
        | HubError::CertificateNotFound(_)
        | HubError::PolicyNotFound(_)
        | HubError::JobNotFound(_)
        | HubError::JobAlreadyExists(_)
        | HubError::JobFinished(_)
        | HubError::TooManyJobs { .. }
        | HubError::ConfigurationNotFound(_)
        | HubError::ConfigurationAlreadyExists(_)
        | HubError::TooManyConfigurations { .. }
        | HubError::DefinedTwice(_)
        | HubError::TooManyItems { .. }
        | HubError::Malformed(_)
        | HubError::QueueFull { .. }
        | HubError::LockLost
        | HubError::InvalidExpiry(_)
        | HubError::NotOnline { .. }
        | HubError::DeviceWentAway
        | HubError::MethodTimeout { .. }
        | HubError::TooManyMethods { .. }
        | HubError::UploadNotFound(_)
        | HubError::UploadExpired
        | HubError::UploadBlobMissing(_)
        | HubError::TooManyUploads { .. }
        | HubError::PreconditionFailed { .. }
        | HubError::SessionFenced
        | HubError::Busy
        | HubError::NoLeader { .. }
        | HubError::OutcomeUnknown
        | HubError::StorageFull
        | HubError::ShuttingDown
        | HubError::Internal(_) => ConnackCode::ServerUnavailable,
    }
}

/// Why a connection ends after its CONNECT was accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    /// The regular end: the will is dropped.
    #[error("the client disconnected")]
    Disconnect,
    #[error("the client closed the connection without DISCONNECT")]
    EndOfStream,
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("malformed input: {0}")]
    Frame(#[from] FrameError),
    #[error("malformed packet: {0}")]
    Packet(#[from] DecodeError),
    #[error("a second CONNECT")]
    SecondConnect,
    #[error("a PUBLISH of QoS 2")]
    QoS2,
    #[error("a PUBLISH to another identity's topic")]
    OtherIdentity,
    #[error("a PUBLISH to a topic that the hub does not know")]
    UnknownTopic,
    #[error("{0}")]
    Bag(#[from] BagError),
    #[error("{0} filters in one packet")]
    TooManyFilters(usize),
    #[error("nothing came for one and a half times the keep alive")]
    KeepAlive,
    #[error("the token has expired")]
    TokenExpired,
    #[error("the client does not read what is sent to it")]
    WriteStalled,
    /// A message could not be stored. There is no negative acknowledgement, so the client must send it again.
    #[error("{0}")]
    Hub(#[from] HubError),
    #[error("closed by the device's owner: {0:?}")]
    Owner(CloseReason),
}

impl Cause {
    /// For metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::EndOfStream => "end_of_stream",
            Self::Io(_) => "io",
            Self::Frame(_) | Self::Packet(_) | Self::SecondConnect | Self::TooManyFilters(_) => {
                "protocol"
            }
            Self::QoS2 => "qos2",
            Self::OtherIdentity | Self::UnknownTopic | Self::Bag(_) => "topic",
            Self::KeepAlive => "keep_alive",
            Self::TokenExpired => "token_expired",
            Self::WriteStalled => "write_stalled",
            Self::Hub(_) => "hub",
            Self::Owner(reason) => match reason {
                CloseReason::TakenOver => "taken_over",
                CloseReason::Disabled => "disabled",
                CloseReason::Deleted => "deleted",
                CloseReason::Rekeyed => "rekeyed",
                CloseReason::ShuttingDown => "shutting_down",
                CloseReason::Slow => "slow",
            },
        }
    }

    /// Whether the will is published (device-protocols.md 2.9): after every end but the client's own DISCONNECT, and but
    /// the node's stop, which says nothing about the device.
    pub(super) fn publishes_will(&self) -> bool {
        !matches!(self, Self::Disconnect | Self::Owner(CloseReason::ShuttingDown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_can_mend_is_3_and_the_rest_is_5() {
        let retried = [
            HubError::Busy,
            HubError::NoLeader { partition: 1 },
            HubError::OutcomeUnknown,
            HubError::StorageFull,
            HubError::ShuttingDown,
            HubError::SessionFenced,
            HubError::Internal(String::new()),
        ];
        for error in retried {
            assert_eq!(connack_code(&error), ConnackCode::ServerUnavailable, "{error}");
        }
        let refused = [
            HubError::DeviceNotFound("d".into()),
            HubError::DeviceDisabled("d".into()),
            HubError::Unauthorized("expired".into()),
            HubError::Forbidden("scope".into()),
            HubError::InvalidArgument("name".into()),
        ];
        for error in refused {
            assert_eq!(connack_code(&error), ConnackCode::NotAuthorized, "{error}");
        }
    }

    #[test]
    fn only_a_disconnect_and_the_nodes_stop_drop_the_will() {
        assert!(!Cause::Disconnect.publishes_will());
        assert!(!Cause::Owner(CloseReason::ShuttingDown).publishes_will());
        assert!(Cause::Owner(CloseReason::TakenOver).publishes_will());
        assert!(Cause::KeepAlive.publishes_will());
        assert!(Cause::QoS2.publishes_will());
    }
}
