//! What the owner does. A command about a link or session that is gone does nothing.

use bytes::Bytes;

use super::{Connection, State};
use crate::amqp::event::{AttachReply, LinkId, SendError};
use crate::amqp::limits::TAG_BYTES_MAX;
use crate::amqp::outbox::Outbox;
use crate::amqp::performative::{Attach, Close, DeliveryState, End, Error, Performative};
use crate::amqp::session::Session;

/// Milliseconds we wait for the peer's close after ours.
const CLOSE_PATIENCE_MS: u64 = 5_000;

impl Connection {
    /// Attaches a link that the client asked for; `attach` is the one of the event.
    pub fn accept(&mut self, link: LinkId, attach: &Attach, reply: AttachReply) {
        if let Some((session, outbox)) = self.session(link) {
            session.accept(link, attach, reply, outbox);
        }
    }

    /// Refuses a link that the client asked for; `attach` is the one of the event.
    pub fn refuse(&mut self, link: LinkId, attach: &Attach, error: Error) {
        if let Some((session, outbox)) = self.session(link) {
            session.refuse(link, attach, error, outbox);
        }
    }

    /// Detaches a link for good; no event follows.
    pub fn detach(&mut self, link: LinkId, error: Option<Error>) {
        if let Some((session, outbox)) = self.session(link) {
            session.detach(link, error, outbox);
        }
    }

    /// Ends a delivery from the client: the disposition is settled. Accepted neighbours share one.
    pub fn settle(&mut self, link: LinkId, delivery: u32, state: DeliveryState) {
        if let Some((session, outbox)) = self.session(link) {
            session.settle(link, delivery, state, outbox);
        }
    }

    /// Gives back the credit of a delivery that came settled.
    pub fn consumed(&mut self, link: LinkId) {
        if let Some((session, outbox)) = self.session(link) {
            session.consumed(link, outbox);
        }
    }

    /// Whether a message would go out at once: there is credit, and the session's window is open.
    pub fn can_send(&mut self, link: LinkId) -> bool {
        self.session(link).is_some_and(|(session, _)| session.can_send(link))
    }

    /// Messages that the client still takes on this link; 0 if it is gone.
    pub fn credit(&mut self, link: LinkId) -> u32 {
        self.session(link).map_or(0, |(session, _)| session.credit(link))
    }

    /// Sends an encoded message and returns the number of its delivery. A message that the session's window cuts short
    /// continues when it opens; a few wait like that, then it is `Busy`. The tag has at most 32 bytes; longer ones are
    /// cut.
    pub fn send(
        &mut self,
        link: LinkId,
        tag: Bytes,
        settled: bool,
        message: Bytes,
    ) -> Result<u32, SendError> {
        let tag = tag.slice(..tag.len().min(TAG_BYTES_MAX));
        let (session, outbox) = self.session(link).ok_or(SendError::Gone)?;
        session.send(link, tag, settled, message, outbox)
    }

    /// Ends a delivery to the client whose outcome it told without settling: for links where the receiver settles
    /// second.
    pub fn settle_sent(&mut self, link: LinkId, delivery: u32, state: Option<DeliveryState>) {
        if let Some((session, outbox)) = self.session(link) {
            session.settle_sent(link, delivery, state, outbox);
        }
    }

    /// Tells a client that drains that there is nothing more.
    pub fn drained(&mut self, link: LinkId) {
        if let Some((session, outbox)) = self.session(link) {
            session.drained(link, outbox);
        }
    }

    /// Ends the session on a channel; its links are told as detached.
    pub fn end_session(&mut self, channel: u16, error: Option<Error>) {
        let Some(index) = self.find(channel) else { return };
        let (session, outbox) = (&mut self.sessions[index], &mut self.outbox);
        if session.ended {
            return;
        }
        session.ended = true;
        session.flush_accepts(outbox);
        session.drop_links(error.as_ref(), outbox);
        outbox.frame(channel, &Performative::End(End { error: error.map(Box::new) }));
    }

    /// Closes the connection. It is over when the peer's close has come or [`Connection::tick`] says so.
    pub fn close(&mut self, error: Option<Error>) {
        self.drop_sessions();
        match self.state {
            State::Running => {
                self.outbox.frame(0, &Performative::Close(Close { error: error.map(Box::new) }));
                self.state = State::CloseSent { until: self.now.saturating_add(CLOSE_PATIENCE_MS) };
            }
            State::CloseSent { .. } | State::Closed => {}
            State::Header | State::Sasl | State::SaslWait | State::AmqpHeader | State::Open => {
                self.state = State::Closed;
            }
        }
    }

    fn session(&mut self, link: LinkId) -> Option<(&mut Session, &mut Outbox)> {
        let index = self.find(link.channel)?;
        let session = &mut self.sessions[index];
        (!session.ended).then_some((session, &mut self.outbox))
    }
}
