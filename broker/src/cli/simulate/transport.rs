//! The seam between devices and protocols.

use std::time::Duration;

use super::happening::{Action, Happening};
use crate::cli::CommandError;
use crate::client::{ClientError, DeviceConnectionString};

/// How long the hub may take to answer while a device connects.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// Why a connection ended, or did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The next attempt may succeed.
    Lost(String),
    /// Every further attempt would end the same.
    Final(String),
    /// The token ends soon, and the protocol needs a new connection for a new one.
    TokenEnds,
}

/// A device's connection by one protocol, authenticated and ready for everything that the protocol offers.
pub trait Transport {
    /// Whether devices have a twin and methods here.
    const HAS_TWIN: bool;

    /// Waits until there is something for [`Transport::take`]. Nothing is lost if this is dropped while it waits.
    fn wait(&mut self) -> impl Future<Output = Result<(), Failure>>;

    /// Takes what has arrived, or does what keeps the connection alive; `None` if that is no happening. To be awaited to
    /// its end.
    fn take(&mut self) -> impl Future<Output = Result<Option<Happening>, Failure>>;

    /// Does what the device wants done; what becomes of it will be a happening.
    fn perform(&mut self, action: Action) -> impl Future<Output = Result<(), Failure>>;

    /// Says goodbye.
    fn close(self) -> impl Future<Output = ()>;
}

/// Who connects, and what it says about every message.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The device and its key.
    pub account: DeviceConnectionString,
    /// MIME type of its messages, if they have one.
    pub content_type: Option<&'static str>,
    /// Application properties of its messages.
    pub properties: Vec<(String, String)>,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let text = error.to_string();
        match error {
            ClientError::Refused { status: 400..=404, .. }
            | ClientError::ConnectionString(_)
            | ClientError::Ca { .. }
            | ClientError::NoTrust
            | ClientError::Header { .. } => Self::Final(text),
            ClientError::Refused { .. }
            | ClientError::Connect { .. }
            | ClientError::Tls { .. }
            | ClientError::BadReply { .. }
            | ClientError::Timeout { .. } => Self::Lost(text),
        }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Client(error) => error.into(),
            CommandError::Connection(_) | CommandError::Usage(_) => Self::Final(error.to_string()),
            CommandError::Refused(_) | CommandError::Output(_) => Self::Lost(error.to_string()),
        }
    }
}
