//! Which hub a command talks to, and as whom.
//!
//! In this order: `--connection-string`, the environment, and the files of a hub that runs beside: in `--data-dir`
//! (or its variable), else in `./data`, where `ironhub serve` puts them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

pub use device::{DeviceAddresses, DeviceConnection};

use super::hub_files::{EVENT_HUB_VARIABLE, HubFiles, SERVICE_VARIABLE};
use crate::client::{
    Address, ClientError, EventHubConnectionString, RestClient, ServiceConnectionString, Trust,
};

const HTTPS_PORT: u16 = 443;
const AMQPS_PORT: u16 = 5671;
const MQTTS_PORT: u16 = 8883;
const DATA_DIR: &str = "data";

/// Options that say which hub.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which hub")]
pub struct ConnectionArgs {
    /// Connection string of a shared access policy [default: the one in DIR/hub.env]
    #[arg(long, env = SERVICE_VARIABLE, hide_env_values = true, value_name = "STRING")]
    pub connection_string: Option<String>,
    /// Data directory of a hub on this machine [default: ./data]
    #[arg(long, env = "IRONHUB_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// CA that vouches for the hub, PEM [default: DIR/ca.pem]
    #[arg(long, env = "IRONHUB_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Why it is not known which hub.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No option, no variable, no files.
    #[error(
        "which hub? There is no {} here. Start one with `ironhub serve` in this directory, or name one: \
         --data-dir DIR (a hub on this machine), --connection-string STRING or the variable \
         {SERVICE_VARIABLE} (any hub)", looked_at.display()
    )]
    NotFound {
        /// The file that would have said it.
        looked_at: PathBuf,
    },
    /// The files of a hub that this user may not read.
    #[error(
        "cannot read {}: {source}. Run as the user that runs the hub, or give --connection-string",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A connection string that is none.
    #[error("{0}")]
    Invalid(#[from] ClientError),
}

/// A hub, reachable and with the rights of a policy.
#[derive(Clone, Debug)]
pub struct HubConnection {
    /// For the HTTPS endpoint.
    pub service: ServiceConnectionString,
    /// For the Event Hubs-compatible endpoint, where it is known.
    pub event_hub: Option<EventHubConnectionString>,
    /// Connection string of the hub's own storage, where it is known.
    pub storage: Option<String>,
    /// Where the HTTPS listener is.
    pub https: Address,
    /// Where the AMQP listener is.
    pub amqps: Address,
    /// Where its devices connect.
    pub devices: DeviceAddresses,
    /// What vouches for the hub.
    pub trust: Trust,
}

impl HubConnection {
    /// Finds the hub that the options mean.
    pub fn find(args: &ConnectionArgs) -> Result<Self, ConnectionError> {
        let event_hub = std::env::var(EVENT_HUB_VARIABLE).ok();
        Self::find_with(args, event_hub, Path::new(DATA_DIR))
    }

    /// Calls to its HTTPS endpoint.
    pub fn rest(&self) -> RestClient {
        RestClient {
            account: self.service.clone(),
            address: self.https.clone(),
            trust: self.trust.clone(),
        }
    }

    fn find_with(
        args: &ConnectionArgs,
        event_hub: Option<String>,
        default_dir: &Path,
    ) -> Result<Self, ConnectionError> {
        let given = args.given();
        let (dir, files) = files(args, default_dir)?;
        let not_found = || ConnectionError::NotFound { looked_at: dir.join("hub.env") };
        let Some(given) = given else {
            let files = files.ok_or_else(not_found)?;
            let text = files.service.clone().ok_or_else(not_found)?;
            let service = ServiceConnectionString::parse(&text)?;
            return Self::assemble(args, service, files.event_hub.clone(), Some(&files));
        };
        let service = ServiceConnectionString::parse(given)?;
        let files = files.as_ref().filter(|files| are_of(files, &service.host));
        let event_hub = event_hub.or_else(|| files.and_then(|files| files.event_hub.clone()));
        Self::assemble(args, service, event_hub, files)
    }

    fn assemble(
        args: &ConnectionArgs,
        service: ServiceConnectionString,
        event_hub: Option<String>,
        files: Option<&HubFiles>,
    ) -> Result<Self, ConnectionError> {
        let event_hub = event_hub.map(|text| EventHubConnectionString::parse(&text)).transpose()?;
        let beside_ca = files.and_then(|files| files.ca_file.clone());
        let https =
            address(&service.host, service.port, files.and_then(|files| files.https), HTTPS_PORT);
        let amqps = match &event_hub {
            Some(events) => (events.host.as_str(), events.port),
            None => (service.host.as_str(), None),
        };
        let amqps = address(amqps.0, amqps.1, files.and_then(|files| files.amqps), AMQPS_PORT);
        let devices = DeviceAddresses {
            https: https.clone(),
            ..DeviceAddresses::of(&service.host, None, files)
        };
        let trust = Trust { ca_file: args.ca_file.clone().or(beside_ca) };
        let storage = files.and_then(|files| files.storage.clone());
        Ok(Self { service, event_hub, storage, https, amqps, devices, trust })
    }
}

impl ConnectionArgs {
    /// The connection string, if there is one. A variable that is set to nothing says nothing.
    fn given(&self) -> Option<&str> {
        self.connection_string.as_deref().filter(|text| !text.trim().is_empty())
    }
}

/// The directory that counts, and the files of a hub that are in it.
fn files<'a>(
    args: &'a ConnectionArgs,
    default_dir: &'a Path,
) -> Result<(&'a Path, Option<HubFiles>), ConnectionError> {
    let named = args.data_dir.as_deref().filter(|dir| !dir.as_os_str().is_empty());
    let dir = named.unwrap_or(default_dir);
    let files = match HubFiles::read(dir) {
        // An explicit connection string must not fail because of a directory that nobody named.
        Err(_) if args.given().is_some() && named.is_none() => None,
        outcome => outcome?,
    };
    Ok((dir, files))
}

/// Files help with a connection string from elsewhere only if they are the same hub's.
fn are_of(files: &HubFiles, host: &str) -> bool {
    let beside = files.service.as_deref().map(ServiceConnectionString::parse);
    matches!(beside, Some(Ok(beside)) if beside.host.eq_ignore_ascii_case(host))
}

/// A port in the connection string says it all; else a hub beside says where it listens; else the usual port.
fn address(host: &str, port: Option<u16>, beside: Option<SocketAddr>, usual: u16) -> Address {
    let connect_to = match (port, beside) {
        (Some(port), _) => format!("{host}:{port}"),
        (None, Some(beside)) => beside.to_string(),
        (None, None) => format!("{host}:{usual}"),
    };
    Address { host: host.to_owned(), connect_to }
}

mod device;
#[cfg(test)]
mod tests;
