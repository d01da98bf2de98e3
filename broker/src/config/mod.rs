//! Every setting of `ironhub serve`: a flag, an environment variable and a key of the TOML file.
//!
//! Flags win over variables, variables over the file, the file over the default. [`ServeArgs`] is what the command
//! line and the environment said, [`FileConfig`](file::FileConfig) what the file said, [`Config`] the checked result.

mod args;
mod devices;
mod file;
mod listeners;
mod notices;
mod upload;

#[cfg(test)]
mod tests;

pub use args::ServeArgs;
pub use listeners::{ListenAddr, Listeners};
pub use upload::{Secret, Upload, UploadStorage};

use std::path::PathBuf;
use std::time::Duration;

use ironhub_domain::limits::{INDEXED_TAGS_MAX, TWIN_KEY_BYTES_MAX};
use ironhub_domain::partition::ConsumerGroup;
use ironhub_domain::time::UnixMs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::actor::DeviceSettings;
use crate::router::NoticeSettings;

/// Fewest and most partitions of a hub (design.md 2); fixed when the hub is created.
pub const PARTITIONS_MIN: u32 = 1;
/// Most partitions of a hub.
pub const PARTITIONS_MAX: u32 = 1024;

/// A setting that cannot be used; the text names the key and says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything of this node is kept.
    pub data_dir: PathBuf,
    /// The hub's DNS name: in connection strings, certificates and tokens.
    pub hostname: String,
    /// This node's id, 1..
    pub node_id: u64,
    /// Partitions asked for; `None` takes the default at creation and what exists later.
    pub partitions: Option<u32>,
    /// Where to listen.
    pub listeners: Listeners,
    /// A certificate chain and key of one's own (PEM files).
    pub tls: Option<(PathBuf, PathBuf)>,
    /// How long events are kept.
    pub retention_age: Duration,
    /// Most bytes of events kept per partition; `None` is unbounded.
    pub retention_bytes: Option<u64>,
    /// Consumer groups beside `$Default`.
    pub consumer_groups: Vec<String>,
    /// Paths of tags that are indexed.
    pub indexed_tags: Vec<String>,
    /// What devices follow.
    pub devices: DeviceSettings,
    /// How long an MQTT session outlives its token (device-protocols.md 1.6).
    pub sas_grace: Duration,
    /// How long a client has from accept to an authenticated session.
    pub handshake_timeout: Duration,
    /// An actor without session or call is passivated after this.
    pub passivate_after: Duration,
    /// Most connections of this node, all frontends together.
    pub connections_max: usize,
    /// Above this resident size new connections are refused, in bytes.
    pub memory_max: u64,
    /// Below this much free disk space writes are refused, in bytes; `None` takes a twentieth of the file system.
    pub disk_reserve: Option<u64>,
    /// Threads that run sessions and device actors.
    pub workers: usize,
    /// File uploads.
    pub upload: Upload,
    /// PEM file of authorities that count besides the system's where this node calls others.
    pub outbound_ca_file: Option<PathBuf>,
    /// Feedback on cloud-to-device messages.
    pub feedback: NoticeSettings,
    /// Notifications of uploads.
    pub file_notifications: NoticeSettings,
}

impl Config {
    /// Merges the sources and checks every value.
    pub fn load(args: ServeArgs) -> Result<Self, ConfigError> {
        let file = file::FileConfig::read(args.config.as_deref())?;
        let limits = file.limits.unwrap_or_default();
        let devices = devices::merge(
            &args,
            &file.c2d.unwrap_or_default(),
            &file.twin.unwrap_or_default(),
            limits.profile.as_deref(),
        )?;
        let cluster = file.cluster.unwrap_or_default();
        if args.join.or(cluster.join).is_some_and(|peers| !peers.is_empty()) {
            return Err(ConfigError(
                "cluster.join: this version runs a hub on one node; joining other nodes is not built yet. \
                 Start without --join"
                    .into(),
            ));
        }
        let hostname = args.hostname.or(file.hostname).unwrap_or_else(|| "localhost".into());
        check_hostname(&hostname)?;
        let hub = file.hub.unwrap_or_default();
        let partitions = args.hub_partitions.or(hub.partitions);
        if let Some(n) = partitions
            && !(PARTITIONS_MIN..=PARTITIONS_MAX).contains(&n)
        {
            return Err(ConfigError(format!(
                "hub.partitions: {n} is outside {PARTITIONS_MIN} to {PARTITIONS_MAX}"
            )));
        }
        let tls_file = file.tls.unwrap_or_default();
        let tls = match (args.tls_cert.or(tls_file.cert), args.tls_key.or(tls_file.key)) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(ConfigError("tls.key: missing; --tls-cert needs --tls-key too".into()));
            }
            (None, Some(_)) => {
                return Err(ConfigError(
                    "tls.cert: missing; --tls-key needs --tls-cert too".into(),
                ));
            }
        };
        let events = file.events.unwrap_or_default();
        let hours = args.events_retention_hours.or(events.retention_hours).unwrap_or(24);
        if !(1..=7 * 24).contains(&hours) {
            return Err(ConfigError(format!(
                "events.retention_hours: {hours} is outside 1 to 168"
            )));
        }
        let mqtt = file.mqtt.unwrap_or_default();
        let node_id = args.node_id.or(cluster.node_id).unwrap_or(1);
        if node_id == 0 {
            return Err(ConfigError("cluster.node_id: node ids start at 1".into()));
        }
        let consumer_groups =
            args.events_consumer_groups.or(events.consumer_groups).unwrap_or_default();
        for group in &consumer_groups {
            check_consumer_group(group)?;
        }
        Ok(Self {
            data_dir: args.data_dir.or(file.data_dir).unwrap_or_else(|| "./data".into()),
            hostname,
            node_id,
            partitions,
            listeners: Listeners::merge(args.listen, file.listen.unwrap_or_default())?,
            tls,
            retention_age: Duration::from_secs(hours * 3600),
            retention_bytes: args.events_retention_bytes.or(events.retention_bytes),
            consumer_groups,
            indexed_tags: indexed_tags(
                args.query_indexed_tags.or(file.query.unwrap_or_default().indexed_tags),
            )?,
            devices,
            sas_grace: Duration::from_secs(
                args.mqtt_sas_grace_seconds.or(mqtt.sas_grace_seconds).unwrap_or(600),
            ),
            handshake_timeout: Duration::from_secs(
                args.limits_handshake_seconds.or(limits.handshake_seconds).unwrap_or(30).max(1),
            ),
            passivate_after: Duration::from_secs(
                args.limits_passivate_seconds.or(limits.passivate_seconds).unwrap_or(60).max(1),
            ),
            connections_max: args
                .limits_connections
                .or(limits.connections)
                .unwrap_or_else(connections_default),
            memory_max: args
                .limits_memory_bytes
                .or(limits.memory_bytes)
                .unwrap_or_else(memory_default),
            disk_reserve: args.limits_disk_reserve_bytes.or(limits.disk_reserve_bytes),
            workers: args.workers.or(file.workers).unwrap_or_else(cores).clamp(1, 256),
            upload: Upload::merge(args.upload, file.upload.unwrap_or_default())?,
            outbound_ca_file: outbound_ca(
                args.outbound_ca_file.or(file.outbound.unwrap_or_default().ca_file),
            )?,
            feedback: notices::feedback(&args.notices, file.feedback.unwrap_or_default())?,
            file_notifications: notices::file_notifications(
                &args.notices,
                file.file_notifications.unwrap_or_default(),
            )?,
        })
    }

    /// The smallest power of two that is at least twice the cores, between 4 and 32 (design.md 2).
    pub fn partitions_default() -> u32 {
        (cores() as u32 * 2).next_power_of_two().clamp(4, 32)
    }

    /// The hub's short name: the first label of its host name.
    pub fn hub_name(&self) -> &str {
        self.hostname.split('.').next().unwrap_or(&self.hostname)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// What the open-file limit allows, less what storage and the hub itself need.
fn connections_default() -> usize {
    const FILES_RESERVED: u64 = 1024;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit and setrlimit only access the struct passed to them.
    let files = unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            4096
        } else {
            let wanted = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &wanted) == 0 {
                limit.rlim_max
            } else {
                limit.rlim_cur
            }
        }
    };
    usize::try_from(files.saturating_sub(FILES_RESERVED).max(64)).unwrap_or(usize::MAX)
}

/// Four fifths of the machine's memory.
fn memory_default() -> u64 {
    let total_kb = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        text.lines().find_map(|l| {
            l.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
    });
    total_kb.map_or(4 << 30, |kb| kb * 1024 / 5 * 4)
}

fn check_hostname(name: &str) -> Result<(), ConfigError> {
    let label_ok = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() <= 253 && name.split('.').all(label_ok) {
        return Ok(());
    }
    Err(ConfigError(format!("hostname: {name:?} is not a DNS name or IPv4 address")))
}

/// Paths as they are stored: without a leading `tags.`, each once, in order.
/// A file that is none is met at the start, not at the first call.
fn outbound_ca(path: Option<PathBuf>) -> Result<Option<PathBuf>, ConfigError> {
    let Some(path) = path else { return Ok(None) };
    let wrong = |why: &dyn std::fmt::Display| {
        ConfigError(format!("outbound.ca_file: {}: {why}", path.display()))
    };
    let pem = std::fs::read(&path).map_err(|error| wrong(&error))?;
    match CertificateDer::pem_slice_iter(&pem).any(|certificate| certificate.is_ok()) {
        true => Ok(Some(path)),
        false => Err(wrong(&"no certificate in it")),
    }
}

fn indexed_tags(paths: Option<Vec<String>>) -> Result<Vec<String>, ConfigError> {
    let paths = paths.unwrap_or_default();
    let mut tags: Vec<String> =
        paths.iter().map(|path| path.strip_prefix("tags.").unwrap_or(path).to_owned()).collect();
    tags.sort();
    tags.dedup();
    let is_path = |path: &String| {
        path.len() <= TWIN_KEY_BYTES_MAX && path.split('.').all(|name| !name.is_empty())
    };
    if tags.len() > INDEXED_TAGS_MAX || !tags.iter().all(is_path) {
        return Err(ConfigError(format!(
            "query.indexed_tags: {paths:?} are not up to {INDEXED_TAGS_MAX} paths like floor or location.building"
        )));
    }
    Ok(tags)
}

fn check_consumer_group(name: &str) -> Result<(), ConfigError> {
    let group = ConsumerGroup { name: name.to_owned(), created: UnixMs::default() };
    group
        .validate()
        .map_err(|error| ConfigError(format!("events.consumer_groups: {name:?}: {error}")))
}
