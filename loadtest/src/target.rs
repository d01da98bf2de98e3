//! Where the load goes: addresses, TLS, and the devices it comes from.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::sas::{self, ConnectionString, ConnectionStringError};
use crate::tls::{self, TlsError};

/// Variable of `hub.env` (design.md 8) that holds the policy's connection string.
const HUB_ENV_NAME: &str = "IRONHUB_SERVICE_CONNECTION_STRING";
/// The user name's query (device-protocols.md 2.1).
const API_VERSION: &str = "2021-04-12";

/// Why a command's options do not describe a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// A host cannot be resolved.
    #[error("cannot resolve {name}: {cause}")]
    Resolve {
        /// As given.
        name: String,
        /// What the resolver said.
        cause: std::io::Error,
    },
    /// A host resolves to nothing.
    #[error("{0} has no address")]
    NoAddress(String),
    /// TLS needs a CA.
    #[error("TLS needs --ca FILE, or --data-dir DIR with the hub's ca.pem")]
    NoCa,
    /// The name the certificate must carry is not a DNS name or address.
    #[error("'{0}' is not a server name; give --server-name")]
    ServerName(String),
    /// TLS set-up failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file cannot be read.
    #[error("cannot read {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// `hub.env` lacks the variable.
    #[error("{0} has no line {HUB_ENV_NAME}=...")]
    HubEnv(PathBuf),
    /// A connection string is not usable.
    #[error("{place}: {cause}")]
    ConnectionString {
        /// Option, or file and line.
        place: String,
        /// What is wrong.
        cause: ConnectionStringError,
    },
    /// A connection string is of the wrong sort.
    #[error("{place}: {missing} is missing")]
    WrongSort {
        /// Option, or file and line.
        place: String,
        /// The part that would make it the right sort.
        missing: &'static str,
    },
    /// Fewer devices in the file than asked for.
    #[error("{path} holds {found} devices, {wanted} were asked for")]
    TooFewDevices {
        /// The file.
        path: PathBuf,
        /// Usable lines.
        found: usize,
        /// Devices asked for.
        wanted: usize,
    },
    /// No way to authenticate was given.
    #[error(
        "no credentials: give --policy-connection-string, --devices-file or --data-dir (a hub's, with \
         hub.env), or --no-auth for a broker that takes anonymous clients"
    )]
    NoCredentials,
    /// Registering devices needs a policy.
    #[error("--create needs a policy's connection string (iothubowner or registryReadWrite)")]
    CreateWithoutPolicy,
}

/// Options that say where the broker is and who connects.
#[derive(Debug, Clone, clap::Args)]
pub struct TargetArgs {
    /// Broker to connect to, HOST or HOST:PORT; several, with commas, share the devices evenly
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1", value_name = "HOST[:PORT]")]
    pub host: Vec<String>,
    /// Port for hosts given without one [default: 1883, with --tls 8883, with --ws 443]
    #[arg(long)]
    pub port: Option<u16>,
    /// Use TLS 1.2 or 1.3; the certificate is always checked
    #[arg(long)]
    pub tls: bool,
    /// MQTT over WebSocket, on the hub's HTTPS listener; implies --tls
    #[arg(long)]
    pub ws: bool,
    /// PEM file of the CA to trust [default: DIR/ca.pem with --data-dir]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Name the certificate must carry [default: HostName of the connection string, else the host]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Sign tokens with this policy's key (device or iothubowner): HostName=..;SharedAccessKeyName=..;SharedAccessKey=..
    #[arg(
        long,
        value_name = "STRING",
        env = "IRONHUB_SERVICE_CONNECTION_STRING",
        hide_env_values = true
    )]
    pub policy_connection_string: Option<String>,
    /// Use these devices: a file with one device connection string a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id_prefix", "first", "no_auth"])]
    pub devices_file: Option<PathBuf>,
    /// A hub's data directory: the policy comes from its hub.env, the CA from its ca.pem; goes before
    /// --policy-connection-string
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Connect without user name and password (mosquitto, rumqttd, sink)
    #[arg(long)]
    pub no_auth: bool,
    /// Device ids are this prefix and a number
    #[arg(long, default_value = "load-", value_name = "TEXT")]
    pub id_prefix: String,
    /// The first device's number
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub first: u32,
}

impl TargetArgs {
    /// Resolves addresses and TLS. `fleet` supplies the name a certificate must carry.
    pub fn target(&self, fleet: &Fleet) -> Result<Target, TargetError> {
        let port = self.port();
        let mut addresses = Vec::new();
        for host in &self.host {
            addresses.push(resolve(host, port)?);
        }
        let tls = if self.tls || self.ws { Some(self.secure(fleet)?) } else { None };
        Ok(Target { addresses, tls, websocket: self.ws })
    }

    fn port(&self) -> u16 {
        self.port.unwrap_or(match (self.ws, self.tls) {
            (true, _) => 443,
            (false, true) => 8883,
            (false, false) => 1883,
        })
    }

    /// The TLS client for the hub, whether or not the load itself uses TLS.
    pub fn secure(&self, fleet: &Fleet) -> Result<Secure, TargetError> {
        let ca = match (&self.ca, &self.data_dir) {
            (Some(file), _) => file.clone(),
            (None, Some(directory)) => directory.join("ca.pem"),
            (None, None) => return Err(TargetError::NoCa),
        };
        let host = self.host.first().map(|host| without_port(host));
        let name = self.server_name.as_deref().or(fleet.hub_name()).or(host).unwrap_or_default();
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| TargetError::ServerName(name.to_owned()))?;
        Ok(Secure { connector: tls::connector(&ca)?, server })
    }

    /// The devices these options describe; `count` of them are wanted.
    pub fn fleet(&self, count: usize) -> Result<Fleet, TargetError> {
        let policy = |place: String, text: &str| {
            let parsed = parse(&place, text)?;
            let missing = "SharedAccessKeyName";
            let Some(policy) = parsed.policy else {
                return Err(TargetError::WrongSort { place, missing });
            };
            Ok(Fleet {
                prefix: self.id_prefix.clone(),
                first: self.first,
                keys: Keys::Policy { host: parsed.host, policy, key: parsed.key },
            })
        };
        // The policy comes last: it may just happen to stand in the environment.
        if self.no_auth {
            Ok(Fleet { prefix: self.id_prefix.clone(), first: self.first, keys: Keys::None })
        } else if let Some(path) = &self.devices_file {
            let keys = Keys::Devices(read_devices(path, count)?);
            Ok(Fleet { prefix: String::new(), first: 0, keys })
        } else if let Some(directory) = &self.data_dir {
            let path = directory.join("hub.env");
            let text = read_file(&path)?;
            let value = text
                .lines()
                .find_map(|line| line.trim().strip_prefix(HUB_ENV_NAME)?.strip_prefix('='))
                .ok_or_else(|| TargetError::HubEnv(path.clone()))?;
            policy(path.display().to_string(), value.trim_matches('"'))
        } else if let Some(text) = &self.policy_connection_string {
            policy("--policy-connection-string".to_owned(), text)
        } else {
            Err(TargetError::NoCredentials)
        }
    }
}

fn parse(place: &str, text: &str) -> Result<ConnectionString, TargetError> {
    ConnectionString::parse(text)
        .map_err(|cause| TargetError::ConnectionString { place: place.to_owned(), cause })
}

fn read_file(path: &Path) -> Result<String, TargetError> {
    fs::read_to_string(path).map_err(|cause| TargetError::File { path: path.to_owned(), cause })
}

fn read_devices(path: &Path, count: usize) -> Result<Vec<ConnectionString>, TargetError> {
    let text = read_file(path)?;
    let mut devices = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{} line {}", path.display(), number + 1);
        let parsed = parse(&place, line)?;
        if parsed.device_id.is_none() {
            return Err(TargetError::WrongSort { place, missing: "DeviceId" });
        }
        devices.push(parsed);
    }
    if devices.len() < count {
        let (path, found) = (path.to_owned(), devices.len());
        return Err(TargetError::TooFewDevices { path, found, wanted: count });
    }
    Ok(devices)
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, TargetError> {
    let failed = |cause| TargetError::Resolve { name: host.to_owned(), cause };
    let found = if host.contains(':') {
        host.to_socket_addrs().map_err(failed)?.next()
    } else {
        (host, port).to_socket_addrs().map_err(failed)?.next()
    };
    found.ok_or_else(|| TargetError::NoAddress(host.to_owned()))
}

/// A TLS client and the name it asks the server to prove.
#[derive(Clone)]
pub struct Secure {
    /// Makes connections.
    pub connector: TlsConnector,
    /// Checked against the certificate.
    pub server: ServerName<'static>,
}

/// Where connections go.
#[derive(Clone)]
pub struct Target {
    /// At least one; device `i` uses the address at `i` modulo their number.
    pub addresses: Vec<SocketAddr>,
    /// Present when connections use TLS.
    pub tls: Option<Secure>,
    /// MQTT goes over WebSocket.
    pub websocket: bool,
}

impl Target {
    /// The address of device `index`.
    pub fn address(&self, index: usize) -> SocketAddr {
        self.addresses[index % self.addresses.len()]
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, address) in self.addresses.iter().enumerate() {
            write!(out, "{}{address}", if number > 0 { "," } else { "" })?;
        }
        let layers = match (self.websocket, &self.tls) {
            (true, _) => "WebSocket",
            (false, Some(_)) => "TLS",
            (false, None) => "plain TCP",
        };
        write!(out, " ({layers})")
    }
}

/// Where passwords come from.
enum Keys {
    Policy { host: String, policy: String, key: Vec<u8> },
    Devices(Vec<ConnectionString>),
    None,
}

/// The devices of a run, made on demand: a token is signed when its device connects.
pub struct Fleet {
    prefix: String,
    first: u32,
    keys: Keys,
}

/// What one device presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// MQTT client identifier, and the `{id}` of topics.
    pub client_id: String,
    /// User name and password.
    pub login: Option<(String, String)>,
}

impl Fleet {
    /// The hub's own name, when the credentials tell it.
    pub fn hub_name(&self) -> Option<&str> {
        match &self.keys {
            Keys::Policy { host, .. } => Some(host),
            Keys::Devices(devices) => devices.first().map(|device| device.host.as_str()),
            Keys::None => None,
        }
    }

    /// The id of device `index`, which must be below the count the fleet was made for.
    pub fn id(&self, index: usize) -> String {
        match &self.keys {
            Keys::Devices(devices) => devices[index].device_id.clone().unwrap_or_default(),
            Keys::Policy { .. } | Keys::None => {
                format!("{}{}", self.prefix, u64::from(self.first) + index as u64)
            }
        }
    }

    /// Identity of device `index`; its token ends at `expiry`, seconds since 1970.
    pub fn identity(&self, index: usize, expiry: u64) -> Identity {
        let client_id = self.id(index);
        let (host, key, policy) = match &self.keys {
            Keys::Policy { host, policy, key } => (host, key, Some(policy.as_str())),
            Keys::Devices(devices) => (&devices[index].host, &devices[index].key, None),
            Keys::None => return Identity { client_id, login: None },
        };
        let user_name = format!("{host}/{client_id}/?api-version={API_VERSION}");
        let password = sas::token(key, &format!("{host}/devices/{client_id}"), policy, expiry);
        Identity { client_id, login: Some((user_name, password)) }
    }

    /// A token for the whole hub, which the registry asks for, and the hub's name.
    pub fn registry_login(&self, expiry: u64) -> Result<(String, String), TargetError> {
        match &self.keys {
            Keys::Policy { host, policy, key } => {
                Ok((host.clone(), sas::token(key, host, Some(policy), expiry)))
            }
            Keys::Devices(_) | Keys::None => Err(TargetError::CreateWithoutPolicy),
        }
    }
}

#[cfg(test)]
mod tests;
