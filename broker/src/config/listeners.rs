//! Which addresses the node listens on (design.md 8).

use std::net::{SocketAddr, ToSocketAddrs};

use serde::Deserialize;

use super::ConfigError;

/// One listener's address, or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// Not opened.
    Off,
    /// Bound here; port 0 picks a free one.
    At(SocketAddr),
}

/// Flags and variables.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ListenArgs {
    /// MQTT without TLS, or `off` [default: 127.0.0.1:1883]
    #[arg(long, env = "IRONHUB_MQTT_LISTEN", value_name = "ADDR")]
    pub mqtt_listen: Option<String>,
    /// MQTT over TLS, or `off` [default: 0.0.0.0:8883]
    #[arg(long, env = "IRONHUB_MQTTS_LISTEN", value_name = "ADDR")]
    pub mqtts_listen: Option<String>,
    /// AMQP over TLS: Event Hubs-compatible endpoint, or `off` [default: 0.0.0.0:5671]
    #[arg(long, env = "IRONHUB_AMQPS_LISTEN", value_name = "ADDR")]
    pub amqps_listen: Option<String>,
    /// HTTPS, or `off` [default: 0.0.0.0:443]
    #[arg(long, env = "IRONHUB_HTTPS_LISTEN", value_name = "ADDR")]
    pub https_listen: Option<String>,
    /// Health and metrics over plain HTTP, or `off` [default: 127.0.0.1:9600]
    #[arg(long, env = "IRONHUB_ADMIN_LISTEN", value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// Node-to-node traffic (not built yet: a hub on one node opens nothing here) [default: 127.0.0.1:7400]
    #[arg(long, env = "IRONHUB_CLUSTER_LISTEN", value_name = "ADDR")]
    pub cluster_listen: Option<String>,
}

/// The `[listen]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenFile {
    /// MQTT without TLS.
    pub mqtt: Option<String>,
    /// MQTT over TLS.
    pub mqtts: Option<String>,
    /// AMQP over TLS.
    pub amqps: Option<String>,
    /// HTTPS.
    pub https: Option<String>,
    /// Health and metrics.
    pub admin: Option<String>,
    /// Node to node.
    pub cluster: Option<String>,
}

/// The checked addresses.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// MQTT without TLS.
    pub mqtt: ListenAddr,
    /// MQTT over TLS.
    pub mqtts: ListenAddr,
    /// AMQP over TLS.
    pub amqps: ListenAddr,
    /// HTTPS.
    pub https: ListenAddr,
    /// Health and metrics.
    pub admin: ListenAddr,
}

impl Listeners {
    pub(super) fn merge(args: ListenArgs, file: ListenFile) -> Result<Self, ConfigError> {
        let at = |key: &str, flag: Option<String>, file: Option<String>, default: &str| {
            let text = flag.or(file).unwrap_or_else(|| default.into());
            parse(key, &text)
        };
        // Checked although nothing is opened there yet, so that a bad address does not lie in wait.
        at("listen.cluster", args.cluster_listen, file.cluster, "127.0.0.1:7400")?;
        Ok(Self {
            mqtt: at("listen.mqtt", args.mqtt_listen, file.mqtt, "127.0.0.1:1883")?,
            mqtts: at("listen.mqtts", args.mqtts_listen, file.mqtts, "0.0.0.0:8883")?,
            amqps: at("listen.amqps", args.amqps_listen, file.amqps, "0.0.0.0:5671")?,
            https: at("listen.https", args.https_listen, file.https, "0.0.0.0:443")?,
            admin: at("listen.admin", args.admin_listen, file.admin, "127.0.0.1:9600")?,
        })
    }
}

fn parse(key: &str, text: &str) -> Result<ListenAddr, ConfigError> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(ListenAddr::Off);
    }
    let bad = || ConfigError(format!("{key}: {text:?} is not HOST:PORT (or `off`)"));
    text.to_socket_addrs().map_err(|_| bad())?.next().map(ListenAddr::At).ok_or_else(bad)
}
