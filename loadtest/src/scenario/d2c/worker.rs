//! One thread of devices: dials them, runs their publishers, drains them.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::beat::Beat;
use super::conductor::{Conductor, Outcome, Schedule, Tally};
use super::publisher::{Batch, Course, Fault, Publisher};
use crate::mqtt::Qos;
use crate::sas;
use crate::scenario::DIALS_AT_ONCE;
use crate::session::{self, Transport};
use crate::target::{Fleet, Target};

/// After the end, acknowledgements of messages in flight are waited for this long.
const DRAIN: Duration = Duration::from_secs(10);
/// Between attempts to connect again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// Largest useful keep-alive, in seconds (device-protocols.md 2.4): the load keeps connections alive.
const KEEP_ALIVE: u16 = 1_177;

/// What the main thread tells the workers.
#[derive(Debug, Clone, Copy)]
pub enum Phase {
    /// Open all connections.
    Connect,
    /// Publish.
    Run(Schedule),
    /// Come to an end.
    Stop,
}

/// One thread's work.
pub struct Plan {
    /// Where to connect.
    pub target: Arc<Target>,
    /// Who connects.
    pub fleet: Arc<Fleet>,
    /// Indices into the fleet.
    pub devices: Vec<usize>,
    /// Of all threads.
    pub total_devices: usize,
    /// With `{id}`.
    pub topic: String,
    /// Payload bytes.
    pub size: usize,
    /// Of all messages.
    pub qos: Qos,
    /// Unacknowledged messages per device.
    pub window: u16,
    /// Messages per second of all threads.
    pub rate: Option<f64>,
    /// Messages of all threads.
    pub messages: Option<u64>,
    /// Connections per second of all threads.
    pub connect_rate: Option<f64>,
    /// Whether lost connections are replaced.
    pub reconnect: bool,
    /// What the main thread sees.
    pub tally: Arc<Tally>,
}

/// Runs a thread to its end.
pub fn run(plan: Plan, phase: watch::Receiver<Phase>) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = Rc::new(plan);
    let part = plan.devices.len() as f64 / plan.total_devices as f64;
    let rate = plan.rate.map(|rate| rate * part);
    let conductor = Rc::new(Conductor::new(rate, plan.tally.clone()));
    LocalSet::new().block_on(&runtime, direct(plan, conductor.clone(), phase))?;
    Ok(conductor.outcome())
}

async fn direct(
    plan: Rc<Plan>,
    conductor: Rc<Conductor>,
    mut phase: watch::Receiver<Phase>,
) -> anyhow::Result<()> {
    let mut devices = JoinSet::new();
    tokio::select! {
        () = open_all(&plan, &conductor, &mut devices) => {}
        _ = phase.wait_for(|phase| matches!(phase, Phase::Stop)) => {}
    }
    let schedule = match phase.wait_for(|phase| !matches!(phase, Phase::Connect)).await.as_deref() {
        Ok(Phase::Run(schedule)) => Some(*schedule),
        // A main thread that is gone has stopped too.
        Ok(Phase::Connect | Phase::Stop) | Err(_) => None,
    };
    if let Some(schedule) = schedule {
        conductor.begin(schedule);
        let mut beat = conductor.grain().map(Beat::every).transpose()?;
        loop {
            tokio::select! {
                ended = devices.join_next() => if ended.is_none() { return Ok(()) },
                _ = phase.wait_for(|phase| matches!(phase, Phase::Stop)) => break,
                beaten = next_beat(&mut beat) => {
                    beaten?;
                    conductor.beat();
                }
            }
        }
    }
    conductor.stop();
    if timeout(DRAIN, all_of(&mut devices)).await.is_err() {
        conductor.abandon();
        // Publishers end now; goodbyes and late dials have their own, short limits.
        let _ = timeout(DRAIN, all_of(&mut devices)).await;
    }
    Ok(())
}

async fn all_of(devices: &mut JoinSet<()>) {
    while devices.join_next().await.is_some() {}
}

async fn next_beat(beat: &mut Option<Beat>) -> std::io::Result<()> {
    match beat {
        Some(beat) => beat.next().await,
        None => std::future::pending().await,
    }
}

/// Starts all devices, no faster than the rate, and no more than [`DIALS_AT_ONCE`] dialling.
async fn open_all(plan: &Rc<Plan>, conductor: &Rc<Conductor>, devices: &mut JoinSet<()>) {
    let gate = Arc::new(Semaphore::new(DIALS_AT_ONCE));
    let start = Instant::now();
    for &index in &plan.devices {
        if let Some(rate) = plan.connect_rate {
            // The threads' devices alternate, so the fleet's index is the place in the common queue.
            sleep_until(start + Duration::from_secs_f64(index as f64 / rate)).await;
        }
        // The gate is never closed.
        let Ok(permit) = gate.clone().acquire_owned().await else { return };
        let (plan, conductor) = (plan.clone(), conductor.clone());
        devices.spawn_local(device(plan, conductor, index, permit));
    }
}

async fn device(
    plan: Rc<Plan>,
    conductor: Rc<Conductor>,
    index: usize,
    permit: OwnedSemaphorePermit,
) {
    let dialled = dial(&plan, index).await;
    drop(permit);
    let topic = plan.topic.replace("{id}", &plan.fleet.id(index));
    let made = Batch::new(&topic, plan.size, plan.qos, plan.window, index as u64 + 1);
    let ready = match (dialled, made) {
        (Ok(stream), Ok(batch)) => {
            plan.tally.connected.fetch_add(1, Ordering::Relaxed);
            Some((stream, batch))
        }
        (Err(error), _) => {
            conductor.failed(error.kind(), 1);
            None
        }
        (Ok(_), Err(error)) => {
            conductor.failed(format!("publish: {error}"), 1);
            None
        }
    };
    // The place is taken before the device counts as tried: the start waits for all of them.
    let place = ready.is_some().then(|| conductor.join());
    plan.tally.tried.fetch_add(1, Ordering::Relaxed);
    let (Some((stream, batch)), Some(place)) = (ready, place) else { return };
    let quota = quota(&plan, index);
    publish(&plan, &conductor, index, stream, batch, Course { place, taken: 0, quota }).await;
}

/// This device's part of the messages of all.
fn quota(plan: &Plan, index: usize) -> u64 {
    match plan.messages {
        None => u64::MAX,
        Some(all) => {
            let (devices, index) = (plan.total_devices as u64, index as u64);
            all / devices + u64::from(index < all % devices)
        }
    }
}

async fn publish(
    plan: &Plan,
    conductor: &Rc<Conductor>,
    index: usize,
    mut stream: Transport,
    mut batch: Batch,
    mut course: Course,
) {
    loop {
        let publisher =
            Publisher::new(&mut stream, conductor.clone(), &mut course, &mut batch, plan.window);
        match publisher.run().await {
            Ok(()) => return session::goodbye(stream).await,
            Err(fault) => conductor.failed(kind(&fault), 1),
        }
        drop(stream);
        if !plan.reconnect {
            return;
        }
        stream = loop {
            sleep(RECONNECT_PAUSE).await;
            if conductor.is_stopping() {
                return;
            }
            match dial(plan, index).await {
                Ok(stream) => break stream,
                Err(error) => conductor.failed(error.kind(), 1),
            }
        };
    }
}

fn kind(fault: &Fault) -> String {
    format!("connection: {fault}")
}

async fn dial(plan: &Plan, index: usize) -> Result<Transport, session::ConnectError> {
    let identity = plan.fleet.identity(index, sas::expiry_from_now());
    session::dial(&plan.target, index, &identity, KEEP_ALIVE, None).await
}
