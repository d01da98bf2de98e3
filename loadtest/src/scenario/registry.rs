//! What a large registry costs: devices are created in bulk, listed, queried, changed by a job and exported. Each step is one
//! line of the report, with its time, the hub's memory and the disk.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Watch, bar};
use crate::report::{bytes, grouped, row};
use crate::sas;
use crate::service::Service;
use crate::target::TargetArgs;

/// Devices in one bulk request: the most that a hub takes.
const BULK: u64 = 100;
/// Different values of `tags.floor`; of `tags.building` there are ten times as many.
const FLOORS: u64 = 100;
/// How often a job is asked how it is.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// A job that takes longer than this has failed.
const JOB_PATIENCE: Duration = Duration::from_secs(3600);

/// A large registry: created in bulk, listed, queried, changed by a job, exported
#[derive(Debug, Clone, clap::Args)]
pub struct RegistryArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Devices
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    devices: u64,
    /// The hub's HTTPS port
    #[arg(long, default_value_t = 443)]
    https_port: u16,
    /// Bulk requests under way at a time
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// The devices are there: begin with the list
    #[arg(long)]
    no_create: bool,
    /// Container URI with its signature, for an export (`ironhub storage sas` makes one)
    #[arg(long, value_name = "URI")]
    container_uri: Option<String>,
    /// The hub's process, to measure its memory
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One step.
#[derive(Debug, Serialize)]
struct Step {
    what: &'static str,
    /// How many devices, rows or requests it was about.
    count: u64,
    seconds: f64,
    /// The hub's resident memory behind it.
    rss_bytes: Option<u64>,
    /// Bytes of the data directory behind it.
    disk_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Report {
    scenario: &'static str,
    devices: u64,
    steps: Vec<Step>,
}

/// Runs the steps.
pub async fn run(args: RegistryArgs) -> anyhow::Result<bool> {
    let fleet = args.target.fleet(0)?;
    let secure = args.target.secure(&fleet)?;
    let mut address = args.target.target(&fleet)?.address(0);
    address.set_port(args.https_port);
    let (host, token) = fleet.registry_login(sas::expiry_from_now())?;
    let mut service = Service::new(address, secure, host, token);
    let mut steps = Steps {
        watch: Watch::new(&args.pid.into_iter().collect::<Vec<_>>())?,
        data_dir: args.target.data_dir.clone(),
        done: Vec::new(),
        json: args.json,
    };
    let (devices, prefix) = (args.devices, args.target.id_prefix.clone());
    if !args.no_create {
        let begun = Instant::now();
        create(&service, &prefix, devices, args.connections).await?;
        steps.note("create in bulk, with tags", devices, begun);
    }
    let begun = Instant::now();
    let counted = service.ask("GET", "/statistics/devices", "").await?;
    steps.note("statistics", 1, begun);
    ensure!(
        counted["totalDeviceCount"].as_u64() >= Some(devices),
        "there are not as many devices as were created: {counted}"
    );
    let begun = Instant::now();
    let listed = service.ask("GET", "/devices?top=1000", "").await?;
    steps.note("list", listed.as_array().map_or(0, Vec::len) as u64, begun);
    let one = devices / 2;
    for (what, text, expected) in [
        (
            "point look-up",
            format!("SELECT * FROM devices WHERE deviceId = '{prefix}{one}'"),
            Some(1),
        ),
        (
            "by tags.floor",
            "SELECT deviceId FROM devices WHERE tags.floor = 7".into(),
            Some(floor_size(devices, 7)),
        ),
        ("count all", "SELECT COUNT() AS n FROM devices".into(), Some(1)),
        (
            "scan of tags",
            "SELECT COUNT() AS n FROM devices WHERE tags.building = 'b7'".into(),
            Some(1),
        ),
        (
            "groups",
            "SELECT tags.floor, COUNT() AS n FROM devices GROUP BY tags.floor".into(),
            Some(FLOORS),
        ),
        ("all ids, in pages", "SELECT deviceId FROM devices".into(), None),
    ] {
        let begun = Instant::now();
        let (count, _) = service.query(&text).await?;
        steps.note(what, count, begun);
        ensure!(
            expected.is_none_or(|expected| count == expected),
            "{text}: {count} rows instead of {expected:?}"
        );
    }
    job(&mut service, &mut steps, devices).await?;
    if let Some(uri) = &args.container_uri {
        export(&mut service, &mut steps, devices, uri).await?;
    }
    let report = Report { scenario: "registry", devices, steps: steps.done };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(true)
}

fn floor_size(devices: u64, floor: u64) -> u64 {
    devices / FLOORS + u64::from(devices % FLOORS > floor)
}

async fn create(
    service: &Service,
    prefix: &str,
    devices: u64,
    connections: u16,
) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let progress = bar(devices, "creating");
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (mut service, next) = (service.another(), next.clone());
        let (prefix, progress) = (prefix.to_owned(), progress.clone());
        tasks.spawn(async move {
            loop {
                let first = next.fetch_add(BULK, Ordering::Relaxed);
                if first >= devices {
                    return anyhow::Ok(());
                }
                let last = devices.min(first + BULK);
                let items: Vec<_> = (first..last).map(|n| item(&prefix, n)).collect();
                service.ask("POST", "/devices", &Value::from(items).to_string()).await?;
                progress.inc(last - first);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    progress.finish_and_clear();
    Ok(())
}

fn item(prefix: &str, n: u64) -> Value {
    json!({
        "id": format!("{prefix}{n}"),
        "importMode": "create",
        "status": "enabled",
        "authentication": { "type": "sas" },
        "tags": { "floor": n % FLOORS, "building": format!("b{}", n % (10 * FLOORS)) },
    })
}

/// Changes the desired properties of every device by a job.
async fn job(service: &mut Service, steps: &mut Steps, devices: u64) -> anyhow::Result<()> {
    let id = format!("loadtest-{}", std::process::id());
    let begun = Instant::now();
    let body = json!({
        "jobId": id,
        "type": "scheduleUpdateTwin",
        "updateTwin": { "etag": "*", "properties": { "desired": { "interval": 30 } } },
        "queryCondition": "*",
        "maxExecutionTimeInSeconds": JOB_PATIENCE.as_secs(),
    });
    let path = format!("/jobs/v2/{id}");
    service.ask("PUT", &path, &body.to_string()).await?;
    let done = wait(service, &path, devices).await?;
    let statistics = &done["deviceJobStatistics"];
    ensure!(
        done["status"] == "completed" && statistics["succeededCount"].as_u64() >= Some(devices),
        "the job ended otherwise: {done}"
    );
    steps.note("job: all desired properties", devices, begun);
    Ok(())
}

async fn export(
    service: &mut Service,
    steps: &mut Steps,
    devices: u64,
    uri: &str,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let body = json!({ "type": "export", "outputBlobContainerUri": uri });
    let started = service.ask("POST", "/jobs/create", &body.to_string()).await?;
    let id = started["jobId"].as_str().context("an export without a job id")?;
    let done = wait(service, &format!("/jobs/{id}"), devices).await?;
    ensure!(done["status"] == "completed", "the export ended otherwise: {done}");
    steps.note("export", devices, begun);
    Ok(())
}

/// Asks for a job until it has ended.
async fn wait(service: &mut Service, path: &str, devices: u64) -> anyhow::Result<Value> {
    let progress = bar(devices, "waiting");
    let begun = Instant::now();
    while begun.elapsed() < JOB_PATIENCE {
        let job = service.ask("GET", path, "").await?;
        let statistics = &job["deviceJobStatistics"];
        let done = |name: &str| statistics[name].as_u64().unwrap_or_default();
        progress.set_position(done("succeededCount") + done("failedCount"));
        if matches!(job["status"].as_str(), Some("completed" | "failed" | "cancelled")) {
            progress.finish_and_clear();
            return Ok(job);
        }
        sleep(ASK_EVERY).await;
    }
    bail!("{path} has not ended within {} s", JOB_PATIENCE.as_secs())
}

/// What was done, and what it cost.
struct Steps {
    watch: Watch,
    data_dir: Option<PathBuf>,
    done: Vec<Step>,
    json: bool,
}

impl Steps {
    fn note(&mut self, what: &'static str, count: u64, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        let step = Step {
            what,
            count,
            seconds,
            rss_bytes: self.watch.look().map(|usage| usage.rss_bytes),
            disk_bytes: self.data_dir.as_deref().map(disk_bytes),
        };
        if !self.json {
            print!("{}", step.text());
        }
        self.done.push(step);
    }
}

impl Step {
    fn text(&self) -> String {
        let mut text = String::new();
        let size = |size: Option<u64>| size.map_or_else(|| "?".to_owned(), bytes);
        let figures = format!(
            "{:>12} in {:>9.3} s, {:>10}/s, memory {}, disk {}",
            grouped(self.count),
            self.seconds,
            grouped((self.count as f64 / self.seconds.max(1e-9)) as u64),
            size(self.rss_bytes),
            size(self.disk_bytes)
        );
        row(&mut text, self.what, &figures);
        text
    }
}

/// Bytes of the files below a directory; what cannot be read counts nothing.
fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut directories = VecDeque::from([directory.to_owned()]);
    let mut sum = 0;
    while let Some(directory) = directories.pop_front() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => directories.push_back(entry.path()),
                // Blocks, since the log's segments are made in full before they are written.
                Ok(metadata) => sum += metadata.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_as_full_as_devices_make_them() {
        for devices in [100, 250, 1_000] {
            let counted = (0..devices).filter(|n| item("d", *n)["tags"]["floor"] == 7).count();
            assert_eq!(floor_size(devices, 7), counted as u64, "{devices}");
        }
    }
}
