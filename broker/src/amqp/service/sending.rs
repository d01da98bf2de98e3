//! Cloud-to-device messages on their way into queues, until their outcome is told.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use ironhub_domain::HubError;
use ironhub_wire::amqp::{Connection, DeliveryState, LinkId};
use tokio::sync::oneshot;

use crate::amqp::errors;

/// Messages of one connection under way, by their bytes on the wire; reading stops above it. Credit is no bound that
/// counts: it is given for each link, and the largest messages of all links are a thousand times as much.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What becomes of a message.
pub(super) type Outcome = oneshot::Receiver<Result<u64, HubError>>;

struct Message {
    link: LinkId,
    /// `None` if it came settled.
    delivery: Option<u32>,
    bytes: usize,
    outcome: Outcome,
}

/// See the module. No memory while nothing is under way.
#[derive(Default)]
pub(super) struct Sending {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Sending {
    /// Whether reading must wait until outcomes have come.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_MAX
    }

    /// Adds a message of so many bytes; `delivery` is `None` if it came settled.
    pub(super) fn push(
        &mut self,
        link: LinkId,
        delivery: Option<u32>,
        bytes: usize,
        outcome: Outcome,
    ) {
        self.bytes += bytes;
        self.messages.push_back(Message { link, delivery, bytes, outcome });
    }

    /// Tells outcomes that came; true if there were any. The task of `cx` is woken by more.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> bool {
        let before = self.messages.len();
        self.messages.retain_mut(|message| {
            let Poll::Ready(answer) = Pin::new(&mut message.outcome).poll(cx) else { return true };
            self.bytes -= message.bytes;
            // The task is gone without an answer only when its node stops.
            let state = match answer.unwrap_or(Err(HubError::ShuttingDown)) {
                Ok(_) => DeliveryState::Accepted,
                Err(error) => {
                    tracing::debug!(%error, "a cloud-to-device message is refused");
                    DeliveryState::rejected(errors::error(&error))
                }
            };
            match message.delivery {
                Some(delivery) => connection.settle(message.link, delivery, state),
                None => connection.consumed(message.link),
            }
            false
        });
        let told = before != self.messages.len();
        if told && self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;

    use bytes::BytesMut;
    use ironhub_wire::amqp::frame::{AMQP_HEADER, FrameKind, put_frame};
    use ironhub_wire::amqp::performative::{Begin, Performative};
    use ironhub_wire::amqp::{Attach, AttachReply, ConnectionConfig, Event, Open};

    use super::*;

    /// A connection with one link of a sender.
    fn connection() -> (Connection, LinkId) {
        let mut connection = Connection::new(Arc::new(ConnectionConfig::default()), 0);
        let mut input = BytesMut::from(&AMQP_HEADER[..]);
        for performative in [
            Performative::Open(Box::<Open>::default()),
            Performative::Begin(Box::<Begin>::default()),
            Performative::Attach(Box::<Attach>::default()),
        ] {
            put_frame(&mut input, FrameKind::Amqp, 0, |out| performative.encode(out));
        }
        loop {
            match connection.poll(&mut input, 0).expect("an attach") {
                Event::Attach { link, attach } => {
                    let reply = AttachReply { credit: 100, ..AttachReply::default() };
                    connection.accept(link, &attach, reply);
                    return (connection, link);
                }
                _ => continue,
            }
        }
    }

    #[test]
    fn what_is_under_way_is_bounded_by_its_bytes_and_outcomes_make_room() {
        let (mut connection, link) = connection();
        let mut sending = Sending::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut answers = Vec::new();
        while !sending.is_full() {
            let (answer, outcome) = oneshot::channel();
            let delivery = answers.len() as u32;
            sending.push(link, delivery.is_multiple_of(2).then_some(delivery), 256 * 1024, outcome);
            answers.push(answer);
        }
        assert_eq!(answers.len(), 16);
        assert!(!sending.poll(&mut cx, &mut connection) && sending.is_full());
        // Outcomes come in any order, and also when nobody is left to give one.
        answers.swap_remove(7).send(Ok(1)).expect("somebody waits");
        assert!(sending.poll(&mut cx, &mut connection) && !sending.is_full());
        answers.swap_remove(3).send(Err(HubError::Busy)).expect("somebody waits");
        drop(answers);
        assert!(sending.poll(&mut cx, &mut connection));
        assert_eq!((sending.bytes, sending.messages.capacity()), (0, 0));
    }
}
