//! One client process: opens its share of the connections, holds them, lets go of them.

use std::cell::{Cell, RefCell};
use std::io::BufRead as _;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, interval, interval_at, sleep_until};

use super::{ConnectArgs, GO, Line, RELEASE, source};
use crate::mqtt::{self, MqttError, Reply, ReplyDecoder};
use crate::report::{Errors, Latencies};
use crate::sas;
use crate::scenario::{DIALS_AT_ONCE, check_files};
use crate::session::{self, Transport, io_kind};
use crate::target::{Fleet, Target};

/// Progress is told this often.
const TELL_EVERY: Duration = Duration::from_millis(200);

struct Shared {
    target: Target,
    fleet: Fleet,
    source: Option<IpAddr>,
    keep_alive: u16,
    latencies: RefCell<Latencies>,
    errors: RefCell<Errors>,
    tried: Cell<u64>,
    connected: Cell<usize>,
    lost: Cell<u64>,
    pings: Cell<u64>,
    released: watch::Receiver<bool>,
}

/// Runs client `number` to its end.
pub async fn run(args: ConnectArgs, number: u16) -> anyhow::Result<bool> {
    let (count, parts) = (args.connections as usize, usize::from(args.processes));
    check_files(count.div_ceil(parts), "use more --processes")?;
    let fleet = args.target.fleet(count)?;
    let target = args.target.target(&fleet)?;
    let loopback = target.addresses.iter().all(|to| to.is_ipv4() && to.ip().is_loopback());
    let source = source(&args, number, loopback);
    let (release, released) = watch::channel(false);
    let shared = Rc::new(Shared {
        target,
        fleet,
        source,
        keep_alive: args.keep_alive,
        latencies: RefCell::new(Latencies::new()),
        errors: RefCell::default(),
        tried: Cell::new(0),
        connected: Cell::new(0),
        lost: Cell::new(0),
        pings: Cell::new(0),
        released,
    });
    let part: Vec<usize> = (usize::from(number)..count).step_by(parts).collect();
    LocalSet::new().run_until(obey(args, shared, part, release)).await?;
    Ok(true)
}

/// Does what the director says.
async fn obey(
    args: ConnectArgs,
    shared: Rc<Shared>,
    part: Vec<usize>,
    release: watch::Sender<bool>,
) -> anyhow::Result<()> {
    // Ctrl-C reaches the whole group of processes; the director decides what it means.
    tokio::task::spawn_local(async {
        loop {
            let _ = tokio::signal::ctrl_c().await;
        }
    });
    let mut words = words();
    tell(&Line::Ready)?;
    if words.recv().await.as_deref() != Some(GO) {
        return Ok(());
    }
    let mut holders = JoinSet::new();
    let opening = open_all(&args, &shared, &part, &mut holders);
    tokio::select! {
        opened = opening => opened?,
        _ = words.recv() => return Ok(()),
    }
    let errors = shared.errors.take();
    let latencies = shared.latencies.borrow().pairs();
    tell(&Line::Opened { connected: shared.connected.get(), latencies, errors })?;
    while words.recv().await.is_some_and(|word| word != RELEASE) {}
    release.send_replace(true);
    while holders.join_next().await.is_some() {}
    let (lost, pings) = (shared.lost.get(), shared.pings.get());
    tell(&Line::Closed { lost, pings, errors: shared.errors.take() })
}

fn tell(line: &Line) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}

/// The director's words; closed at the end of input.
fn words() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        for word in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(word).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Returns when every connection has been tried; the tasks that hold them are in `holders`.
async fn open_all(
    args: &ConnectArgs,
    shared: &Rc<Shared>,
    part: &[usize],
    holders: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let gate = Arc::new(Semaphore::new(DIALS_AT_ONCE));
    let (start, mut dials, mut told) = (Instant::now(), JoinSet::new(), 0);
    let mut telling = interval(TELL_EVERY);
    let mut rest = part.iter();
    let mut next = rest.next();
    while next.is_some() || !dials.is_empty() {
        let turn = async {
            if let (Some(rate), Some(&index)) = (args.connect_rate, next) {
                sleep_until(start + Duration::from_secs_f64(index as f64 / rate)).await;
            }
            gate.clone().acquire_owned().await
        };
        tokio::select! {
            biased;
            _ = telling.tick() => {
                tell(&Line::Tried(shared.tried.get() - told))?;
                told = shared.tried.get();
            }
            Some(dialled) = dials.join_next() => if let Some(stream) = dialled? {
                // A task of its own: the dialling task's state is much larger than a holder's.
                holders.spawn_local(hold(shared.clone(), stream));
            },
            permit = turn, if next.is_some() => {
                if let Some(&index) = next {
                    dials.spawn_local(dial(shared.clone(), index, permit?));
                }
                next = rest.next();
            }
        }
    }
    Ok(())
}

async fn dial(shared: Rc<Shared>, index: usize, permit: OwnedSemaphorePermit) -> Option<Transport> {
    let identity = shared.fleet.identity(index, sas::expiry_from_now());
    let start = Instant::now();
    let dialled =
        session::dial(&shared.target, index, &identity, shared.keep_alive, shared.source).await;
    drop(permit);
    shared.tried.set(shared.tried.get() + 1);
    match dialled {
        Ok(stream) => {
            shared.connected.set(shared.connected.get() + 1);
            let nanoseconds = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            shared.latencies.borrow_mut().add(nanoseconds, 1);
            Some(stream)
        }
        Err(error) => {
            shared.errors.borrow_mut().add(error.kind(), 1);
            None
        }
    }
}

async fn hold(shared: Rc<Shared>, mut stream: Transport) {
    match idle(&shared, &mut stream).await {
        Ok(()) => session::goodbye(stream).await,
        Err(why) => {
            shared.lost.set(shared.lost.get() + 1);
            shared.errors.borrow_mut().add(format!("connection: {why}"), 1);
        }
    }
}

/// Pings until released; an error says why the connection was lost.
async fn idle(shared: &Shared, stream: &mut Transport) -> Result<(), String> {
    let mut released = shared.released.clone();
    let every = Duration::from_secs(shared.keep_alive.into()) / 2;
    let mut ping = interval_at(Instant::now() + every, every);
    let mut decoder = ReplyDecoder::default();
    // A ping answer has two bytes, and nothing else is expected.
    let mut bytes = [0u8; 8];
    loop {
        tokio::select! {
            _ = released.wait_for(|released| *released) => return Ok(()),
            _ = ping.tick() => {
                stream.write_all(&mqtt::PINGREQ).await.map_err(|error| io_kind(&error))?;
                stream.flush().await.map_err(|error| io_kind(&error))?;
            }
            read = stream.read(&mut bytes) => {
                let length = read.map_err(|error| io_kind(&error))?;
                if length == 0 {
                    return Err("closed by the broker".to_owned());
                }
                let fed = decoder.feed(&bytes[..length], |reply| match reply {
                    Reply::PingResp => {
                        shared.pings.set(shared.pings.get() + 1);
                        Ok(())
                    }
                    Reply::ConnAck(_) => Err(MqttError::Unexpected(0x20)),
                    Reply::PubAck(_) => Err(MqttError::Unexpected(0x40)),
                });
                fed.map_err(|error| format!("mqtt: {error}"))?;
            }
        }
    }
}
