//! Device-to-cloud telemetry: how many messages a broker acknowledges, how fast, and at what cost.
//!
//! The main thread directs and watches; each worker thread runs a share of the devices:
//! connect all, warm up, measure, drain. Read [`conductor`] next, then [`publisher`].

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::watch;

use self::conductor::Tally;
use self::crew::{Crew, Worker};
use self::worker::{Phase, Plan};
use super::{Watch, bar, check_files};
use crate::mqtt::Qos;
use crate::registry;
use crate::report::{D2cReport, grouped};
use crate::target::{Fleet, TargetArgs};

mod beat;
mod conductor;
mod crew;
mod publisher;
mod worker;

/// Longest run, in seconds; tokens outlive it.
const DURATION_SECONDS_MAX: u64 = 3_600;
/// Largest payload the hub takes in one message (device-protocols.md 6.2).
const SIZE_BYTES_MAX: i64 = 262_144;
/// Unacknowledged messages per device in an open loop, unless told otherwise.
const OPEN_WINDOW: u16 = 1_024;
/// The same in a closed loop.
const CLOSED_WINDOW: u16 = 16;

const EXAMPLES: &str = "\
Examples:
  A local hub, 100 devices registered first, ten seconds, with the hub's cost:
    ironhub-loadtest d2c --data-dir /var/lib/ironhub --create --pid $(pgrep -x ironhub)
  The same over TLS:
    ironhub-loadtest d2c --tls --data-dir /var/lib/ironhub --create
  Latency at a fixed pace (open loop, 5,000 messages/s in all):
    ironhub-loadtest d2c --data-dir /var/lib/ironhub --rate 5000 --duration 30
  Three nodes, devices shared evenly, CPU of all three:
    ironhub-loadtest d2c --data-dir D1 --host 10.0.0.1,10.0.0.2,10.0.0.3 --pid 11,12,13
  mosquitto on port 1884, for comparison:
    ironhub-loadtest d2c --no-auth --port 1884 --pid $(pgrep -n mosquitto)
  The generator's own ceiling (start `ironhub-loadtest sink --port 1885` first):
    ironhub-loadtest d2c --no-auth --port 1885

Without --rate each device keeps --window messages unacknowledged (closed loop). With --rate messages are
due at fixed instants and their latency counts from then, so a slow broker is not spared the queue it causes.";

/// Devices publish telemetry and wait for PUBACKs
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct D2cArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Devices, one connection each
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Register the devices first over HTTPS (needs iothubowner or registryReadWrite); existing ones stay
    #[arg(long, conflicts_with_all = ["no_auth", "devices_file"])]
    create: bool,
    /// The hub's HTTPS port, for --create
    #[arg(long, default_value_t = 443)]
    https_port: u16,
    /// Topic; {id} becomes the device's id
    #[arg(long, default_value = "devices/{id}/messages/events/")]
    topic: String,
    /// 1: acknowledged. 0: not; counts messages written to the socket
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=1))]
    qos: u8,
    /// Payload bytes; random, so that nothing compresses
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(0..=SIZE_BYTES_MAX))]
    size: u32,
    /// Unacknowledged messages per device [default: 16, with --rate 1024]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    window: Option<u16>,
    /// Messages per second of all devices together (open loop)
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// Seconds to measure
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=DURATION_SECONDS_MAX))]
    duration: u64,
    /// Seconds to run before measuring [default: 1]
    #[arg(long, conflicts_with = "messages", value_parser = clap::value_parser!(u64).range(0..=600))]
    warmup: Option<u64>,
    /// Stop after this many messages in all, --duration at the latest; no warm-up
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Connections opened per second at most
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    connect_rate: Option<f64>,
    /// Threads that run the devices
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// Connect again, every half second, when the broker closes a connection
    #[arg(long)]
    reconnect: bool,
    /// The broker's processes, to measure CPU and memory; several with commas
    #[arg(long, value_delimiter = ',', value_name = "PID")]
    pid: Vec<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A positive number of events per second.
pub fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=10_000_000.0).contains(&rate) => Ok(rate),
        Ok(_) | Err(_) => Err("must be a number from 0.01 to 10000000".to_owned()),
    }
}

impl D2cArgs {
    fn window(&self) -> u16 {
        self.window.unwrap_or(if self.rate.is_some() { OPEN_WINDOW } else { CLOSED_WINDOW })
    }

    fn warmup_time(&self) -> Duration {
        let default = if self.messages.is_some() { 0 } else { 1 };
        Duration::from_secs(self.warmup.unwrap_or(default))
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.target.no_auth || self.topic.contains("{id}"),
            "--topic must contain {{id}}: a device publishes under its own id only"
        );
        ensure!(
            self.topic.len() <= 4_096 && !self.topic.contains(['#', '+']),
            "--topic must be a topic name: at most 4096 bytes, no wildcards"
        );
        if let Some(rate) = self.rate {
            // Keep-alive is not what this scenario measures, so the load itself keeps connections alive.
            let gap = f64::from(self.devices) / rate;
            ensure!(
                gap <= 600.0,
                "--rate gives each device one message in {gap:.0} s; at most 600"
            );
        }
        check_files(self.devices as usize, "run several generators, each with its own --first")?;
        Ok(())
    }
}

/// Runs the scenario; true when there was no error.
pub async fn run(args: D2cArgs) -> anyhow::Result<bool> {
    args.check()?;
    let devices = args.devices as usize;
    let fleet = Arc::new(args.target.fleet(devices)?);
    let target = Arc::new(args.target.target(&fleet)?);
    let mut watch = Watch::new(&args.pid)?;
    if args.create {
        create(&args, &fleet, target.address(0)).await?;
    }
    let threads = usize::from(args.threads).min(devices);
    let (control, phase) = watch::channel(Phase::Connect);
    let mut workers = Vec::new();
    for thread in 0..threads {
        let plan = Plan {
            target: target.clone(),
            fleet: fleet.clone(),
            devices: (thread..devices).step_by(threads).collect(),
            total_devices: devices,
            topic: args.topic.clone(),
            size: args.size as usize,
            qos: if args.qos == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce },
            window: args.window(),
            rate: args.rate,
            messages: args.messages,
            connect_rate: args.connect_rate,
            reconnect: args.reconnect,
            tally: Arc::new(Tally::default()),
        };
        let (tally, phase) = (plan.tally.clone(), phase.clone());
        let handle = std::thread::Builder::new()
            .name(format!("devices-{thread}"))
            .spawn(move || worker::run(plan, phase))
            .context("cannot start a thread")?;
        workers.push(Worker { handle, tally });
    }
    let crew = Crew { workers, control };
    let measured = crew.direct(&args, &mut watch).await?;
    let connected = crew.connected();
    let (latencies, errors, unsent, last_ack) = crew.disband().await?;
    let seconds = match (args.messages, measured.interrupted) {
        // Bounded by a count: the end is the last acknowledgement, not when it was noticed.
        (Some(_), false) if last_ack > 0 => Duration::from_nanos(last_ack).as_secs_f64(),
        _ => measured.seconds,
    };
    let processes =
        measured.usage.map(|(before, after)| watch.report(before, after, measured.acked));
    let report = D2cReport {
        scenario: "d2c",
        target: target.to_string(),
        devices,
        connected,
        qos: args.qos,
        size: args.size as usize,
        window: args.window(),
        rate: args.rate,
        warmup_seconds: args.warmup_time().as_secs_f64(),
        measured_seconds: seconds,
        acked: measured.acked,
        acked_per_second: if seconds > 0.0 { measured.acked as f64 / seconds } else { 0.0 },
        latency_ms: if args.qos == 0 { None } else { latencies.summary() },
        unsent,
        errors,
        processes,
        generator_cpu_seconds: measured.own_cpu_seconds,
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(report.errors.total() == 0)
}

async fn create(
    args: &D2cArgs,
    fleet: &Arc<Fleet>,
    mut address: std::net::SocketAddr,
) -> anyhow::Result<()> {
    address.set_port(args.https_port);
    let secure = args.target.secure(fleet)?;
    let bar = bar(args.devices.into(), "registering");
    let done = registry::create(fleet.clone(), args.devices as usize, address, secure, bar).await?;
    eprintln!("registered {} devices, {} existed", grouped(done.created), grouped(done.existing));
    Ok(())
}

#[cfg(test)]
mod tests;
