//! Keeps the devices going: connects, reconnects, passes on what happens and what is to be done.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout_at};

use super::amqp::Amqp;
use super::device::Device;
use super::fleet::Fleet;
use super::happening::Event;
use super::https::Https;
use super::mqtt::Mqtt;
use super::report::{Counts, Manner, Report};
use super::telemetry::Telemetry;
use super::transport::{Failure, Identity, Transport};
use super::{DEVICES_MAX, Protocol, SimulateArgs};
use crate::cli::{CommandError, hint};
use crate::client::{ClientError, Stream, tls, websocket};

/// Devices that connect at the same time; the others wait for their turn.
const CONNECTS_MAX: usize = 32;
/// A device that was never connected gives up after so many attempts.
const FIRST_ATTEMPTS_MAX: u32 = 4;
/// The first pause before another attempt; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Devices begin to send one after the other, within this or one interval.
const SPREAD_MAX: Duration = Duration::from_secs(1);
/// How long the last acknowledgements may take when everything ends.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Carries the command out.
pub async fn run(args: &SimulateArgs) -> Result<(), CommandError> {
    let telemetry = Telemetry::of(args)?;
    let fleet = Fleet::gather(args, &telemetry).await?;
    let devices = fleet.members.len();
    if args.protocol == Protocol::Https {
        hint("Over https devices have no twin and no methods; they ask for messages every second.");
    }
    hint(&format!("Playing {devices} over {}. Ctrl-C ends.", args.protocol.name()));
    let messages = args.messages.filter(|messages| *messages > 0);
    let messages = messages.map(|messages| messages.saturating_mul(devices as u64));
    let report = Report::new(Manner { json: args.json, quiet: args.quiet }, messages);
    let (end, ended) = watch::channel(false);
    let stage = Stage { args, telemetry, fleet, report, ended, gate: Semaphore::new(CONNECTS_MAX) };
    let begun = Instant::now();
    let plays = stage.fleet.members.iter().enumerate().map(|(at, who)| stage.play(at, who));
    let mut all =
        std::pin::pin!(stream::iter(plays).buffer_unordered(DEVICES_MAX).try_collect::<Vec<()>>());
    tokio::select! {
        outcome = &mut all => outcome.map(drop)?,
        asked = asked_to_end(args.duration) => {
            asked?;
            end.send_replace(true);
            all.await?;
        }
    }
    stage.report.end(devices, args.protocol.name(), begun.elapsed())?;
    verdict(&stage.report.counts(), devices, args.messages)
}

/// Ctrl-C, a polite kill, or the end of the time.
async fn asked_to_end(duration: Option<Duration>) -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked,
        _ = terminated.recv() => Ok(()),
        () = sleep(duration.unwrap_or_default()), if duration.is_some() => Ok(()),
    }
}

fn verdict(counts: &Counts, devices: usize, messages: Option<u64>) -> Result<(), CommandError> {
    let refused = |text: String| Err(CommandError::Refused(text));
    let did = if messages == Some(0) { counts.connected } else { counts.stored };
    match (counts.gave_up, did) {
        (0, 0) if messages == Some(0) => refused("no device could connect".into()),
        (0, 0) => refused("nothing was sent".into()),
        (0, _) => Ok(()),
        (gave_up, _) => {
            let why = counts.gave_up_why.as_deref().unwrap_or_default();
            refused(format!("{gave_up} of {devices} devices gave up: {why}"))
        }
    }
}

/// What all devices share.
struct Stage<'a> {
    args: &'a SimulateArgs,
    telemetry: Telemetry,
    fleet: Fleet,
    report: Report,
    /// Becomes true when everybody shall end.
    ended: watch::Receiver<bool>,
    gate: Semaphore,
}

/// Why a device stopped for now.
enum Interrupted {
    Connection(Failure),
    /// Standard output is gone.
    Output(std::io::Error),
}

impl From<Failure> for Interrupted {
    fn from(failure: Failure) -> Self {
        Self::Connection(failure)
    }
}

impl From<std::io::Error> for Interrupted {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ClientError> for Interrupted {
    fn from(error: ClientError) -> Self {
        Self::Connection(error.into())
    }
}

/// A device's place on the stage.
struct Part<'a> {
    identity: &'a Identity,
    device: Device,
    pace: Interval,
    /// It has been connected before.
    known: bool,
    /// Attempts since a connection last was of use: what breaks every connection at once is tried ever less often.
    attempts: u32,
}

impl Stage<'_> {
    /// One device from its first connection to its end.
    async fn play(&self, at: usize, identity: &Identity) -> Result<(), CommandError> {
        let args = self.args;
        let spread =
            args.interval.min(SPREAD_MAX).mul_f64(at as f64 / self.fleet.members.len() as f64);
        let mut pace = interval_at(Instant::now() + spread, args.interval);
        // After a lost connection nobody catches up.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let device = Device::new(args.protocol.name(), args.messages);
        let mut part = Part { identity, device, pace, known: false, attempts: 0 };
        let id = &identity.account.device;
        loop {
            let begun = Instant::now();
            let failure = match self.perform(&mut part).await {
                Ok(()) => break,
                Err(Interrupted::Output(error)) => return Err(error.into()),
                Err(Interrupted::Connection(failure)) => failure,
            };
            let (why, last) = match failure {
                Failure::TokenEnds => continue,
                Failure::Final(why) => (why, true),
                Failure::Lost(why) => (why, !part.known && part.attempts + 1 == FIRST_ATTEMPTS_MAX),
            };
            if last {
                self.report.tell(id, &Event::GaveUp { why })?;
                break;
            }
            if part.known && begun.elapsed() >= PAUSE_MAX {
                part.attempts = 0;
            }
            let again_in = pause(part.attempts, rand::random());
            part.attempts += 1;
            self.report.tell(id, &Event::Lost { why, again_in })?;
            tokio::select! {
                () = sleep(again_in) => {}
                () = self.end() => break,
            }
        }
        self.report.leave(part.device.waiting());
        Ok(())
    }

    /// Becomes ready when everybody shall end.
    async fn end(&self) {
        // The sender lives as long as the stage.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// One connection. `Ok` is the end of the device's part.
    async fn perform(&self, part: &mut Part<'_>) -> Result<(), Interrupted> {
        let (identity, trust) = (part.identity, &self.fleet.trust);
        let https = &self.fleet.addresses.https;
        match self.args.protocol {
            Protocol::Mqtt | Protocol::MqttWs => {
                let open = async { Mqtt::open(self.stream().await?, identity).await };
                self.live(open, part).await
            }
            Protocol::Amqp => {
                let address = &self.fleet.addresses.amqps.connect_to;
                let open = async { Amqp::open(self.stream().await?, address, identity).await };
                self.live(open, part).await
            }
            Protocol::AmqpWs => {
                let address = &https.connect_to;
                let open = async { Amqp::open(self.stream().await?, address, identity).await };
                self.live(open, part).await
            }
            Protocol::Https => self.live(Https::open(https, trust, identity), part).await,
        }
    }

    /// What MQTT and AMQP travel in.
    async fn stream(&self) -> Result<Box<dyn Stream>, ClientError> {
        let (addresses, trust) = (&self.fleet.addresses, &self.fleet.trust);
        Ok(match self.args.protocol {
            Protocol::Mqtt => Box::new(tls::connect(&addresses.mqtts, trust, &[]).await?),
            Protocol::Amqp => Box::new(tls::connect(&addresses.amqps, trust, &[]).await?),
            Protocol::MqttWs => {
                Box::new(websocket::connect(&addresses.https, trust, "mqtt").await?)
            }
            Protocol::AmqpWs | Protocol::Https => {
                Box::new(websocket::connect(&addresses.https, trust, "AMQPWSB10").await?)
            }
        })
    }

    async fn live<T: Transport>(
        &self,
        open: impl Future<Output = Result<T, Failure>>,
        part: &mut Part<'_>,
    ) -> Result<(), Interrupted> {
        let opened = async {
            // The semaphore is never closed.
            let _turn = self.gate.acquire().await;
            open.await
        };
        let mut transport = tokio::select! {
            opened = opened => opened?,
            () = self.end() => return Ok(()),
        };
        part.known = true;
        self.report.tell(&part.identity.account.device, &Event::Connected)?;
        let outcome = match self.drive(&mut transport, part).await {
            Ok(()) => self.drain(&mut transport, part).await,
            Err(Interrupted::Connection(Failure::TokenEnds)) => {
                self.drain(&mut transport, part).await?;
                Err(Failure::TokenEnds.into())
            }
            broken => return broken,
        };
        transport.close().await;
        outcome
    }

    /// The device's life on one connection, until it has done its part or everybody ends.
    async fn drive<T: Transport>(
        &self,
        transport: &mut T,
        part: &mut Part<'_>,
    ) -> Result<(), Interrupted> {
        for action in part.device.connected(T::HAS_TWIN) {
            transport.perform(action).await?;
        }
        let mut end = std::pin::pin!(self.end());
        while !self.is_over(&part.device) {
            tokio::select! {
                () = &mut end => break,
                waited = transport.wait() => {
                    waited?;
                    self.take(transport, part).await?;
                }
                _ = part.pace.tick(), if part.device.due().is_some() => {
                    self.send(transport, part).await?;
                }
            }
        }
        Ok(())
    }

    /// A device that only listens, or has time left, goes on.
    fn is_over(&self, device: &Device) -> bool {
        let listens = self.args.duration.is_some() || self.args.messages == Some(0);
        device.is_finished() && !listens
    }

    /// Waits a little for what the hub has not answered yet.
    async fn drain<T: Transport>(
        &self,
        transport: &mut T,
        part: &mut Part<'_>,
    ) -> Result<(), Interrupted> {
        let latest = Instant::now() + DRAIN_TIME_MAX;
        while part.device.unanswered() > 0 {
            match timeout_at(latest, transport.wait()).await {
                Ok(waited) => waited?,
                Err(_) => break,
            }
            match self.take(transport, part).await {
                Err(Interrupted::Connection(Failure::TokenEnds)) => break,
                outcome => outcome?,
            }
        }
        Ok(())
    }

    async fn take<T: Transport>(
        &self,
        transport: &mut T,
        part: &mut Part<'_>,
    ) -> Result<(), Interrupted> {
        let Some(happening) = transport.take().await? else { return Ok(()) };
        let (event, action) = part.device.happened(happening, Instant::now().into_std());
        if let Some(event) = event {
            if let Event::Stored { .. } = event {
                part.attempts = 0;
            }
            self.report.tell(&part.identity.account.device, &event)?;
        }
        if let Some(action) = action {
            transport.perform(action).await?;
        }
        Ok(())
    }

    async fn send<T: Transport>(
        &self,
        transport: &mut T,
        part: &mut Part<'_>,
    ) -> Result<(), Interrupted> {
        let Some(number) = part.device.due() else { return Ok(()) };
        let id = &part.identity.account.device;
        let body = self.telemetry.render(id, number, SystemTime::now(), rand::random());
        let action = part.device.send(body, Instant::now().into_std());
        Ok(transport.perform(action).await?)
    }
}

/// How long to wait before the next attempt after so many; `random`, from 0 to 1, keeps devices apart.
fn pause(attempts: u32, random: f64) -> Duration {
    let longest = PAUSE_FIRST.saturating_mul(1 << attempts.min(16)).min(PAUSE_MAX);
    longest.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_differ() {
        let seconds = |attempts, random| pause(attempts, random).as_secs_f64();
        assert_eq!([seconds(0, 1.0), seconds(1, 1.0), seconds(2, 1.0)], [1.0, 2.0, 4.0]);
        assert_eq!([seconds(5, 1.0), seconds(u32::MAX, 1.0)], [30.0, 30.0]);
        assert_eq!([seconds(0, 0.0), seconds(9, 0.5)], [0.5, 22.5]);
    }

    #[test]
    fn it_is_a_failure_when_nothing_came_about_or_a_device_gave_up() {
        let counts =
            |connected, stored, gave_up| Counts { connected, stored, gave_up, ..Counts::default() };
        let check = |counts: Counts, messages, expected: &str| {
            let found =
                verdict(&counts, 2, messages).map_or_else(|e| e.to_string(), |()| String::new());
            assert_eq!(found, expected);
        };
        check(counts(2, 5, 0), None, "");
        check(counts(2, 0, 0), None, "nothing was sent");
        check(counts(2, 0, 0), Some(0), "");
        check(counts(0, 0, 0), Some(0), "no device could connect");
        let gave_up = Counts { gave_up_why: Some("no".into()), ..counts(1, 5, 1) };
        check(gave_up, None, "1 of 2 devices gave up: no");
    }
}
