//! The TOML file. Unknown keys are errors, so that a misspelt one is not ignored.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ConfigError;
use super::listeners::ListenFile;
use super::notices::NoticeFile;
use super::upload::UploadFile;

/// The whole file; every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileConfig {
    pub data_dir: Option<PathBuf>,
    pub hostname: Option<String>,
    pub workers: Option<usize>,
    pub hub: Option<Hub>,
    pub listen: Option<ListenFile>,
    pub tls: Option<Tls>,
    pub events: Option<Events>,
    pub query: Option<Query>,
    pub mqtt: Option<Mqtt>,
    pub c2d: Option<C2d>,
    pub twin: Option<Twin>,
    pub limits: Option<Limits>,
    pub cluster: Option<Cluster>,
    pub upload: Option<UploadFile>,
    pub outbound: Option<Outbound>,
    pub feedback: Option<NoticeFile>,
    pub file_notifications: Option<NoticeFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hub {
    pub partitions: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Events {
    pub retention_hours: Option<u64>,
    pub retention_bytes: Option<u64>,
    pub consumer_groups: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    pub indexed_tags: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mqtt {
    pub sas_grace_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct C2d {
    pub default_ttl_seconds: Option<u64>,
    pub max_delivery_count: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Twin {
    pub notify_at_reconnect: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub profile: Option<String>,
    pub handshake_seconds: Option<u64>,
    pub passivate_seconds: Option<u64>,
    pub connections: Option<usize>,
    pub memory_bytes: Option<u64>,
    pub disk_reserve_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outbound {
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub node_id: Option<u64>,
    pub join: Option<Vec<String>>,
}

impl FileConfig {
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("--config {}: {error}", path.display())))?;
        toml::from_str(&text)
            .map_err(|error| ConfigError(format!("--config {}: {error}", path.display())))
    }
}
