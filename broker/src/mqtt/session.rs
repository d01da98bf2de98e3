//! The loop of a connection that was let in.
//!
//! A turn settles batches that became durable, reads, hands the messages of each read over as one batch, and ends with
//! one write of everything that accumulated. Reading pauses while too much is under way, while the client does not take
//! its answers, and while the device's owner is busy: the client then feels it through TCP.
//!
//! ```text
//! open --DISCONNECT or the node's stop--> leaving --nothing under way, all written--> end
//!  |  any other cause                                                                 ^
//!  +----------------------------------------------------------------------------------+
//! ```

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::event::D2cMessage;
use ironhub_wire::mqtt::framer::PACKET_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::connect::Entered;
use super::d2c::Identity;
use super::deadlines::Deadlines;
use super::downlink::Downlink;
use super::errors::Cause;
use super::flight::Flight;
use super::inbox::Inbox;
use super::metrics;
use super::outbox::Outbox;
use super::packets::{Batch, Packets};
use super::signal::Signal;
use crate::net::Line;
use crate::router::DeviceSession;
use crate::router::request::CloseReason;

/// Reads of one turn before other connections of the thread get theirs.
const READS_PER_TURN: usize = 4;
/// How long batches under way may keep a leaving session.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a busy owner is asked again before the connection closes.
const BUSY_TIME_MAX: Duration = Duration::from_secs(10);
/// First pause after a busy answer; each next one is twice as long, up to [`BUSY_PAUSE_MAX`].
const BUSY_PAUSE: Duration = Duration::from_millis(5);
const BUSY_PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long closing the socket may take: a TLS peer may not read any more.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(2);

/// A live connection. Boxed by its maker; keeps no buffer while idle.
pub(super) struct Session<S> {
    stream: S,
    line: Line,
    inbox: Inbox,
    outbox: Outbox,
    flight: Flight,
    downlink: Downlink,
    deadlines: Deadlines,
    reading: bool,
    identity: Identity,
    device: DeviceSession,
    signal: Arc<Signal>,
    will: Option<Box<D2cMessage>>,
    busy: Option<Box<Busy>>,
    leaving: Option<Box<Leaving>>,
}

/// A batch that the owner had no room for.
struct Busy {
    batch: Batch,
    pause: Duration,
    again: Instant,
    give_up: Instant,
}

struct Leaving {
    cause: Cause,
    until: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// `inbox` may hold packets that followed the CONNECT, `outbox` the CONNACK.
    pub(super) fn new(
        stream: S,
        line: Line,
        inbox: Inbox,
        outbox: Outbox,
        entered: Entered,
    ) -> Self {
        Self {
            stream,
            line,
            inbox,
            outbox,
            flight: Flight::default(),
            downlink: entered.downlink,
            deadlines: entered.deadlines,
            reading: true,
            identity: entered.identity,
            device: entered.device,
            signal: entered.signal,
            will: entered.will,
            busy: None,
            leaving: None,
        }
    }

    pub(super) fn device(&self) -> &str {
        self.identity.device.as_str()
    }

    /// Runs until the connection has to end.
    pub(super) async fn run(&mut self) -> Cause {
        let mut timer = pin!(sleep_until(self.due()));
        poll_fn(|cx| self.poll(cx, timer.as_mut())).await
    }

    /// Closes the socket, then says the last words.
    pub(super) async fn close(self: Box<Self>, cause: &Cause) {
        let Self { mut stream, device, will, .. } = *self;
        let _ = timeout(SHUTDOWN_TIME_MAX, stream.shutdown()).await;
        drop(stream);
        if let Some(will) = will.filter(|_| cause.publishes_will())
            && let Err(error) = device.publish_will(*will).await
        {
            tracing::debug!(%error, "will not stored");
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Poll<Cause> {
        match self.turn(cx, timer) {
            Ok(()) => Poll::Pending,
            Err(cause) => Poll::Ready(cause),
        }
    }

    /// Everything that can be done now; an error ends the connection.
    fn turn(&mut self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Result<(), Cause> {
        if let Some(reason) = self.signal.poll(cx) {
            match reason {
                CloseReason::ShuttingDown => self.leave(Cause::Owner(reason)),
                CloseReason::TakenOver
                | CloseReason::Disabled
                | CloseReason::Deleted
                | CloseReason::Rekeyed
                | CloseReason::Slow => {
                    return Err(Cause::Owner(reason));
                }
            }
        }
        // Before anything is read: it may be the end.
        self.downlink.look(self.outbox.is_flushed(), self.line, &self.device);
        self.work(cx)?;
        let Self { downlink, device, identity, signal, outbox, .. } = self;
        downlink.poll(cx, device, identity, signal, outbox)?;
        let full = self.outbox.is_full();
        let written = self.outbox.poll_write(&mut self.stream, cx)?;
        if full && !self.outbox.is_full() {
            // Reading was paused for this, and nothing else would wake it.
            cx.waker().wake_by_ref();
        }
        if let Some(leaving) = &mut self.leaving
            && (written.is_ready()
                && self.flight.is_empty()
                && self.busy.is_none()
                && self.downlink.is_idle()
                || leaving.until <= Instant::now())
        {
            return Err(std::mem::replace(&mut leaving.cause, Cause::Disconnect));
        }
        self.look_at_clock(cx, timer)
    }

    /// Settles and reads in turns, until nothing arrives or reading has to pause.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<(), Cause> {
        for _ in 0..READS_PER_TURN {
            // In this order: a batch that was just handed over must be asked for its outcome once, or nothing wakes us.
            self.ask_again()?;
            self.flight.settle(cx, &mut self.outbox)?;
            let was_reading = self.reading;
            self.reading = self.leaving.is_none()
                && self.busy.is_none()
                && !self.flight.is_full()
                && !self.downlink.is_full()
                && !self.outbox.is_full();
            if !self.reading {
                return Ok(());
            }
            if !was_reading {
                self.deadlines.packet(Instant::now());
            }
            match self.inbox.poll_read(&mut self.stream, cx)? {
                Poll::Ready(input) if input.is_empty() => return Err(Cause::EndOfStream),
                Poll::Ready(input) => self.take(input)?,
                Poll::Pending => return Ok(()),
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Handles what one read brought. Messages before a violation are handed over all the same.
    fn take(&mut self, mut input: Bytes) -> Result<(), Cause> {
        let (arrived, mut batch) = (input.len(), Batch::default());
        let taken = Packets {
            identity: &self.identity,
            device: &self.device,
            downlink: &mut self.downlink,
            flight: &mut self.flight,
            outbox: &mut self.outbox,
            batch: &mut batch,
        }
        .take(&mut input);
        if input.len() < arrived {
            self.deadlines.packet(Instant::now());
        }
        if !batch.messages.is_empty() {
            metrics::batch(batch.messages.len(), batch.acknowledge);
            let now = Instant::now();
            let give_up = now + BUSY_TIME_MAX;
            self.hand_over(Box::new(Busy { batch, pause: BUSY_PAUSE, again: now, give_up }))?;
        } else if 0 < batch.acknowledge {
            self.flight.push_done(batch.acknowledge);
        }
        match taken {
            Ok(()) => self.inbox.keep(&input, PACKET_BYTES_MAX),
            Err(Cause::Disconnect) => {
                self.will = None;
                self.leave(Cause::Disconnect);
            }
            Err(cause) => return Err(cause),
        }
        Ok(())
    }

    /// Tries to hand a batch to the owner; keeps it for later when there is no room.
    fn hand_over(&mut self, mut busy: Box<Busy>) -> Result<(), Cause> {
        let messages = std::mem::take(&mut busy.batch.messages);
        match self.device.send_d2c(messages) {
            Ok(reply) => {
                self.flight.push(reply, busy.batch.acknowledge, busy.batch.bytes);
                Ok(())
            }
            Err((HubError::Busy, messages)) if busy.again < busy.give_up => {
                busy.batch.messages = messages;
                busy.again = Instant::now() + busy.pause;
                busy.pause = (busy.pause * 2).min(BUSY_PAUSE_MAX);
                self.busy = Some(busy);
                Ok(())
            }
            Err((error, _)) => Err(error.into()),
        }
    }

    fn ask_again(&mut self) -> Result<(), Cause> {
        match self.busy.take() {
            Some(busy) if busy.again <= Instant::now() => self.hand_over(busy),
            busy => {
                self.busy = busy;
                Ok(())
            }
        }
    }

    fn leave(&mut self, cause: Cause) {
        if self.leaving.is_none() {
            let until = Instant::now() + LEAVE_TIME_MAX;
            self.leaving = Some(Box::new(Leaving { cause, until }));
        }
    }

    fn due(&self) -> Instant {
        let due = self.deadlines.due(self.reading, self.outbox.stalled_since());
        let again = self.busy.as_ref().map(|busy| busy.again);
        let left = self.leaving.as_ref().map(|leaving| leaving.until);
        [again, left, self.downlink.due()].into_iter().flatten().fold(due, Instant::min)
    }

    /// Ends what has run out, and arms the timer when the earliest deadline moved forward.
    fn look_at_clock(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
    ) -> Result<(), Cause> {
        loop {
            let due = self.due();
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            let now = Instant::now();
            let stalled_since = self.outbox.stalled_since();
            if let Some(cause) = self.deadlines.expired(now, self.reading, stalled_since) {
                return Err(cause);
            }
            if due <= now {
                // A busy owner is asked again, or a leaving session ends: both in the next turn.
                cx.waker().wake_by_ref();
                return Ok(());
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        let timer = size_of::<Sleep>();
        let session = size_of::<Session<tokio::net::TcpStream>>();
        assert!(timer + session <= 768, "timer {timer}, session {session}");
    }
}
