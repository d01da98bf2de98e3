//! What a node must know before it starts, and what a hub must hold before it serves.

use std::fs;
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ironhub_domain::auth::PolicySet;
use rand::RngCore;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::net::certificates::{write_secret, write_with_mode};

const NODE_FILE: &str = "node.json";
/// Layout of the data directory; a newer program refuses or converts an older one.
const FORMAT: u32 = 1;
/// Bytes of a generated key.
const KEY_BYTES: usize = 32;

/// The facts of a data directory that never change.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodeFile {
    format: u32,
    /// This node.
    pub node_id: u64,
    /// Device partitions of the hub.
    pub partitions: u32,
}

impl NodeFile {
    /// Reads the data directory's facts, or lays them down in an empty one.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let path = config.data_dir.join(NODE_FILE);
        match fs::read(&path) {
            Ok(bytes) => Self::check(&bytes, config).with_context(|| format!("{}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let node = Self {
                    format: FORMAT,
                    node_id: config.node_id,
                    partitions: config.partitions.unwrap_or_else(Config::partitions_default),
                };
                write_with_mode(&path, &serde_json::to_vec_pretty(&node)?, 0o644)?;
                Ok(node)
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn check(bytes: &[u8], config: &Config) -> anyhow::Result<Self> {
        let node: Self =
            serde_json::from_slice(bytes).context("the data directory's node file is damaged")?;
        anyhow::ensure!(
            node.format == FORMAT,
            "the data directory has format {}, this program knows format {FORMAT}; use the matching version",
            node.format
        );
        if let Some(asked) = config.partitions {
            anyhow::ensure!(
                asked == node.partitions,
                "hub.partitions: this hub was created with {} partitions, which cannot change to {asked}; \
                 drop the setting or create a new hub in another --data-dir",
                node.partitions
            );
        }
        Ok(node)
    }
}

/// A fresh random key as base64 text.
pub fn new_key() -> String {
    let mut key = [0u8; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    STANDARD.encode(key)
}

/// Writes `hub.env` with the keys that policies have now, whenever it is asked to.
pub fn hub_env_writer(
    config: &Config,
    entity: &str,
    storage: String,
) -> impl Fn(&PolicySet) -> anyhow::Result<()> + use<> {
    let (dir, hostname) = (config.data_dir.clone(), config.hostname.clone());
    let entity = entity.to_owned();
    move |policies| write_hub_env(&dir, &hostname, &entity, policies, &storage)
}

/// Writes `hub.env`: the connection strings that back ends and the command line use; `storage` is that of the hub's own
/// blobs.
fn write_hub_env(
    dir: &Path,
    hostname: &str,
    entity: &str,
    policies: &PolicySet,
    storage: &str,
) -> anyhow::Result<()> {
    let owner = policies.get("iothubowner").context("the hub has no policy named iothubowner")?;
    let key = &owner.keys.primary;
    let mut text = format!(
        "IRONHUB_SERVICE_CONNECTION_STRING=HostName={hostname};SharedAccessKeyName=iothubowner;SharedAccessKey={key}\n\
         IRONHUB_EVENTHUB_CONNECTION_STRING=Endpoint=sb://{hostname}/;SharedAccessKeyName=iothubowner;\
         SharedAccessKey={key};EntityPath={entity}\n\
         IRONHUB_STORAGE_CONNECTION_STRING={storage}\n"
    );
    for name in ["service", "device", "registryRead", "registryReadWrite"] {
        // A hub may have dropped one of the policies it began with.
        let Some(policy) = policies.get(name) else { continue };
        let (variable, key) = (name.to_ascii_uppercase(), &policy.keys.primary);
        text.push_str(&format!(
            "IRONHUB_POLICY_{variable}_CONNECTION_STRING=HostName={hostname};SharedAccessKeyName={name};\
             SharedAccessKey={key}\n"
        ));
    }
    let path = dir.join("hub.env");
    if fs::read_to_string(&path).is_ok_and(|current| current == text) {
        return Ok(());
    }
    write_secret(&path, text.as_bytes())
}
