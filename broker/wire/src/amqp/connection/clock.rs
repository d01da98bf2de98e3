//! Time: heartbeats for the peer, and patience with it (OASIS AMQP 1.0 2.4.5).

use super::{Connection, State};
use crate::amqp::condition;
use crate::amqp::frame::{FrameKind, put_frame};
use crate::amqp::performative::Error;

impl Connection {
    /// Lets time pass: sends a heartbeat that is due, and gives up on a peer that is silent for too long.
    pub fn tick(&mut self, now: u64) {
        self.now = now;
        match self.state {
            State::Closed => {}
            State::CloseSent { until } => {
                if now >= until {
                    self.state = State::Closed;
                }
            }
            State::Header | State::Sasl | State::SaslWait | State::AmqpHeader | State::Open => {
                if now >= self.patience_ends() {
                    self.fail(Error::new(
                        condition::CONNECTION_FORCED,
                        "the opening took too long",
                    ));
                }
            }
            State::Running => self.tick_running(now),
        }
    }

    /// When [`Connection::tick`] must be called at the latest.
    pub fn next_deadline(&self) -> u64 {
        match self.state {
            State::Closed => u64::MAX,
            State::CloseSent { until } => until,
            State::Running => self.patience_ends().min(self.heartbeat_at()),
            State::Header | State::Sasl | State::SaslWait | State::AmqpHeader | State::Open => {
                self.patience_ends()
            }
        }
    }

    fn tick_running(&mut self, now: u64) {
        if now >= self.patience_ends() {
            let text = "nothing was heard from the peer for twice the idle time-out";
            return self.fail(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text));
        }
        if now >= self.heartbeat_at() {
            if self.outbox.bytes.is_empty() {
                put_frame(&mut self.outbox.bytes, FrameKind::Amqp, 0, |_| {});
            }
            // What waits to be written will do as a sign of life; if the peer does not take it, silence is its own.
            self.last_out = now;
        }
    }

    /// At half the peer's time-out (device-protocols.md 3.1).
    fn heartbeat_at(&self) -> u64 {
        match self.peer_idle_ms {
            0 => u64::MAX,
            ms => self.last_out.saturating_add(u64::from(ms / 2)),
        }
    }

    fn patience_ends(&self) -> u64 {
        match self.state {
            State::Running => {
                self.last_in.saturating_add(2 * u64::from(self.config.idle_timeout_ms))
            }
            _ => self.begun.saturating_add(self.config.handshake_ms),
        }
    }
}
