//! An identity's telemetry between its link and the log: gathered, handed over in batches, settled when durable.
//!
//! What arrives while enough is under way gathers and goes as one batch when there is room, so a busy identity makes few
//! large batches and an idle one none. The connection stops reading while too much is held in all.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::event::{AppProperty, D2cMessage};
use ironhub_wire::amqp::{Connection, DeliveryState, LinkId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::owner::LiveSession;
use crate::amqp::errors;
use crate::router::request::D2cReply;

/// Batches of one identity under way. Fewer than its mailbox holds, so that one identity cannot fill it.
const BATCHES_MAX: usize = 8;
/// A batch is closed when it holds this much, by [`footprint`].
const BATCH_BYTES: usize = 256 * 1024;
/// How long a busy owner is asked again before the messages are released.
const BUSY_TIME_MAX: Duration = Duration::from_secs(10);
/// First pause after a busy answer; each next one is twice as long, up to [`BUSY_PAUSE_MAX`].
const BUSY_PAUSE: Duration = Duration::from_millis(5);
const BUSY_PAUSE_MAX: Duration = Duration::from_millis(500);

/// A delivery that waits for its outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    pub(super) link: LinkId,
    pub(super) delivery: u32,
    /// The client wants no answer.
    pub(super) settled: bool,
}

impl Owed {
    /// Tells the client, and gives the link its credit back.
    pub(super) fn settle(self, state: &DeliveryState, connection: &mut Connection) {
        match self.settled {
            true => connection.consumed(self.link),
            false => connection.settle(self.link, self.delivery, state.clone()),
        }
    }
}

#[derive(Default)]
struct Batch {
    messages: Vec<D2cMessage>,
    owed: Vec<Owed>,
    bytes: usize,
}

struct UnderWay {
    reply: oneshot::Receiver<D2cReply>,
    owed: Vec<Owed>,
    bytes: usize,
}

struct Busy {
    pause: Duration,
    again: Instant,
    give_up: Instant,
}

/// See the module. No memory while nothing is under way.
#[derive(Default)]
pub(super) struct Flight {
    gathered: VecDeque<Batch>,
    under_way: VecDeque<UnderWay>,
    busy: Option<Box<Busy>>,
}

impl Flight {
    /// Adds the messages of one delivery; returns how much memory they are.
    pub(super) fn add(&mut self, messages: Vec<D2cMessage>, owed: Owed) -> usize {
        let bytes = messages.iter().map(footprint).sum();
        match self.gathered.back_mut() {
            Some(batch) if batch.bytes + bytes <= BATCH_BYTES => {
                batch.messages.extend(messages);
                batch.owed.push(owed);
                batch.bytes += bytes;
            }
            _ => self.gathered.push_back(Batch { messages, owed: vec![owed], bytes }),
        }
        bytes
    }

    /// Memory of everything in it.
    pub(super) fn bytes(&self) -> usize {
        self.gathered.iter().map(|batch| batch.bytes).sum::<usize>()
            + self.under_way.iter().map(|batch| batch.bytes).sum::<usize>()
    }

    /// When the owner is asked again.
    pub(super) fn again(&self) -> Option<Instant> {
        self.busy.as_ref().map(|busy| busy.again)
    }

    /// Settles what became durable and hands over what gathered; returns how much memory was given back.
    pub(super) fn work(
        &mut self,
        cx: &mut Context<'_>,
        session: &dyn LiveSession,
        connection: &mut Connection,
        now: Instant,
    ) -> usize {
        let before = self.bytes();
        loop {
            let settled = self.settle(cx, connection);
            let handed = self.hand_over(session, connection, now);
            // A batch that was just handed over must be asked for its outcome once, or nothing wakes us.
            if !settled && !handed {
                break;
            }
        }
        if self.under_way.is_empty() {
            self.under_way = VecDeque::new();
        }
        if self.gathered.is_empty() {
            self.gathered = VecDeque::new();
        }
        before - self.bytes()
    }

    /// Hands over what gathered although nobody will hear of its outcome: the client has left, or must.
    pub(super) fn last_words(&mut self, session: &dyn LiveSession) {
        for batch in std::mem::take(&mut self.gathered) {
            if let Err((error, messages)) = session.send_d2c(batch.messages) {
                tracing::debug!(%error, messages = messages.len(), "messages of a client that left are not stored");
            }
        }
    }

    fn settle(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> bool {
        let mut any = false;
        while let Some(batch) = self.under_way.front_mut() {
            let Poll::Ready(reply) = Pin::new(&mut batch.reply).poll(cx) else { break };
            // The owner is gone without an answer only when its node stops.
            let state = match reply.unwrap_or(Err(HubError::ShuttingDown)) {
                Ok(()) => DeliveryState::Accepted,
                Err(error) => outcome(&error),
            };
            batch.owed.iter().for_each(|owed| owed.settle(&state, connection));
            self.under_way.pop_front();
            any = true;
        }
        any
    }

    fn hand_over(
        &mut self,
        session: &dyn LiveSession,
        connection: &mut Connection,
        now: Instant,
    ) -> bool {
        if self.busy.as_ref().is_some_and(|busy| now < busy.again) {
            return false;
        }
        let mut any = false;
        while self.under_way.len() < BATCHES_MAX
            && let Some(Batch { messages, owed, bytes }) = self.gathered.pop_front()
        {
            match session.send_d2c(messages) {
                Ok(reply) => {
                    self.busy = None;
                    self.under_way.push_back(UnderWay { reply, owed, bytes });
                    any = true;
                }
                Err((error, messages)) => {
                    let batch = Batch { messages, owed, bytes };
                    if self.keep(batch, &error, connection, now) {
                        break;
                    }
                    any = true;
                }
            }
        }
        any
    }

    /// Keeps a batch for later if its owner is only busy; false if its outcome was told instead.
    fn keep(
        &mut self,
        batch: Batch,
        error: &HubError,
        connection: &mut Connection,
        now: Instant,
    ) -> bool {
        let first = Busy { pause: BUSY_PAUSE, again: now, give_up: now + BUSY_TIME_MAX };
        let mut busy = self.busy.take().unwrap_or_else(|| Box::new(first));
        if *error == HubError::Busy && now < busy.give_up {
            busy.again = now + busy.pause;
            busy.pause = (busy.pause * 2).min(BUSY_PAUSE_MAX);
            self.busy = Some(busy);
            self.gathered.push_front(batch);
            return true;
        }
        let state = outcome(error);
        batch.owed.iter().for_each(|owed| owed.settle(&state, connection));
        false
    }
}

/// What a device is told of a message that was not stored: released if sending it again can help, rejected otherwise
/// (device-protocols.md 3.7).
pub(super) fn outcome(error: &HubError) -> DeliveryState {
    match error {
        HubError::Busy
        | HubError::NoLeader { .. }
        | HubError::OutcomeUnknown
        | HubError::StorageFull
        | HubError::ShuttingDown
        | HubError::SessionFenced
        | HubError::Internal(_) => {
            tracing::debug!(%error, "a device's messages are released");
            DeliveryState::Released
        }
        HubError::InvalidId(_)
        | HubError::DeviceNotFound(_)
        | HubError::DeviceAlreadyExists(_)
        | HubError::ModuleNotFound(_)
        | HubError::ModuleAlreadyExists(_)
        | HubError::TooManyModules { .. }
        | HubError::CertificateNotFound(_)
        | HubError::PolicyNotFound(_)
        | HubError::JobNotFound(_)
        | HubError::JobAlreadyExists(_)
        | HubError::JobFinished(_)
        | HubError::TooManyJobs { .. }
        | HubError::ConfigurationNotFound(_)
        | HubError::ConfigurationAlreadyExists(_)
        | HubError::TooManyConfigurations { .. }
        | HubError::DefinedTwice(_)
        | HubError::TooManyItems { .. }
        | HubError::Malformed(_)
        | HubError::DeviceDisabled(_)
        | HubError::PreconditionFailed { .. }
        | HubError::Unauthorized(_)
        | HubError::Forbidden(_)
        | HubError::InvalidArgument(_)
        | HubError::MessageTooLarge { .. }
        | HubError::QueueFull { .. }
        | HubError::LockLost
        | HubError::InvalidExpiry(_)
        | HubError::NotOnline { .. }
        | HubError::DeviceWentAway
        | HubError::MethodTimeout { .. }
        | HubError::TooManyMethods { .. }
        | HubError::UploadNotFound(_)
        | HubError::UploadExpired
        | HubError::UploadBlobMissing(_)
        | HubError::TooManyUploads { .. } => DeliveryState::rejected(errors::error(error)),
    }
}

/// Memory that a message holds until it is stored: properties cost more than their text.
fn footprint(message: &D2cMessage) -> usize {
    let entries = message.properties.len() * 2 * size_of::<AppProperty>();
    size_of::<D2cMessage>() + message.counted_size() + entries
}
