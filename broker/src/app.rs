//! `ironhub serve`: the only file that wires everything together, in the order in which it starts.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_rt::{Arbiter, System};
use anyhow::Context;
use ironhub_cluster::log::{FileDisk, LogOptions, LogStore, SegmentLog};
use ironhub_cluster::partition::{NoPeers, Node, NodeConfig, limits};
use ironhub_cluster::storage::{RocksOptions, RocksStore, StateStore};
use ironhub_cluster::{GroupId, NodeId};
use ironhub_domain::partition::Retention;
use tokio::sync::watch;

use crate::actor::{Directory, NodeFacts, Owner, recall_connected, sweep};
use crate::amqp::{AmqpContext, AmqpOptions};
use crate::blob::Storage;
use crate::bootstrap::{self, NodeFile};
use crate::client::tls::Trust;
use crate::config::{Config, ServeArgs};
use crate::delivery::{Deliveries, Health};
use crate::event_source::{HubEvents, Others};
use crate::frontends::{Bound, Frontends};
use crate::http::{AdminContext, HttpContext};
use crate::mqtt::MqttContext;
use crate::net::accept::Gate;
use crate::net::{authorities, certificates, tls};
use crate::partition::{Partition, PartitionMachine, Watermarks};
use crate::router::request::CloseReason;
use crate::router::{HubState, Router};
use crate::shutdown::{self, Stop};
use crate::trimming::trim;
use crate::websocket::WebSockets;
use crate::{frontends, guard, hub_changes, jobs, logging, metrics, transfer};

/// How long sessions get to say goodbye when the node stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How often idle actors are looked for.
const PASSIVATE_EVERY: Duration = Duration::from_secs(5);

/// Runs a hub until it is told to stop; `Err` is what a person must read.
pub fn run(args: ServeArgs) -> anyhow::Result<()> {
    let config = Config::load(args)?;
    logging::install()?;
    let system = System::new();
    let result = system.block_on(serve(config));
    System::current().stop();
    result
}

async fn serve(config: Config) -> anyhow::Result<()> {
    create_data_dir(&config.data_dir)?;
    let _lock = lock(&config.data_dir)?;
    let node_file = NodeFile::open(&config)?;
    let prometheus = metrics::install()?;
    // Bound before anything slow, so that a taken port is known at once; nothing is accepted yet.
    let bound = Bound::bind(&config.listeners)?;

    let (log, store) = open_storage(&config)?;
    let watermarks = Watermarks::new(node_file.partitions);
    let machines = (0..=node_file.partitions)
        .map(|group| (GroupId(group), PartitionMachine::new(GroupId(group), watermarks.clone())))
        .collect();
    let mut node_config = NodeConfig::single(NodeId(node_file.node_id));
    node_config.engine.flush_bytes = flush_bytes(&config)?;
    // There are no followers to keep entries for.
    node_config.engine.laggard_entries_kept = 0;
    let node = Arc::new(
        Node::start(node_config, log, store.clone(), machines, NoPeers)
            .map_err(|error| anyhow::anyhow!("the partitions cannot start: {error}"))?,
    );
    let partitions: Vec<Partition> = (0..=node_file.partitions)
        .map(|group| Partition::new(node.partition(GroupId(group))))
        .collect();
    for partition in &partitions {
        partition.led().await?;
    }
    let hub = crate::system::found(&partitions[0], &*store, &config, node_file.partitions).await?;
    crate::system::index_tags(&partitions[1..], &*store, &config.indexed_tags).await?;

    let facts = NodeFacts::new(
        config.hostname.clone(),
        hub.policies.clone(),
        hub.authorities,
        authorities::verify,
        config.devices,
    );
    let workers: Vec<Arbiter> = (0..config.workers).map(|_| Arbiter::new()).collect();
    let directories = partitions[1..]
        .iter()
        .enumerate()
        .map(|(n, partition)| {
            let owner = Owner::new(partition.clone(), store.clone(), facts.clone());
            Directory::new(owner, workers[n % workers.len()].handle())
        })
        .collect();
    let state = HubState::new(
        facts.clone(),
        directories,
        partitions[0].clone(),
        [config.feedback, config.file_notifications],
    );
    let router = Router::new(state.clone());
    router.start().await?;

    let served = match &config.tls {
        Some((cert, key)) => {
            certificates::ServerCertificate { cert: cert.clone(), key: key.clone() }
        }
        None => certificates::ensure(&config.data_dir, &config.hostname)?,
    };
    let certificate = tls::Certificate::open(&served.cert, &served.key)?;
    actix_rt::spawn(certificate.clone().watch());
    let (drain, draining) = shutdown::channel();
    let gate = Gate::new(config.connections_max);
    let others = Others { facts: facts.clone(), watermarks: watermarks.clone() };
    let events = Arc::new(HubEvents::new(hub.info.clone(), store.clone(), others)?);
    let policies = router.clone();
    let policies = Box::new(move || policies.policies());
    let mut amqp = AmqpOptions::new(
        config.hostname.clone(),
        policies,
        events,
        Arc::new(router.clone()),
        draining.clone(),
    );
    amqp.services = Some(router.clone());
    amqp.handshake_timeout = config.handshake_timeout;
    let mqtt = MqttContext::new(router.clone(), &config, draining.clone());
    let amqp = AmqpContext::new(amqp);
    let blob = Arc::new(Storage::open(&config, disk_reserve(&config), NodeFacts::now())?);
    actix_rt::spawn(blob.clone().watch(NodeFacts::now));
    let health = Health::default();
    let frontends = Frontends {
        mqtt: mqtt.clone(),
        amqp: amqp.clone(),
        http: Arc::new(HttpContext {
            registry: Arc::new(router.clone()),
            hub: Some(router.clone()),
            upgrade: Some(Arc::new(WebSockets { mqtt, amqp })),
            blob: Some(blob.clone()),
            upload_ms: u64::try_from(config.upload.sas_ttl.as_millis()).unwrap_or(u64::MAX),
            upload_notifications: config.upload.notifications,
            deliveries: health.clone(),
            draining: draining.clone(),
        }),
        admin: Arc::new(AdminContext {
            not_ready: not_ready(partitions.clone(), facts.clone()),
            cluster: cluster_status(node_file.node_id, partitions.clone()),
            metrics: prometheus.clone(),
            draining,
        }),
        certificate,
        gate: gate.clone(),
        handshake_timeout: config.handshake_timeout,
    };
    bound.write_addresses(&config.data_dir)?;
    let addresses = bound.addresses()?;
    let storage =
        blob.endpoint().connection_string(&frontends::https_host(&config.hostname, &addresses));
    let write = bootstrap::hub_env_writer(&config, &hub.info.entity, storage);
    write(&hub.policies)?;
    hub_changes::follow(&router, &frontends.amqp, write);
    let handles: Vec<_> = workers.iter().map(Arbiter::handle).collect();
    bound.serve(&handles, &frontends)?;
    let transfers = config.data_dir.join("transfers");
    actix_rt::spawn(transfer::run(router.clone(), blob.clone(), transfers));
    let deliveries = Deliveries {
        facts: facts.clone(),
        partitions: partitions[1..].to_vec(),
        store: store.clone(),
        watermarks: watermarks.clone(),
        blobs: blob,
        health,
        trust: Trust { ca_file: config.outbound_ca_file.clone() },
    };
    actix_rt::spawn(deliveries.run());
    let logs = (facts.clone(), store, watermarks);
    housekeeping(&config, &node, &partitions, logs, state, &facts, &gate, prometheus);

    for (name, address) in &addresses {
        tracing::info!(%address, "listening for {name}");
    }
    tracing::info!(
        hostname = %config.hostname,
        data_dir = %config.data_dir.display(),
        partitions = node_file.partitions,
        "hub is ready"
    );
    let stop = tokio::select! {
        signalled = shutdown::signalled() => signalled.map(|()| Stop::Asked).context("waiting for signals")?,
        reason = node.failed() => Stop::Failed(reason.to_string()),
    };
    drain_and_stop(stop, &router, &facts, &gate, &drain, &node, workers).await
}

fn create_data_dir(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("--data-dir {}: cannot be created", dir.display()))
}

/// One process per data directory; the lock goes with the process, however it ends.
fn lock(dir: &Path) -> anyhow::Result<fs::File> {
    let path = dir.join("lock");
    let file = fs::File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => anyhow::bail!(
            "another ironhub uses {}: stop it, or give this one another --data-dir",
            dir.display()
        ),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking {}", path.display()))
        }
    }
}

fn open_storage(config: &Config) -> anyhow::Result<(Arc<dyn LogStore>, Arc<dyn StateStore>)> {
    let dir = &config.data_dir;
    let space = guard::space(dir)
        .with_context(|| format!("asking for the free space of {}", dir.display()))?;
    let disk = FileDisk::open(dir.join("log"))
        .with_context(|| format!("opening {}", dir.join("log").display()))?;
    let options = log_options(space);
    let log = SegmentLog::open(Arc::new(disk), options)
        .map_err(|error| anyhow::anyhow!("the log: {error}"))?;
    let store = RocksStore::open(dir.join("state"), rocks_options(space))
        .map_err(|error| anyhow::anyhow!("the state store: {error}"))?;
    Ok((Arc::new(log), Arc::new(store)))
}

/// Segments that even a small disk has room for: the log holds several at a time.
fn log_options(space: guard::Space) -> LogOptions {
    let default = LogOptions::default();
    LogOptions { segment_bytes: default.segment_bytes.min(space.size / 64), ..default }
}

/// Memtables and files of which a small disk has room for several: one flush must fit into the reserve that the free-space
/// guard keeps.
fn rocks_options(space: guard::Space) -> RocksOptions {
    const LEAST: u64 = 4 << 20;
    let part = (space.size / 64).max(LEAST);
    let default = RocksOptions::default();
    RocksOptions {
        memtable_bytes: default.memtable_bytes.min(usize::try_from(part).unwrap_or(usize::MAX)),
        events_file_bytes: default.events_file_bytes.min(part),
        ..default
    }
}

/// How much log gathers before applied state is flushed and the log is cut: little enough for a small disk.
fn flush_bytes(config: &Config) -> anyhow::Result<u64> {
    let space = guard::space(&config.data_dir).context("asking for free space")?;
    Ok((space.size / 16).clamp(8 << 20, limits::FLUSH_BYTES))
}

/// The free disk space that this node keeps.
fn disk_reserve(config: &Config) -> u64 {
    config
        .disk_reserve
        .unwrap_or_else(|| guard::space(&config.data_dir).map_or(0, guard::disk_reserve))
}

fn not_ready(partitions: Vec<Partition>, facts: Arc<NodeFacts>) -> crate::http::health::ReadyCheck {
    Box::new(move || {
        let mut reasons = Vec::new();
        if facts.stopping.load(Ordering::Relaxed) {
            reasons.push("the node is stopping".to_owned());
        }
        for partition in partitions.iter().filter(|partition| !partition.is_led()) {
            reasons.push(format!("partition {} has no leader", partition.group().0));
        }
        reasons
    })
}

fn cluster_status(node: u64, partitions: Vec<Partition>) -> crate::http::health::ClusterStatus {
    Box::new(move || {
        let group = |partition: &Partition| {
            let status = partition.status();
            serde_json::json!({
                "id": partition.group().0,
                "leader": status.leadership.leader.map(|node| node.0),
                "replicas": status.members.voters.iter().map(|node| node.0).collect::<Vec<_>>(),
                "learners": status.members.learners.iter().map(|node| node.0).collect::<Vec<_>>(),
                "term": status.leadership.term,
                "applied_index": status.applied,
            })
        };
        let groups: Vec<_> = partitions.iter().map(group).collect();
        serde_json::json!({ "nodes": [{ "id": node, "state": "up" }], "partitions": groups })
    })
}

/// Everything that runs beside the frontends, on the main thread.
#[expect(clippy::too_many_arguments, reason = "wiring: each argument is a part of the node")]
fn housekeeping(
    config: &Config,
    node: &Arc<Node<PartitionMachine>>,
    partitions: &[Partition],
    logs: (Arc<NodeFacts>, Arc<dyn StateStore>, Watermarks),
    state: Arc<HubState>,
    facts: &Arc<NodeFacts>,
    gate: &Arc<Gate>,
    prometheus: metrics_exporter_prometheus::PrometheusHandle,
) {
    let reserve = disk_reserve(config);
    let (full, counted, swept, gate) = (node.clone(), state.clone(), state.clone(), gate.clone());
    actix_rt::spawn(guard::watch(
        config.data_dir.clone(),
        reserve,
        config.memory_max,
        facts.clone(),
        move |is_full| full.set_storage_full(is_full),
        move || {
            metrics::connections::open(gate.open());
            metrics::device::active(counted.directories().iter().map(Directory::len).sum());
            prometheus.run_upkeep();
        },
    ));
    actix_rt::spawn(jobs::run(Router::new(state.clone())));
    actix_rt::spawn(recall_connected(state.clone()));
    let idle = config.passivate_after;
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(PASSIVATE_EVERY).await;
            for directory in state.directories() {
                directory.passivate(idle);
            }
        }
    });
    actix_rt::spawn(sweep(swept));
    let age_ms = u64::try_from(config.retention_age.as_millis()).unwrap_or(u64::MAX);
    let retention = Retention { age_ms, bytes_max: config.retention_bytes };
    for partition in partitions[1..].iter().cloned() {
        let (facts, store, watermarks) = logs.clone();
        actix_rt::spawn(trim(partition, facts, store, watermarks, retention));
    }
}

async fn drain_and_stop(
    stop: Stop,
    router: &Router,
    facts: &NodeFacts,
    gate: &Gate,
    drain: &watch::Sender<bool>,
    node: &Node<PartitionMachine>,
    workers: Vec<Arbiter>,
) -> anyhow::Result<()> {
    tracing::info!("stopping: no new connections, sessions say goodbye");
    gate.close();
    facts.stopping.store(true, Ordering::Relaxed);
    // Nobody listening is fine: then there is nobody to tell.
    let _ = drain.send(true);
    let goodbye = async {
        router.close_sessions(CloseReason::ShuttingDown).await;
        while gate.open() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(DRAIN_MAX, goodbye).await.is_err() {
        tracing::info!(open = gate.open(), "some connections did not end in time");
    }
    for worker in workers {
        worker.stop();
    }
    node.stop();
    let failure = match stop {
        Stop::Failed(reason) => Some(reason),
        Stop::Asked => node.failure().map(|error| error.to_string()),
    };
    match failure {
        Some(reason) => anyhow::bail!("the node had to stop: {reason}"),
        None => {
            tracing::info!("stopped");
            Ok(())
        }
    }
}
