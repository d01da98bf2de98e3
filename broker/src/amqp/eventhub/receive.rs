//! One receiver: from a place in a partition to the live end of it, as far as the client grants credit.
//!
//! ```text
//! Starting (finds its place) -> Ready <-> Reading (disk)      Ready -> Tail (waits for new events) -> Ready
//! ```
//!
//! Events are read only when the client has credit and takes what was written before, so a client that does neither costs
//! one read's events at most. Transfers are settled: some clients never settle (service-protocols.md 4.4).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ironhub_domain::HubError;
use ironhub_domain::event::{Event, StartPosition};
use ironhub_domain::partition::EventLog;
use ironhub_domain::time::UnixMs;
use ironhub_wire::amqp::performative::SenderSettleMode;
use ironhub_wire::amqp::{
    Attach, AttachReply, Connection, Error, LinkId, SendError, Symbol, condition,
};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::filter::start_position;
use super::receivers::{Claim, Place, Seat};
use super::render::render;
use super::{EventSource, Receivers, missing};
use crate::amqp::{address, errors, metrics};

/// Encoded bytes of events that one read asks for.
const READ_BYTES: usize = 32 * 1024;
/// Output that makes a receiver wait until the client took some.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Bytes that one receiver writes before the others of its connection get their turn.
const TURN_BYTES: usize = 16 * 1024;
/// Events so near to the end of the log are still in the store's memory; reading them does not stop the thread.
const YOUNG_EVENTS: u64 = 1_024;
/// What `max-message-size` says: the largest event with everything around it.
const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;
/// Longest name of a receiver that is shown to others, in characters.
const NAME_CHARS_MAX: usize = 64;

const RUNTIME_METRIC: &str = "com.microsoft:enable-receiver-runtime-metric";

/// A receiver that may attach.
pub(in crate::amqp) struct Attached {
    pub(in crate::amqp) receiver: Receiver,
    pub(in crate::amqp) reply: AttachReply,
}

/// One receiver.
pub(in crate::amqp) struct Receiver {
    source: Arc<dyn EventSource>,
    partition: u32,
    group: Box<str>,
    /// Sequence number of the next event to read.
    next: u64,
    pending: std::vec::IntoIter<Event>,
    feed: Feed,
    watch: watch::Receiver<EventLog>,
    evicted: oneshot::Receiver<Error>,
    runtime_metrics: bool,
    drain: bool,
    _seat: Seat,
}

enum Feed {
    Starting(JoinHandle<Result<u64, HubError>>),
    Ready,
    Reading(JoinHandle<Result<Vec<Event>, HubError>>),
    /// False when there will be no more events.
    Tail(Pin<Box<dyn Future<Output = bool>>>),
}

/// Checks what a client asks for and takes its place among the receivers. The entity was checked before.
pub(in crate::amqp) fn attach(
    source: &Arc<dyn EventSource>,
    receivers: &Receivers,
    attach: &Attach,
    group: &str,
    partition: &str,
) -> Result<Attached, Error> {
    if !source.has_consumer_group(group) {
        return Err(Error::new(condition::NOT_FOUND, missing("consumer group", group)));
    }
    let number = parse_partition(partition).filter(|number| *number < source.partition_count());
    let found = number.and_then(|number| Some((number, source.watch(number)?)));
    let Some((partition, mut watch)) = found else {
        let last = source.partition_count().saturating_sub(1);
        let text = format!("there is no partition {partition:?}: they are numbered 0 to {last}");
        return Err(Error::new(condition::ARGUMENT_ERROR, text));
    };
    let position = start_position(attach.source.as_ref())?;
    watch.mark_unchanged();
    let (feed, next) = match position {
        StartPosition::Earliest | StartPosition::Latest | StartPosition::Sequence { .. } => {
            let next =
                source.resolve(partition, position).map_err(|error| errors::error(&error))?;
            (Feed::Ready, next)
        }
        StartPosition::Offset { .. } | StartPosition::EnqueuedTime { .. } => {
            let source = source.clone();
            let search = move || source.resolve(partition, position);
            (Feed::Starting(tokio::task::spawn_blocking(search)), 0)
        }
    };
    let (seat, evicted) =
        receivers.admit(Place::new(source.log(), group, partition), claim(attach)?)?;
    let runtime_metrics =
        attach.desired_capabilities.iter().any(|wanted| *wanted == RUNTIME_METRIC);
    let granted = runtime_metrics.then_some(Symbol::from_static(RUNTIME_METRIC));
    metrics::receiver_attached();
    Ok(Attached {
        receiver: Receiver {
            source: source.clone(),
            partition,
            group: group.into(),
            next,
            pending: Vec::new().into_iter(),
            feed,
            watch,
            evicted,
            runtime_metrics,
            drain: false,
            _seat: seat,
        },
        reply: AttachReply {
            snd_settle_mode: Some(SenderSettleMode::Settled),
            max_message_size: MESSAGE_BYTES_MAX,
            offered_capabilities: granted.into_iter().collect(),
            ..AttachReply::default()
        },
    })
}

/// Decimal, as partitions are named: no sign, no leading zero.
pub(super) fn parse_partition(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn claim(attach: &Attach) -> Result<Claim, Error> {
    let Some(properties) = &attach.properties else { return Ok(Claim::default()) };
    let epoch = match properties.get("com.microsoft:epoch") {
        None | Some(ironhub_wire::amqp::Value::Null) => None,
        Some(value) => Some(value.as_integer().filter(|epoch| *epoch >= 0).ok_or_else(|| {
            Error::new(
                condition::ARGUMENT_ERROR,
                "the epoch is not a whole number from 0".to_owned(),
            )
        })?),
    };
    let name = properties.text("com.microsoft:receiver-name");
    let name = name.map(|name| name.chars().take(NAME_CHARS_MAX).collect());
    Ok(Claim { name, epoch })
}

impl Receiver {
    /// Names of what it reads, for a token's scope: through the entity, and as on the hub's own name.
    pub(in crate::amqp) fn paths(&self) -> Vec<String> {
        paths(&*self.source, &self.group, &self.partition.to_string())
    }

    /// The client granted credit. If it drains it wants what there is now, then the rest of its credit back; what it
    /// said last counts.
    pub(in crate::amqp) fn drain(&mut self, drain: bool) {
        self.drain = drain;
    }

    /// Looks whether what it waits for has come; true if so. `Err` detaches it.
    pub(in crate::amqp) fn poll(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        if let Poll::Ready(Ok(stolen)) = Pin::new(&mut self.evicted).poll(cx) {
            return Err(stolen);
        }
        match &mut self.feed {
            Feed::Ready => Ok(false),
            Feed::Starting(search) => {
                let Poll::Ready(found) = Pin::new(search).poll(cx) else { return Ok(false) };
                self.next = finished(found)?;
                self.feed = Feed::Ready;
                Ok(true)
            }
            Feed::Reading(read) => {
                let Poll::Ready(events) = Pin::new(read).poll(cx) else { return Ok(false) };
                let events = finished(events)?;
                self.take(events);
                Ok(true)
            }
            Feed::Tail(change) => {
                let Poll::Ready(more) = change.as_mut().poll(cx) else { return Ok(false) };
                if !more {
                    return Err(Error::new(
                        condition::CONNECTION_FORCED,
                        "the hub is shutting down",
                    ));
                }
                self.feed = Feed::Ready;
                Ok(true)
            }
        }
    }

    /// Sends what there is, as far as credit, window and output go.
    pub(in crate::amqp) fn pump(
        &mut self,
        link: LinkId,
        connection: &mut Connection,
        now: UnixMs,
    ) -> Result<(), Error> {
        let limit = OUTPUT_BYTES_MAX.min(connection.output_len() + TURN_BYTES);
        let mut sent = 0;
        while connection.output_len() < limit && connection.can_send(link) {
            if let Some(event) = self.pending.next() {
                self.send(&event, link, connection, now)?;
                sent += 1;
            } else if matches!(self.feed, Feed::Ready) {
                self.read()?;
            } else {
                break;
            }
        }
        if sent > 0 {
            metrics::delivered(sent);
        }
        let empty = self.pending.as_slice().is_empty();
        if empty {
            self.pending = Vec::new().into_iter();
        }
        let at_end = empty && matches!(self.feed, Feed::Tail(_));
        // Credit that events used up is drained too: the client waits to hear so.
        if self.drain && (at_end || connection.credit(link) == 0) {
            self.drain = false;
            connection.drained(link);
        }
        Ok(())
    }

    fn send(
        &self,
        event: &Event,
        link: LinkId,
        connection: &mut Connection,
        now: UnixMs,
    ) -> Result<(), Error> {
        let log = *self.watch.borrow();
        let message = render(event, self.runtime_metrics.then_some((&log, now)));
        let tag = event.sequence.to_be_bytes().to_vec().into();
        match connection.send(link, tag, true, message) {
            Ok(_) => Ok(()),
            // It could send a moment ago; whatever happened, an event must not be left out.
            Err(error @ (SendError::Gone | SendError::NoCredit | SendError::Busy)) => {
                Err(Error::new(condition::INTERNAL_ERROR, error.to_string()))
            }
        }
    }

    /// Reads at once what is in memory, and elsewhere what is not.
    fn read(&mut self) -> Result<(), Error> {
        let end = self.watch.borrow_and_update().next_sequence;
        if self.next >= end {
            let mut watch = self.watch.clone();
            self.feed = Feed::Tail(Box::pin(async move { watch.changed().await.is_ok() }));
            return Ok(());
        }
        let (partition, next) = (self.partition, self.next);
        if end - next > YOUNG_EVENTS {
            let source = self.source.clone();
            let read = move || source.read(partition, next, READ_BYTES);
            self.feed = Feed::Reading(tokio::task::spawn_blocking(read));
            return Ok(());
        }
        let events = self.source.read(partition, next, READ_BYTES);
        self.take(events.map_err(|error| errors::error(&error))?);
        Ok(())
    }

    fn take(&mut self, events: Vec<Event>) {
        match events.last() {
            Some(last) => {
                self.next = last.sequence + 1;
                self.feed = Feed::Ready;
            }
            // Nothing although there was something: retention took it. The end moves on, or has moved already.
            None => {
                let mut watch = self.watch.clone();
                self.next = self.next.max(watch.borrow().first_sequence);
                self.feed = Feed::Tail(Box::pin(async move { watch.changed().await.is_ok() }));
            }
        }
        self.pending = events.into_iter();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        metrics::receiver_gone();
    }
}

/// Names of a partition, for a token's scope.
pub(in crate::amqp) fn paths(
    source: &dyn EventSource,
    group: &str,
    partition: &str,
) -> Vec<String> {
    let rest = format!("ConsumerGroups/{group}/Partitions/{partition}");
    let mut paths = vec![format!("{}/{rest}", source.entity_name())];
    if source.is_built_in() {
        paths.push(format!("{}/{rest}", address::BUILT_IN));
    }
    paths
}

fn finished<T>(result: Result<Result<T, HubError>, tokio::task::JoinError>) -> Result<T, Error> {
    let result = result.unwrap_or_else(|error| Err(HubError::Internal(error.to_string())));
    result.map_err(|error| errors::error(&error))
}
