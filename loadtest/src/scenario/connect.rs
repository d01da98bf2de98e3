//! Idle connections: how fast a broker takes them, and what each costs it in memory.
//!
//! This process directs and measures; client processes, started by it from the same program and with the
//! same options, hold the connections: one process may only hold so many open files. Director and clients
//! exchange lines of JSON over the clients' standard input and output:
//!
//! ```text
//! client    ready ............ connected(progress)* ... opened ........... closed, exit
//! director         go (all)                                    release
//! ```

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use super::{LOOK_EVERY, Watch, bar, check_files, time_bar};
use crate::process::Usage;
use crate::registry;
use crate::report::{ConnectReport, Errors, Latencies, grouped};
use crate::scenario::d2c::rate;
use crate::target::TargetArgs;

mod client;

/// Memory counts as settled when it has changed by less than a five-hundredth for [`SETTLED_FOR`].
const SETTLED_PART: u64 = 500;
/// See [`SETTLED_PART`].
const SETTLED_FOR: Duration = Duration::from_secs(2);
/// Memory that does not settle is read after this time.
const SETTLE_MAX: Duration = Duration::from_secs(15);
/// Lines from the clients waiting to be looked at.
const LINES_MAX: usize = 256;

const EXAMPLES: &str = "\
Examples:
  10,000 idle TLS connections to a local hub, and its memory per connection:
    ironhub-loadtest connect --tls --data-dir /var/lib/ironhub --create --connections 10000 --pid $(pgrep -x ironhub)
  mosquitto on port 1884, for comparison:
    ironhub-loadtest connect --no-auth --port 1884 --connections 10000 --pid $(pgrep -n mosquitto)
  60,000 connections from four client processes, to three nodes:
    ironhub-loadtest connect --data-dir D1 --host 10.0.0.1,10.0.0.2,10.0.0.3 --connections 60000 --processes 4

Start the broker afresh before measuring: memory that an earlier load has left behind is not counted again.";

/// Idle connections are opened and held
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ConnectArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Connections, one device each
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// Register the devices first over HTTPS (needs iothubowner or registryReadWrite); existing ones stay
    #[arg(long, conflicts_with_all = ["no_auth", "devices_file"])]
    create: bool,
    /// The hub's HTTPS port, for --create
    #[arg(long, default_value_t = 443)]
    https_port: u16,
    /// Seconds to hold the connections
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    hold: u64,
    /// Keep-alive in seconds; each connection pings after half of it
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u16).range(2..=1_177))]
    keep_alive: u16,
    /// Connections opened per second at most
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    connect_rate: Option<f64>,
    /// Client processes that share the connections
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=128))]
    processes: u16,
    /// Local addresses, one client process each in turn [default: own 127.0.1.x when there are several and the broker is on 127.x]
    #[arg(long, value_delimiter = ',', value_name = "IP")]
    source: Vec<IpAddr>,
    /// The broker's processes, to measure CPU and memory; several with commas
    #[arg(long, value_delimiter = ',', value_name = "PID")]
    pid: Vec<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Be client process number N
    #[arg(long, hide = true, value_name = "N")]
    client: Option<u16>,
}

/// What a client tells its director.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    /// Options understood; waits for `go`.
    Ready,
    /// So many connections have been tried.
    Tried(u64),
    /// All have been tried.
    Opened { connected: usize, latencies: Vec<(u64, u64)>, errors: Errors },
    /// All have been closed.
    Closed { lost: u64, pings: u64, errors: Errors },
}

/// The director's word to start dialling.
const GO: &str = "go";
/// The director's word to let go of the connections; the end of input means the same.
const RELEASE: &str = "release";

/// Runs the scenario; true when there was no error.
pub async fn run(args: ConnectArgs) -> anyhow::Result<bool> {
    if let Some(number) = args.client {
        return client::run(args, number).await;
    }
    let count = args.connections as usize;
    ensure!(usize::from(args.processes) <= count, "more --processes than --connections");
    check_files(count.div_ceil(args.processes.into()), "use more --processes")?;
    let fleet = Arc::new(args.target.fleet(count)?);
    let target = args.target.target(&fleet)?;
    let mut watch = Watch::new(&args.pid)?;
    if args.create {
        let mut address = target.address(0);
        address.set_port(args.https_port);
        let secure = args.target.secure(&fleet)?;
        let bar = bar(args.connections.into(), "registering");
        let done = registry::create(fleet.clone(), count, address, secure, bar).await?;
        let (created, existing) = (grouped(done.created), grouped(done.existing));
        eprintln!("registered {created} devices, {existing} existed");
    }
    let mut clients = Clients::start(args.processes)?;
    let opened = clients.open(&args, &mut watch).await?;
    let held = clients.hold(&args, &mut watch).await;
    let closed = clients.close().await?;
    let mut errors = opened.errors;
    errors.merge(closed.errors);
    let per_connection = |usage: Option<Usage>| {
        let grown = usage?.rss_bytes as f64 - opened.before?.rss_bytes as f64;
        (opened.connected > 0).then(|| grown / opened.connected as f64)
    };
    let processes = opened.before.zip(opened.after).map(|(before, after)| {
        let after = Usage { rss_bytes: held.end.unwrap_or(after).rss_bytes, ..after };
        watch.report(before, after, 0)
    });
    let report = ConnectReport {
        scenario: "connect",
        target: target.to_string(),
        connections: count,
        connected: opened.connected,
        connect_seconds: opened.seconds,
        connects_per_second: opened.connected as f64 / opened.seconds.max(1e-9),
        connect_ms: opened.latencies.summary(),
        held_seconds: held.seconds,
        lost: closed.lost,
        pings: closed.pings,
        errors,
        bytes_per_connection: per_connection(held.settled),
        bytes_per_connection_at_end: per_connection(held.end),
        processes,
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(report.errors.total() == 0)
}

/// The local address of client `number`: as told, or one of its own on loopback, where one address has
/// ports for fewer than 30,000 connections to one broker port.
fn source(args: &ConnectArgs, number: u16, loopback: bool) -> Option<IpAddr> {
    match args.source.len() {
        0 if loopback && args.processes > 1 => {
            let last = u8::try_from(number + 1).unwrap_or(u8::MAX);
            Some(Ipv4Addr::new(127, 0, 1, last).into())
        }
        0 => None,
        length => Some(args.source[usize::from(number) % length]),
    }
}

struct Clients {
    children: Vec<(Child, ChildStdin)>,
    /// `None` when a client's output has ended.
    lines: mpsc::Receiver<Option<Line>>,
}

struct Opened {
    connected: usize,
    seconds: f64,
    latencies: Latencies,
    errors: Errors,
    before: Option<Usage>,
    after: Option<Usage>,
}

struct Held {
    seconds: f64,
    settled: Option<Usage>,
    end: Option<Usage>,
}

struct Closed {
    lost: u64,
    pings: u64,
    errors: Errors,
}

impl Clients {
    fn start(count: u16) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find the own program")?;
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let mut clients = Self { children: Vec::new(), lines };
        for number in 0..count {
            let mut child = Command::new(&program)
                .args(std::env::args_os().skip(1))
                .args(["--client", &number.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("cannot start a client process")?;
            let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
                bail!("a client process has no pipes");
            };
            clients.children.push((child, input));
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let line = serde_json::from_str(&line).ok();
                    if line.is_none() || sender.blocking_send(line).is_err() {
                        break;
                    }
                }
                // Fails when the director has gone, which then needs no telling.
                let _ = sender.blocking_send(None);
            });
        }
        Ok(clients)
    }

    fn say(&mut self, word: &str) {
        for (_, input) in &mut self.children {
            // A client that is gone is noticed by the end of its output.
            let _ = writeln!(input, "{word}");
        }
    }

    async fn line(&mut self) -> anyhow::Result<Line> {
        tokio::select! {
            line = self.lines.recv() => line.flatten().context("a client process ended early"),
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    }

    async fn open(&mut self, args: &ConnectArgs, watch: &mut Watch) -> anyhow::Result<Opened> {
        let count = self.children.len();
        for _ in 0..count {
            let line = self.line().await?;
            ensure!(matches!(line, Line::Ready), "a client process said {line:?} first");
        }
        watch.forget_peak();
        let before = watch.look();
        let connecting = bar(args.connections.into(), "connecting");
        let start = Instant::now();
        self.say(GO);
        let (mut latencies, mut errors) = (Latencies::new(), Errors::default());
        let (mut connected, mut open) = (0, 0);
        while open < count {
            match self.line().await? {
                Line::Ready => bail!("a client process started twice"),
                Line::Tried(more) => connecting.inc(more),
                Line::Opened { connected: some, latencies: pairs, errors: failed } => {
                    latencies.put(&pairs);
                    errors.merge(failed);
                    connected += some;
                    open += 1;
                }
                Line::Closed { .. } => bail!("a client process ended early"),
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let after = watch.look();
        connecting.finish_and_clear();
        Ok(Opened { connected, seconds, latencies, errors, before, after })
    }

    /// Holds the connections; Ctrl-C ends it early.
    async fn hold(&mut self, args: &ConnectArgs, watch: &mut Watch) -> Held {
        let (start, length) = (Instant::now(), Duration::from_secs(args.hold));
        let bar = time_bar(length);
        let (mut settled, mut steady) = (None, (0u64, start));
        loop {
            tokio::select! {
                () = sleep_until((start + length).into()) => break,
                _ = tokio::signal::ctrl_c() => break,
                () = sleep(LOOK_EVERY) => {}
            }
            bar.set_position(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
            let Some(usage) = watch.look().filter(|_| settled.is_none()) else {
                continue;
            };
            if usage.rss_bytes.abs_diff(steady.0) > steady.0 / SETTLED_PART {
                steady = (usage.rss_bytes, Instant::now());
            }
            if steady.1.elapsed() >= SETTLED_FOR || start.elapsed() >= SETTLE_MAX {
                settled = Some(usage);
                bar.set_message("memory has settled");
            }
        }
        bar.finish_and_clear();
        let end = watch.look();
        Held { seconds: start.elapsed().as_secs_f64(), settled: settled.or(end), end }
    }

    async fn close(mut self) -> anyhow::Result<Closed> {
        self.say(RELEASE);
        let mut all = Closed { lost: 0, pings: 0, errors: Errors::default() };
        for _ in 0..self.children.len() {
            loop {
                match self.lines.recv().await.flatten() {
                    Some(Line::Closed { lost, pings, errors }) => {
                        all.lost += lost;
                        all.pings += pings;
                        all.errors.merge(errors);
                        break;
                    }
                    // The end of a client that has closed, while others are still at it.
                    None if self.children.iter_mut().any(|(child, _)| ended_well(child)) => {}
                    Some(Line::Ready | Line::Tried(_) | Line::Opened { .. }) | None => {
                        bail!("a client process ended early");
                    }
                }
            }
        }
        for (child, _) in &mut self.children {
            child.wait().context("waiting for a client process")?;
        }
        Ok(all)
    }
}

fn ended_well(child: &mut Child) -> bool {
    child.wait().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests;
