//! `transfer` (OASIS AMQP 1.0 2.7.5).

use bytes::{Bytes, BytesMut};

use super::DeliveryState;
use crate::amqp::codec::{DecodeError, Decoder, performative};
use crate::amqp::limits::TAG_BYTES_MAX;

pub(super) const CODE: u8 = 0x14;

/// Carries a message, or a part of one; the payload stands behind it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transfer {
    /// The link.
    pub handle: u32,
    /// Number of the delivery on its session; on continuations it may be missing.
    pub delivery_id: Option<u32>,
    /// Name of the delivery on its link.
    pub delivery_tag: Option<Bytes>,
    /// Format and version of the message: 0 for the standard one.
    pub message_format: Option<u32>,
    /// The sender has settled.
    pub settled: Option<bool>,
    /// More transfers of this delivery follow.
    pub more: bool,
    /// Wish for this delivery's receiver settle mode: 0 first, 1 second.
    pub rcv_settle_mode: Option<u8>,
    /// State at the sender.
    pub state: Option<DeliveryState>,
    /// A resumed delivery.
    pub resume: bool,
    /// The sender gave this delivery up.
    pub aborted: bool,
    /// The sender will wait a moment for further outcomes.
    pub batchable: bool,
}

impl Transfer {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| {
            let transfer = Self {
                handle: fields.unsigned()?.ok_or(DecodeError::Missing("handle"))?,
                delivery_id: fields.unsigned()?,
                delivery_tag: fields.binary()?,
                message_format: fields.unsigned()?,
                settled: fields.boolean()?,
                more: fields.boolean()?.unwrap_or(false),
                rcv_settle_mode: fields.unsigned()?,
                state: fields.field(DeliveryState::decode)?,
                resume: fields.boolean()?.unwrap_or(false),
                aborted: fields.boolean()?.unwrap_or(false),
                batchable: fields.boolean()?.unwrap_or(false),
            };
            match &transfer.delivery_tag {
                Some(tag) if tag.len() > TAG_BYTES_MAX => Err(DecodeError::TooLong("delivery-tag")),
                _ => Ok(transfer),
            }
        })
    }

    /// All eleven fields: one client takes what stands behind the eleventh as the payload.
    pub(in crate::amqp) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            list.uint(self.handle).uint_or_null(self.delivery_id);
            match &self.delivery_tag {
                Some(tag) => list.binary(tag),
                None => list.null(),
            };
            list.uint_or_null(self.message_format);
            match self.settled {
                Some(settled) => list.boolean(settled),
                None => list.null(),
            };
            list.boolean(self.more);
            match self.rcv_settle_mode {
                Some(mode) => list.ubyte(mode),
                None => list.null(),
            };
            match &self.state {
                Some(state) => list.with(|out| state.encode(out)),
                None => list.null(),
            };
            list.boolean(self.resume).boolean(self.aborted).boolean(self.batchable);
        });
    }
}
