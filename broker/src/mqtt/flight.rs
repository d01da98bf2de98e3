//! Batches that were handed to the device's owner and are not durable yet, in the order they were sent.
//!
//! PUBACKs leave in the order of the PUBLISH packets (MQTT 3.1.1 4.6), so only the oldest batch is asked.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use ironhub_domain::HubError;
use ironhub_domain::event::{AppProperty, D2cMessage};
use ironhub_wire::mqtt::encode;
use ironhub_wire::mqtt::packet::PacketId;
use tokio::sync::oneshot;

use super::metrics;
use super::outbox::Outbox;
use crate::router::request::D2cReply;

/// Most batches of one connection under way. Fewer than a device's mailbox holds, so that one session cannot fill it.
const BATCHES_MAX: usize = 8;

/// Reading stops while messages of this size, by [`footprint`], are under way; at least one message always fits.
const BYTES_MAX: usize = 512 * 1024;

/// Emptied queues keep memory for this many entries; more is given back, since the connection may idle for hours.
const KEPT_ENTRIES: usize = 4;

struct Batch {
    reply: oneshot::Receiver<D2cReply>,
    acknowledge: usize,
    bytes: usize,
    since: Instant,
}

/// See the module.
#[derive(Default)]
pub(super) struct Flight {
    batches: VecDeque<Batch>,
    /// Identifiers to acknowledge, of all batches and of the one being gathered.
    ids: VecDeque<PacketId>,
    bytes: usize,
}

impl Flight {
    /// The next batch will acknowledge this one too.
    pub(super) fn owe(&mut self, id: PacketId) {
        self.ids.push_back(id);
    }

    /// A batch was handed over: it owes the last `acknowledge` identifiers.
    pub(super) fn push(
        &mut self,
        reply: oneshot::Receiver<D2cReply>,
        acknowledge: usize,
        bytes: usize,
    ) {
        self.bytes += bytes;
        self.batches.push_back(Batch { reply, acknowledge, bytes, since: Instant::now() });
    }

    /// Identifiers that wait for nothing but their turn.
    pub(super) fn push_done(&mut self, acknowledge: usize) {
        let (done, reply) = oneshot::channel();
        // The receiver is in our hand.
        let _ = done.send(Ok(()));
        self.push(reply, acknowledge, 0);
    }

    pub(super) fn is_full(&self) -> bool {
        BATCHES_MAX <= self.batches.len() || BYTES_MAX <= self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Writes the acknowledgements of all batches that became durable, oldest first; the task is woken when the next one
    /// is. An error means that a batch was not stored.
    pub(super) fn settle(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), HubError> {
        while let Some(batch) = self.batches.front_mut() {
            let Poll::Ready(reply) = Pin::new(&mut batch.reply).poll(cx) else { return Ok(()) };
            // The owner is gone without an answer only when its node stops.
            reply.unwrap_or(Err(HubError::ShuttingDown))?;
            metrics::acknowledged(batch.since.elapsed());
            let acknowledge = batch.acknowledge;
            self.bytes -= batch.bytes;
            self.batches.pop_front();
            if 0 < acknowledge {
                let out = outbox.end();
                self.ids
                    .drain(..acknowledge.min(self.ids.len()))
                    .for_each(|id| encode::puback(out, id));
            }
        }
        if KEPT_ENTRIES < self.ids.capacity() && self.ids.is_empty() {
            self.ids = VecDeque::new();
        }
        if KEPT_ENTRIES < self.batches.capacity() {
            self.batches = VecDeque::new();
        }
        Ok(())
    }
}

/// Memory that a message holds until it is stored: properties cost more than their text.
pub(super) fn footprint(message: &D2cMessage) -> usize {
    let entries = message.properties.len() * 2 * size_of::<AppProperty>();
    size_of::<D2cMessage>() + message.counted_size() + entries
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// `send 1 2 -> a` hands over a batch that owes PUBACKs 1 and 2, `ok a` and `fail a` resolve it; after each step the
    /// identifiers acknowledged by it.
    fn check(script: &str, expected: &str) {
        let (mut flight, mut replies) = (Flight::default(), std::collections::BTreeMap::new());
        let mut shown = Vec::new();
        for line in script.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["send", ref ids @ .., "->", name] => {
                    ids.iter().for_each(|id| flight.owe(id.parse().unwrap()));
                    let (sender, receiver) = oneshot::channel();
                    flight.push(receiver, ids.len(), 100);
                    replies.insert(name, sender);
                }
                ["ok", name] => replies.remove(name).unwrap().send(Ok(())).unwrap(),
                ["fail", name] => {
                    replies.remove(name).unwrap().send(Err(HubError::StorageFull)).unwrap()
                }
                ["lose", name] => drop(replies.remove(name)),
                _ => panic!("{line}"),
            }
            let mut outbox = Outbox::default();
            let settled = flight.settle(&mut Context::from_waker(Waker::noop()), &mut outbox);
            let acknowledged: Vec<_> =
                outbox.end().chunks(4).map(|packet| packet[3].to_string()).collect();
            outbox.end().clear();
            let error = settled.err().map_or(String::new(), |error| format!(" {error:?}"));
            shown.push(format!("[{}]{error}", acknowledged.join(" ")));
        }
        assert_eq!(shown.join(" "), expected, "{script}");
        assert_eq!(flight.bytes, 100 * flight.batches.len());
    }

    #[test]
    fn acknowledgements_leave_in_the_order_of_the_publishes() {
        check("send 1 2 -> a\nok a", "[] [1 2]");
        check("send 1 -> a\nsend 2 3 -> b\nok b\nok a", "[] [] [] [1 2 3]");
        check("send 1 -> a\nsend -> b\nsend 2 -> c\nok c\nok a\nok b", "[] [] [] [] [1] [2]");
    }

    #[test]
    fn a_batch_that_was_not_stored_is_not_acknowledged() {
        check("send 1 -> a\nsend 2 -> b\nfail b\nok a", "[] [] [] [1] StorageFull");
        check("send 1 -> a\nlose a", "[] [] ShuttingDown");
    }

    #[test]
    fn it_is_full_by_count_and_by_bytes() {
        let push = |flight: &mut Flight, bytes| flight.push(oneshot::channel().1, 1, bytes);
        let mut flight = Flight::default();
        for _ in 0..BATCHES_MAX {
            assert!(!flight.is_full());
            push(&mut flight, 1);
        }
        assert!(flight.is_full());
        let mut flight = Flight::default();
        push(&mut flight, BYTES_MAX);
        assert!(flight.is_full());
    }
}
