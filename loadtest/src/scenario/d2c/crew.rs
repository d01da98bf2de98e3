//! The worker threads seen from the main one: waits until all are connected, starts and ends the measured
//! window, reads at both of its ends what has been acknowledged and what it has cost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::ProgressBar;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::D2cArgs;
use super::conductor::{self, Schedule, Tally};
use super::worker::Phase;
use crate::process::Usage;
use crate::report::{Errors, Latencies, grouped};
use crate::scenario::{LOOK_EVERY, Watch, bar, own_cpu_seconds, second_interrupt, time_bar};

/// A running thread.
pub struct Worker {
    /// Ends with what it measured.
    pub handle: std::thread::JoinHandle<anyhow::Result<conductor::Outcome>>,
    /// What it shows meanwhile.
    pub tally: Arc<Tally>,
}

/// All threads and the word they listen to.
pub struct Crew {
    /// At least one.
    pub workers: Vec<Worker>,
    /// Begins at [`Phase::Connect`].
    pub control: watch::Sender<Phase>,
}

/// The measured window as the main thread saw it.
#[derive(Default)]
pub struct Measured {
    /// Its length.
    pub seconds: f64,
    /// Messages acknowledged in it.
    pub acked: u64,
    /// The broker's usage at both ends.
    pub usage: Option<(Usage, Usage)>,
    /// This program's.
    pub own_cpu_seconds: f64,
    /// Whether Ctrl-C ended it.
    pub interrupted: bool,
}

/// Everything that is read at both ends of the window.
struct Mark {
    at: Instant,
    acked: u64,
    usage: Option<Usage>,
    own: f64,
}

impl Crew {
    /// Devices connected at the start.
    pub fn connected(&self) -> usize {
        self.workers.iter().map(|worker| worker.tally.connected.load(Ordering::Relaxed)).sum()
    }

    fn tried(&self) -> usize {
        self.workers.iter().map(|worker| worker.tally.tried.load(Ordering::Relaxed)).sum()
    }

    fn acked(&self) -> u64 {
        self.workers.iter().map(|worker| worker.tally.acked.load(Ordering::Relaxed)).sum()
    }

    fn all_ended(&self) -> bool {
        self.workers.iter().all(|worker| worker.handle.is_finished())
    }

    fn mark(&self, watch: &mut Watch) -> Mark {
        let usage = watch.look();
        Mark { at: Instant::now(), acked: self.acked(), usage, own: own_cpu_seconds() }
    }

    /// Connects, warms up, measures; returns with the workers told to stop.
    pub async fn direct(&self, args: &D2cArgs, watch: &mut Watch) -> anyhow::Result<Measured> {
        let devices = args.devices as usize;
        let connecting = bar(args.devices.into(), "connecting");
        let mut ticks = interval(LOOK_EVERY / 5);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.tried() < devices && !self.all_ended() {
            tokio::select! {
                _ = ticks.tick() => connecting.set_position(self.tried() as u64),
                _ = tokio::signal::ctrl_c() => {
                    self.control.send_replace(Phase::Stop);
                    bail!("interrupted while connecting: {} of {devices}", self.connected());
                }
            }
        }
        connecting.finish_and_clear();
        if self.connected() == 0 {
            self.control.send_replace(Phase::Stop);
            return Ok(Measured::default());
        }
        let measured = self.measure(args, watch).await;
        self.control.send_replace(Phase::Stop);
        Ok(measured)
    }

    async fn measure(&self, args: &D2cArgs, watch: &mut Watch) -> Measured {
        let (warmup, length) = (args.warmup_time(), Duration::from_secs(args.duration));
        let running = time_bar(warmup + length);
        let from = conductor::nanoseconds(warmup);
        let until = conductor::nanoseconds(warmup + length);
        let mut start = (warmup.is_zero()).then(|| self.mark(watch));
        let epoch = Instant::now();
        self.control.send_replace(Phase::Run(Schedule { epoch, from, until }));
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shown = (epoch, self.acked());
        let interrupted = loop {
            let next = if start.is_none() { warmup } else { warmup + length };
            tokio::select! {
                biased;
                _ = sleep_until((epoch + next).into()) => {
                    if start.is_some() {
                        break false;
                    }
                    watch.forget_peak();
                    start = Some(self.mark(watch));
                }
                _ = tokio::signal::ctrl_c() => break true,
                _ = ticks.tick() => {
                    watch.look();
                    self.show(&running, epoch, &mut shown);
                    if self.all_ended() {
                        break false;
                    }
                }
            }
        };
        let end = self.mark(watch);
        running.finish_and_clear();
        let Some(start) = start else {
            return Measured { interrupted, ..Measured::default() };
        };
        Measured {
            seconds: (end.at - start.at).as_secs_f64(),
            acked: end.acked - start.acked,
            usage: start.usage.zip(end.usage),
            own_cpu_seconds: end.own - start.own,
            interrupted,
        }
    }

    fn show(&self, bar: &ProgressBar, epoch: Instant, shown: &mut (Instant, u64)) {
        bar.set_position(u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX));
        let seconds = shown.0.elapsed().as_secs_f64();
        if seconds >= 0.5 {
            let acked = self.acked();
            let rate = (acked - shown.1) as f64 / seconds;
            bar.set_message(format!("{} messages/s", grouped(rate as u64)));
            *shown = (Instant::now(), acked);
        }
    }

    /// Waits for the workers, which end by themselves, and gathers what they measured.
    pub async fn disband(self) -> anyhow::Result<(Latencies, Errors, u64, u64)> {
        let joined = tokio::task::spawn_blocking(move || {
            self.workers.into_iter().map(|worker| worker.handle.join()).collect::<Vec<_>>()
        });
        let outcomes = tokio::select! {
            outcomes = joined => outcomes?,
            never = second_interrupt() => match never {},
        };
        let (mut latencies, mut errors) = (Latencies::new(), Errors::default());
        let (mut unsent, mut last_ack) = (0, 0);
        for outcome in outcomes {
            let outcome = match outcome {
                Ok(outcome) => outcome?,
                Err(_) => bail!("a worker thread panicked"),
            };
            latencies.merge(&outcome.latencies);
            errors.merge(outcome.errors);
            unsent += outcome.unsent;
            last_ack = last_ack.max(outcome.last_ack);
        }
        Ok((latencies, errors, unsent, last_ack))
    }
}
