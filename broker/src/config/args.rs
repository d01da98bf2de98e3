//! The flags and environment variables of `ironhub serve`.

use std::path::PathBuf;

use super::listeners::ListenArgs;
use super::notices::NoticeArgs;
use super::upload::UploadArgs;

/// Flags of `ironhub serve`. Each is also an environment variable and a key of the TOML file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ServeArgs {
    /// TOML file with settings; flags and IRONHUB_* variables win over it
    #[arg(long, env = "IRONHUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where this node keeps everything: log, state, keys, certificates [default: ./data]
    #[arg(long, env = "IRONHUB_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// DNS name that clients use; in certificates and connection strings [default: localhost]
    #[arg(long, env = "IRONHUB_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// Number of partitions, 1 to 1024; fixed when the hub is created [default: twice the cores, 4 to 32]
    #[arg(long, env = "IRONHUB_HUB_PARTITIONS", value_name = "N")]
    pub hub_partitions: Option<u32>,

    /// Listeners.
    #[command(flatten)]
    pub listen: ListenArgs,

    /// PEM file with a certificate chain of your own instead of the hub's; reloaded when it changes
    #[arg(long, env = "IRONHUB_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with the private key for --tls-cert
    #[arg(long, env = "IRONHUB_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Hours that events are kept, 1 to 168 [default: 24]
    #[arg(long, env = "IRONHUB_EVENTS_RETENTION_HOURS", value_name = "HOURS")]
    pub events_retention_hours: Option<u64>,

    /// Most bytes of events kept per partition [default: unbounded]
    #[arg(long, env = "IRONHUB_EVENTS_RETENTION_BYTES", value_name = "BYTES")]
    pub events_retention_bytes: Option<u64>,

    /// Consumer groups beside $Default, separated by commas
    #[arg(
        long,
        env = "IRONHUB_EVENTS_CONSUMER_GROUPS",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub events_consumer_groups: Option<Vec<String>>,

    /// Tags that queries find without reading every twin, by path (floor, location.building), separated by commas
    #[arg(long, env = "IRONHUB_QUERY_INDEXED_TAGS", value_name = "PATHS", value_delimiter = ',')]
    pub query_indexed_tags: Option<Vec<String>>,

    /// Seconds that an MQTT connection outlives its token [default: 600]
    #[arg(long, env = "IRONHUB_MQTT_SAS_GRACE_SECONDS", value_name = "SECONDS")]
    pub mqtt_sas_grace_seconds: Option<u64>,

    /// Seconds that a cloud-to-device message lives whose sender does not say, 60 to 172800 [default: 3600]
    #[arg(long, env = "IRONHUB_C2D_DEFAULT_TTL_SECONDS", value_name = "SECONDS")]
    pub c2d_default_ttl_seconds: Option<u64>,

    /// A cloud-to-device message that was abandoned this often is not delivered again, 1 to 100 [default: 10]
    #[arg(long, env = "IRONHUB_C2D_MAX_DELIVERY_COUNT", value_name = "N")]
    pub c2d_max_delivery_count: Option<u32>,

    /// Whether a device that missed changes of its desired properties is sent them when it subscribes again [default: true]
    #[arg(long, env = "IRONHUB_TWIN_NOTIFY_AT_RECONNECT", value_name = "BOOL")]
    pub twin_notify_at_reconnect: Option<bool>,

    /// Sizes of twins and direct methods: `default`, or `classic` with 8 KB each [default: default]
    #[arg(long, env = "IRONHUB_LIMITS_PROFILE", value_name = "NAME")]
    pub limits_profile: Option<String>,

    /// Seconds that a client has from connecting to being authenticated [default: 30]
    #[arg(long, env = "IRONHUB_LIMITS_HANDSHAKE_SECONDS", value_name = "SECONDS")]
    pub limits_handshake_seconds: Option<u64>,

    /// Seconds after which an idle device without connection leaves memory [default: 60]
    #[arg(long, env = "IRONHUB_LIMITS_PASSIVATE_SECONDS", value_name = "SECONDS")]
    pub limits_passivate_seconds: Option<u64>,

    /// Most connections of this node [default: what the open-file limit allows]
    #[arg(long, env = "IRONHUB_LIMITS_CONNECTIONS", value_name = "N")]
    pub limits_connections: Option<usize>,

    /// Resident memory above which new connections are refused [default: 80 % of the machine's]
    #[arg(long, env = "IRONHUB_LIMITS_MEMORY_BYTES", value_name = "BYTES")]
    pub limits_memory_bytes: Option<u64>,

    /// Free disk space below which writes are refused [default: 5 % of the file system, 32 MiB to 1 GiB]
    #[arg(long, env = "IRONHUB_LIMITS_DISK_RESERVE_BYTES", value_name = "BYTES")]
    pub limits_disk_reserve_bytes: Option<u64>,

    /// Uploads.
    #[command(flatten)]
    pub upload: UploadArgs,

    /// Feedback and file notifications.
    #[command(flatten)]
    pub notices: NoticeArgs,

    /// PEM file of authorities that count besides the system's where the hub calls others: webhooks, storage elsewhere
    #[arg(long, env = "IRONHUB_OUTBOUND_CA_FILE", value_name = "FILE")]
    pub outbound_ca_file: Option<PathBuf>,

    /// Threads that run connections and device actors [default: cores]
    #[arg(long, env = "IRONHUB_WORKERS", value_name = "N")]
    pub workers: Option<usize>,

    /// This node's id in its cluster [default: 1]
    #[arg(long, env = "IRONHUB_NODE_ID", value_name = "N")]
    pub node_id: Option<u64>,

    /// Peers to join (not built yet: this version runs a hub on one node and refuses this option)
    #[arg(long, env = "IRONHUB_JOIN", value_name = "HOST:PORT", value_delimiter = ',')]
    pub join: Option<Vec<String>>,
}
