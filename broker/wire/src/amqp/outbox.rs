//! What the engine has ready: bytes for the peer and events for the owner, and the numbers all sessions share.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;

use super::event::Event;
use super::frame::{FrameKind, put_frame};
use super::limits::FRAME_BYTES_MIN;
use super::partials::{PartialPool, Partials};
use super::performative::Performative;

/// Shared by all sessions of a connection.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Bytes to write.
    pub(super) bytes: BytesMut,
    /// Events not taken yet.
    pub(super) events: VecDeque<Event>,
    /// Largest frame the peer takes.
    pub(super) frame_max: u32,
    /// What incoming messages that are not complete hold, over all links.
    pub(super) partials: Partials,
    /// Links on all sessions.
    pub(super) links: usize,
    next_serial: u32,
}

impl Outbox {
    pub(super) fn new(pool: Arc<PartialPool>) -> Self {
        Self {
            bytes: BytesMut::new(),
            events: VecDeque::new(),
            frame_max: FRAME_BYTES_MIN,
            partials: Partials::new(pool),
            links: 0,
            next_serial: 0,
        }
    }

    /// Appends a frame.
    pub(super) fn frame(&mut self, channel: u16, performative: &Performative) {
        put_frame(&mut self.bytes, FrameKind::Amqp, channel, |out| performative.encode(out));
    }

    pub(super) fn serial(&mut self) -> u32 {
        self.next_serial = self.next_serial.wrapping_add(1);
        self.next_serial
    }
}
