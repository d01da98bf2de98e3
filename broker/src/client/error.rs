//! Why a call of the command line failed, in words that say what to do next.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection string cannot be used.
    #[error("the connection string cannot be used: {0}")]
    ConnectionString(String),
    /// No TCP connection.
    #[error("cannot reach the hub at {address}: {source}. Is it running (`ironhub serve`)?")]
    Connect {
        /// Where it was looked for.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The CA file cannot be read.
    #[error("cannot read the CA file {}: {reason}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing to check the hub's certificate with.
    #[error(
        "no trusted certificate authority is known on this machine: give the hub's own with --ca-file DIR/ca.pem"
    )]
    NoTrust,
    /// The TLS handshake failed.
    #[error("no trusted connection to {host:?} at {address}: {reason}")]
    Tls {
        /// The name the certificate must be for.
        host: String,
        /// Where it was tried.
        address: String,
        /// What is wrong, and what helps.
        reason: String,
    },
    /// The hub answered with an error.
    #[error("{message} ({name}, HTTP {status})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Code name of the `iothub-errorcode` header; empty if there is none.
        name: String,
        /// What the hub says.
        message: String,
    },
    /// HTTP cannot carry something that was asked for.
    #[error(
        "the {part} of the HTTP header {name:?} would hold a character that HTTP cannot carry; \
         only visible ASCII travels there"
    )]
    Header {
        /// The header.
        name: String,
        /// `name` or `value`.
        part: &'static str,
    },
    /// The answer is none that a hub gives.
    #[error("the answer from {address} is not a hub's: {reason}")]
    BadReply {
        /// Who answered.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer in time.
    #[error("the hub at {address} did not answer within {} s", waited.as_secs())]
    Timeout {
        /// Who did not answer.
        address: String,
        /// How long was waited.
        waited: Duration,
    },
}

impl ClientError {
    /// Whether the hub itself said that there is no such thing. Of what is no device it says only this.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { name, .. } if name == "GenericNotFound")
    }

    /// Whether the hub itself said that the device does not exist.
    pub fn is_device_not_found(&self) -> bool {
        matches!(self, Self::Refused { name, .. } if name == "DeviceNotFound")
    }
}
