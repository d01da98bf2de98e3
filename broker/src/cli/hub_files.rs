//! What a hub leaves in its data directory for those who run beside it (design.md 8): `hub.env`, `ca.pem`,
//! `listeners.json`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::connection::ConnectionError;

/// Name of the variable with the service connection string, in `hub.env` and in the environment.
pub const SERVICE_VARIABLE: &str = "IRONHUB_SERVICE_CONNECTION_STRING";
/// Name of the variable with the Event Hubs-compatible connection string.
pub const EVENT_HUB_VARIABLE: &str = "IRONHUB_EVENTHUB_CONNECTION_STRING";

/// Name of the variable with the connection string of the hub's own blobs.
pub const STORAGE_VARIABLE: &str = "IRONHUB_STORAGE_CONNECTION_STRING";

/// The files of one hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubFiles {
    /// Value of [`SERVICE_VARIABLE`].
    pub service: Option<String>,
    /// Value of [`EVENT_HUB_VARIABLE`].
    pub event_hub: Option<String>,
    /// Value of [`STORAGE_VARIABLE`].
    pub storage: Option<String>,
    /// The hub's CA, if the file is there.
    pub ca_file: Option<PathBuf>,
    /// Where the HTTPS listener is, reachable from this machine.
    pub https: Option<SocketAddr>,
    /// Where the AMQP listener is, reachable from this machine.
    pub amqps: Option<SocketAddr>,
    /// Where the MQTT listener is, the one with TLS, reachable from this machine.
    pub mqtts: Option<SocketAddr>,
}

impl HubFiles {
    /// The files in `dir`, or `None` if there is no `hub.env`.
    pub fn read(dir: &Path) -> Result<Option<Self>, ConnectionError> {
        let path = dir.join("hub.env");
        let env = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ConnectionError::Unreadable { path, source }),
        };
        let ca_file = Some(dir.join("ca.pem")).filter(|path| path.exists());
        // Written while the hub runs; without it the hub's usual ports are tried.
        let listeners = std::fs::read(dir.join("listeners.json")).unwrap_or_default();
        let listeners: Value = serde_json::from_slice(&listeners).unwrap_or_default();
        Ok(Some(Self {
            service: variable(&env, SERVICE_VARIABLE),
            event_hub: variable(&env, EVENT_HUB_VARIABLE),
            storage: variable(&env, STORAGE_VARIABLE),
            ca_file,
            https: listener(&listeners, "https"),
            amqps: listener(&listeners, "amqps"),
            mqtts: listener(&listeners, "mqtts"),
        }))
    }
}

fn variable(env: &str, name: &str) -> Option<String> {
    let mut values = env.lines().filter_map(|line| line.trim().split_once('='));
    let (_, value) = values.find(|(key, _)| *key == name)?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// A listener's address as one can connect to it: "every address" means this machine.
fn listener(listeners: &Value, name: &str) -> Option<SocketAddr> {
    let mut address: SocketAddr = listeners[name].as_str()?.parse().ok()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_read_as_a_shell_would() {
        let env = "A=1\n IRONHUB_SERVICE_CONNECTION_STRING=HostName=h;SharedAccessKey=k==\nB=\"x\"";
        assert_eq!(variable(env, SERVICE_VARIABLE).unwrap(), "HostName=h;SharedAccessKey=k==");
        assert_eq!(variable(env, "B").unwrap(), "x");
        assert_eq!(variable(env, "C"), None);
    }

    #[test]
    fn a_listener_on_every_address_is_reached_on_this_machine() {
        let listeners = json!({"https": "0.0.0.0:8443", "amqps": "[::]:5671", "mqtt": "off"});
        assert_eq!(listener(&listeners, "https").unwrap().to_string(), "127.0.0.1:8443");
        assert_eq!(listener(&listeners, "amqps").unwrap().to_string(), "[::1]:5671");
        assert_eq!(listener(&listeners, "mqtt"), None);
        assert_eq!(listener(&Value::Null, "https"), None);
    }
}
