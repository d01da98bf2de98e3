//! Deliveries on their way: incoming ones whose last transfer has not come, outgoing ones that wait for the window, and
//! outgoing ones that the client has not settled.

use bytes::{Bytes, BytesMut};

use super::performative::Transfer;

/// An incoming message of several transfers, as far as it came.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) delivery: u32,
    pub(super) tag: Bytes,
    pub(super) format: u32,
    pub(super) settled: bool,
    pub(super) data: BytesMut,
}

impl Partial {
    /// The first transfer of a delivery; the tag is copied so that it does not hold the read buffer.
    pub(super) fn begin(delivery: u32, transfer: &Transfer) -> Self {
        let tag = transfer.delivery_tag.as_deref().unwrap_or_default();
        Self {
            delivery,
            tag: Bytes::copy_from_slice(tag),
            format: transfer.message_format.unwrap_or(0),
            settled: false,
            data: BytesMut::new(),
        }
    }
}

/// An outgoing message of which not everything is written.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) handle: u16,
    pub(super) delivery: u32,
    pub(super) tag: Bytes,
    pub(super) settled: bool,
    pub(super) format: u32,
    pub(super) rest: Bytes,
    /// Nothing of it is written yet.
    pub(super) whole: bool,
}

impl Pending {
    /// The performative of the next transfer. Continuations repeat neither tag nor format.
    pub(super) fn transfer(&self, more: bool) -> Transfer {
        Transfer {
            handle: self.handle.into(),
            delivery_id: Some(self.delivery),
            delivery_tag: self.whole.then(|| self.tag.clone()),
            message_format: self.whole.then_some(self.format),
            settled: Some(self.settled),
            more,
            ..Transfer::default()
        }
    }
}

/// An outgoing delivery that the client has not settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsettled {
    pub(super) delivery: u32,
    pub(super) handle: u16,
    pub(super) serial: u32,
}

/// Whether `id` lies in `first..=last`, in the wrapping arithmetic of sequence numbers (OASIS AMQP 1.0 2.8.8).
pub(super) fn in_range(id: u32, first: u32, last: u32) -> bool {
    id.wrapping_sub(first) <= last.wrapping_sub(first)
}
