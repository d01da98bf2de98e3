//! What the engine has ready: bytes for the peer and events for the owner, and the numbers all sessions share.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::event::Event;
use super::frame::{FrameKind, put_frame};
use super::limits::{FRAME_BYTES_MIN, PARTIAL_BYTES_MAX};
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
    /// Bytes of incoming messages that are not complete, over all links.
    pub(super) partial_bytes: usize,
    /// Links on all sessions.
    pub(super) links: usize,
    next_serial: u32,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            events: VecDeque::new(),
            frame_max: FRAME_BYTES_MIN,
            partial_bytes: 0,
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

    /// Books `bytes` more of incomplete messages; false if that is too much.
    pub(super) fn book_partial(&mut self, bytes: usize) -> bool {
        self.partial_bytes += bytes;
        self.partial_bytes <= PARTIAL_BYTES_MAX
    }
}
