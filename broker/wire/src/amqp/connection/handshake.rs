//! From the first byte to `open`: protocol headers and SASL (OASIS AMQP 1.0 2.2, 5.3; service-protocols.md 3.2).

use bytes::{Buf, Bytes, BytesMut};

use super::{Connection, State};
use crate::amqp::codec::{Symbol, Text};
use crate::amqp::condition;
use crate::amqp::event::Event;
use crate::amqp::frame::{AMQP_HEADER, FrameKind, SASL_HEADER, put_frame};
use crate::amqp::limits::{CHANNEL_MAX, FRAME_BYTES_MAX, FRAME_BYTES_MIN, IDLE_TIMEOUT_MS_MIN};
use crate::amqp::performative::{Error, Open, Performative};
use crate::amqp::sasl::{SaslCode, SaslFrame};

/// What is offered. All but PLAIN leave the proof to `$cbs` or to the client's certificate.
const MECHANISMS: [&str; 4] = ["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"];

impl Connection {
    pub(super) fn take_header(&mut self, input: &mut BytesMut) -> bool {
        let Some(header) = input.first_chunk::<8>().copied() else {
            return false;
        };
        input.advance(header.len());
        match (header, self.state) {
            (AMQP_HEADER, _) => {
                self.outbox.bytes.extend_from_slice(&AMQP_HEADER);
                self.state = State::Open;
            }
            (SASL_HEADER, State::Header) => {
                self.outbox.bytes.extend_from_slice(&SASL_HEADER);
                self.sasl_frame(&SaslFrame::Mechanisms(
                    MECHANISMS.iter().map(|name| Symbol::from_static(name)).collect(),
                ));
                self.state = State::Sasl;
            }
            _ => {
                // The answer to a protocol we do not speak is one that we do; TLS is the listener's affair.
                self.outbox.bytes.extend_from_slice(&SASL_HEADER);
                self.fail(Error::new(condition::NOT_IMPLEMENTED, "unknown protocol header"));
            }
        }
        true
    }

    pub(super) fn on_sasl_frame(&mut self, body: &Bytes) {
        if self.state != State::Sasl {
            return self.fail(Error::new(condition::FRAMING_ERROR, "a sasl frame outside of sasl"));
        }
        match SaslFrame::decode(body) {
            Ok(SaslFrame::Init { mechanism, initial_response, .. }) => {
                self.on_sasl_init(&mechanism, &initial_response.unwrap_or_default());
            }
            Ok(_) => self.refuse_sasl(SaslCode::System, "an unexpected sasl frame"),
            Err(_) => self.refuse_sasl(SaslCode::System, "a malformed sasl frame"),
        }
    }

    fn on_sasl_init(&mut self, mechanism: &Symbol, response: &Bytes) {
        match mechanism.as_str() {
            "PLAIN" => match plain(response) {
                Some((user, password)) => {
                    self.state = State::SaslWait;
                    self.outbox.events.push_back(Event::SaslPlain { user, password });
                }
                None => self.refuse_sasl(SaslCode::Auth, "a malformed plain response"),
            },
            "MSSBCBS" | "ANONYMOUS" | "EXTERNAL" => self.pass_sasl(),
            _ => self.refuse_sasl(SaslCode::Auth, "a mechanism that was not offered"),
        }
    }

    /// Answers [`Event::SaslPlain`]. After a refusal the connection is over.
    pub fn sasl_outcome(&mut self, accepted: bool) {
        match (self.state, accepted) {
            (State::SaslWait, true) => self.pass_sasl(),
            (State::SaslWait, false) => self.refuse_sasl(SaslCode::Auth, "credentials refused"),
            _ => {}
        }
    }

    fn pass_sasl(&mut self) {
        self.sasl_frame(&SaslFrame::Outcome { code: SaslCode::Ok, additional_data: None });
        self.state = State::AmqpHeader;
    }

    fn refuse_sasl(&mut self, code: SaslCode, why: &'static str) {
        self.sasl_frame(&SaslFrame::Outcome { code, additional_data: None });
        self.fail(Error::new(condition::UNAUTHORIZED_ACCESS, Text::from_static(why)));
    }

    fn sasl_frame(&mut self, frame: &SaslFrame) {
        put_frame(&mut self.outbox.bytes, FrameKind::Sasl, 0, |out| frame.encode(out));
    }

    pub(super) fn on_open(&mut self, open: Box<Open>) {
        self.outbox.frame_max = open.max_frame_size.unwrap_or(u32::MAX).max(FRAME_BYTES_MIN);
        self.peer_idle_ms = match open.idle_time_out {
            None | Some(0) => 0,
            Some(ms) => ms.max(IDLE_TIMEOUT_MS_MIN),
        };
        self.send_open();
        self.state = State::Running;
        self.outbox.events.push_back(Event::Opened(open));
    }

    pub(super) fn send_open(&mut self) {
        let open = Open {
            container_id: self.config.container_id.clone(),
            max_frame_size: Some(FRAME_BYTES_MAX),
            channel_max: Some(CHANNEL_MAX),
            idle_time_out: Some(self.config.idle_timeout_ms),
            properties: Some(Default::default()),
            ..Open::default()
        };
        self.outbox.frame(0, &Performative::Open(Box::new(open)));
    }
}

/// `authzid NUL authcid NUL password` (RFC 4616); the authorization id means nothing here.
fn plain(response: &Bytes) -> Option<(Text, Text)> {
    let mut parts = response.split(|byte| *byte == 0);
    let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || user.is_empty() {
        return None;
    }
    let user = Text::from_utf8(response.slice_ref(user)).ok()?;
    let password = Text::from_utf8(response.slice_ref(password)).ok()?;
    Some((user, password))
}
