//! The server's end of a connection: bytes in, events out; commands in, bytes out. No socket, no clock, no task.
//!
//! ```text
//! socket -> BytesMut -> poll() -> Event          commands: accept, refuse, detach, settle, send, close
//! socket <- output()  <- everything above        time:     poll, tick and wrote take a monotonic "now" in milliseconds
//! ```
//!
//! The owner keeps the input buffer, calls [`Connection::poll`] until it returns `None`, writes [`Connection::output`],
//! and reads again only when the output is gone; so a peer that does not read stalls itself and nobody else. An idle
//! connection holds no buffer: input and output are given back, and [`Connection::shrink`] gives the rest.
//!
//! ```text
//! Header --SASL--> Sasl --init--> [SaslWait] --outcome ok--> AmqpHeader --> Open --open--> Running --close--> Closed
//!    \------AMQP-------------------------------------------------------------^                \-> CloseSent -^
//! ```

mod clock;
mod commands;
mod handshake;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::codec::Text;
use super::condition;
use super::event::Event;
use super::frame::{FrameKind, next_frame};
use super::limits::{CHANNEL_MAX, FRAME_BYTES_MAX, OUTPUT_BYTES_HIGH, PARTIAL_POOL_BYTES};
use super::outbox::Outbox;
use super::partials::PartialPool;
use super::performative::{Begin, Close, End, Error, Performative};
use super::session::{Fault, Session};

/// What connections of one listener share.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// Name of this end.
    pub container_id: Text,
    /// Idle time-out we announce, in milliseconds; a peer that is silent for twice as long is dropped.
    pub idle_timeout_ms: u32,
    /// Milliseconds a peer has to come to `open`.
    pub handshake_ms: u64,
    /// What they may hold together of messages that are not complete.
    pub partials: Arc<PartialPool>,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            container_id: Text::from_static("ironhub"),
            idle_timeout_ms: super::limits::IDLE_TIMEOUT_MS,
            handshake_ms: super::limits::HANDSHAKE_MS,
            partials: Arc::new(PartialPool::new(PARTIAL_POOL_BYTES)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came; SASL or AMQP may begin.
    Header,
    /// Mechanisms are offered.
    Sasl,
    /// The owner looks at credentials.
    SaslWait,
    /// SASL is through; only AMQP may begin.
    AmqpHeader,
    /// AMQP began; `open` must come.
    Open,
    /// Open.
    Running,
    /// We closed; the peer's close is awaited until then.
    CloseSent { until: u64 },
    /// Over.
    Closed,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    config: Arc<ConnectionConfig>,
    state: State,
    outbox: Outbox,
    /// By channel, ascending.
    sessions: Vec<Session>,
    /// Milliseconds after which the peer wants to hear from us; 0 for never.
    peer_idle_ms: u32,
    begun: u64,
    last_in: u64,
    last_out: u64,
    now: u64,
}

impl Connection {
    /// A connection whose first byte has not come.
    pub fn new(config: Arc<ConnectionConfig>, now: u64) -> Self {
        Self {
            outbox: Outbox::new(config.partials.clone()),
            config,
            state: State::Header,
            sessions: Vec::new(),
            peer_idle_ms: 0,
            begun: now,
            last_in: now,
            last_out: now,
            now,
        }
    }

    /// Takes input until something happened; `None` if more input is needed, the output must be written first, or the
    /// owner owes an answer. What is left of `input` belongs to a frame that is not complete.
    pub fn poll(&mut self, input: &mut BytesMut, now: u64) -> Option<Event> {
        self.now = now;
        loop {
            if let Some(event) = self.outbox.events.pop_front() {
                return Some(event);
            }
            if self.outbox.bytes.len() >= OUTPUT_BYTES_HIGH || !self.step(input) {
                return None;
            }
            self.last_in = now;
        }
    }

    /// Whether everything is said: write what is left of the output and drop the connection.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether `open` came and no close yet.
    pub fn is_open(&self) -> bool {
        self.state == State::Running
    }

    /// Bytes to write.
    pub fn output(&mut self) -> &[u8] {
        self.sessions.iter_mut().for_each(|session| session.flush_accepts(&mut self.outbox));
        &self.outbox.bytes
    }

    /// Bytes that wait to be written, without those that are still being collected.
    pub fn output_len(&self) -> usize {
        self.outbox.bytes.len()
    }

    /// So many bytes of the output were written.
    pub fn wrote(&mut self, count: usize, now: u64) {
        bytes::Buf::advance(&mut self.outbox.bytes, count);
        self.last_out = now;
    }

    /// Gives back memory that only a busy connection needs. For when the input is empty and the output written.
    pub fn shrink(&mut self) {
        if self.outbox.bytes.is_empty() {
            self.outbox.bytes = BytesMut::new();
        }
        if self.outbox.events.is_empty() {
            self.outbox.events = Default::default();
        }
        self.sessions.iter_mut().for_each(|session| session.shrink());
    }

    /// Takes one header or frame; false if there is none or it may not be taken now.
    fn step(&mut self, input: &mut BytesMut) -> bool {
        match self.state {
            State::Header | State::AmqpHeader => self.take_header(input),
            State::SaslWait | State::Closed => false,
            State::Sasl | State::Open | State::Running | State::CloseSent { .. } => {
                match next_frame(input, FRAME_BYTES_MAX) {
                    Ok(None) => false,
                    Ok(Some(frame)) => {
                        match frame.kind {
                            FrameKind::Sasl => self.on_sasl_frame(&frame.body),
                            FrameKind::Amqp => self.on_amqp_frame(frame.channel, &frame.body),
                        }
                        true
                    }
                    Err(error) => {
                        self.fail(Error::new(condition::FRAMING_ERROR, error.to_string()));
                        true
                    }
                }
            }
        }
    }

    fn on_amqp_frame(&mut self, channel: u16, body: &Bytes) {
        if self.state == State::Sasl {
            return self.fail(Error::new(condition::FRAMING_ERROR, "an amqp frame within sasl"));
        }
        if body.is_empty() {
            return;
        }
        match Performative::decode(body) {
            Ok((performative, payload)) => self.on_performative(channel, performative, payload),
            Err(error) => self.fail(error.into()),
        }
    }

    fn on_performative(&mut self, channel: u16, performative: Performative, payload: Bytes) {
        let result = match (self.state, performative) {
            (State::Open, Performative::Open(open)) => {
                self.on_open(open);
                Ok(())
            }
            (State::Open, Performative::Close(close)) => {
                self.on_close(close);
                Ok(())
            }
            (State::Open, _) => Err(illegal("a frame before open")),
            (State::CloseSent { .. }, Performative::Close(_)) => {
                self.state = State::Closed;
                Ok(())
            }
            (State::CloseSent { .. }, _) => Ok(()),
            (_, Performative::Open(_)) => Err(illegal("a second open")),
            (_, Performative::Close(close)) => {
                self.on_close(close);
                Ok(())
            }
            (_, Performative::Begin(begin)) => self.on_begin(channel, &begin),
            (_, Performative::End(end)) => self.on_end(channel, end),
            (_, other) => self.on_session_frame(channel, other, payload),
        };
        match result {
            Ok(()) => {}
            Err(Fault::Connection(error)) => self.fail(error),
            Err(Fault::Session(error)) => self.end_session(channel, Some(error)),
        }
    }

    fn on_session_frame(
        &mut self,
        channel: u16,
        performative: Performative,
        payload: Bytes,
    ) -> Result<(), Fault> {
        let Some(index) = self.find(channel) else {
            return match performative {
                // What clients still say about links of a session that they ended.
                Performative::Detach(_) | Performative::Disposition(_) | Performative::Flow(_) => {
                    Ok(())
                }
                _ => Err(illegal(&format!("a frame on channel {channel}, which has no session"))),
            };
        };
        let (session, outbox) = (&mut self.sessions[index], &mut self.outbox);
        if session.ended {
            return Ok(());
        }
        match performative {
            Performative::Attach(attach) => session.on_attach(attach, outbox),
            Performative::Flow(flow) => session.on_flow(flow, outbox),
            Performative::Transfer(transfer) => session.on_transfer(transfer, payload, outbox),
            Performative::Disposition(disposition) => {
                session.on_disposition(disposition, outbox);
                Ok(())
            }
            Performative::Detach(detach) => session.on_detach(detach, outbox),
            Performative::Open(_)
            | Performative::Begin(_)
            | Performative::End(_)
            | Performative::Close(_) => Ok(()),
        }
    }

    fn on_begin(&mut self, channel: u16, begin: &Begin) -> Result<(), Fault> {
        if channel > CHANNEL_MAX {
            let text = format!("channel {channel} is over {CHANNEL_MAX}");
            return Err(Fault::Connection(Error::new(condition::FRAMING_ERROR, text)));
        }
        match self.sessions.binary_search_by_key(&channel, |session| session.channel) {
            Ok(_) => Err(illegal(&format!("channel {channel} has a session already"))),
            Err(place) => {
                let session = Session::begin(channel, begin, &mut self.outbox);
                if self.sessions.is_empty() {
                    // Most connections have one session; a vector's first growth would make room for four.
                    self.sessions.reserve_exact(1);
                }
                self.sessions.insert(place, session);
                Ok(())
            }
        }
    }

    fn on_end(&mut self, channel: u16, end: End) -> Result<(), Fault> {
        let Some(index) = self.find(channel) else {
            return Err(illegal(&format!("an end on channel {channel}, which has no session")));
        };
        let mut session = self.sessions.remove(index);
        session.flush_accepts(&mut self.outbox);
        session.drop_links(end.error.as_deref(), &mut self.outbox);
        if !session.ended {
            self.outbox.frame(channel, &Performative::End(End::default()));
        }
        Ok(())
    }

    fn on_close(&mut self, close: Close) {
        self.drop_sessions();
        if self.state == State::Open {
            self.send_open();
        }
        self.outbox.frame(0, &Performative::Close(Close::default()));
        self.state = State::Closed;
        self.outbox.events.push_back(Event::Closed { error: close.error });
    }

    /// The peer broke the protocol: says so if it can be said, and reads nothing more.
    fn fail(&mut self, error: Error) {
        self.drop_sessions();
        match self.state {
            State::Open | State::Running => {
                if self.state == State::Open {
                    self.send_open();
                }
                let close = Close { error: Some(Box::new(error.clone())) };
                self.outbox.frame(0, &Performative::Close(close));
            }
            State::Header
            | State::Sasl
            | State::SaslWait
            | State::AmqpHeader
            | State::CloseSent { .. }
            | State::Closed => {}
        }
        self.state = State::Closed;
        self.outbox.events.push_back(Event::Closed { error: Some(Box::new(error)) });
    }

    /// Forgets all sessions without a word about their links: the owner learns that the connection is over.
    fn drop_sessions(&mut self) {
        for mut session in std::mem::take(&mut self.sessions) {
            session.flush_accepts(&mut self.outbox);
        }
        self.outbox.events.clear();
        self.outbox.links = 0;
        self.outbox.partials.clear();
    }

    fn find(&self, channel: u16) -> Option<usize> {
        self.sessions.binary_search_by_key(&channel, |session| session.channel).ok()
    }
}

fn illegal(text: &str) -> Fault {
    Fault::Connection(Error::new(condition::NOT_ALLOWED, text.to_owned()))
}
