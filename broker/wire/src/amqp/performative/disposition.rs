//! `disposition` (OASIS AMQP 1.0 2.7.6).

use bytes::BytesMut;

use super::{DeliveryState, Role};
use crate::amqp::codec::{DecodeError, Decoder, performative};

pub(super) const CODE: u8 = 0x15;

/// Tells the state of a range of deliveries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disposition {
    /// Which end its writer is: a receiver speaks of deliveries it got.
    pub role: Role,
    /// First delivery.
    pub first: u32,
    /// Last delivery; missing means only the first.
    pub last: Option<u32>,
    /// The writer has settled them.
    pub settled: bool,
    /// State at the writer.
    pub state: Option<DeliveryState>,
    /// The writer waits a moment for further ones.
    pub batchable: bool,
}

impl Disposition {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| {
            Ok(Self {
                role: Role::from_flag(fields.boolean()?.ok_or(DecodeError::Missing("role"))?),
                first: fields.unsigned()?.ok_or(DecodeError::Missing("first"))?,
                last: fields.unsigned()?,
                settled: fields.boolean()?.unwrap_or(false),
                state: fields.field(DeliveryState::decode)?,
                batchable: fields.boolean()?.unwrap_or(false),
            })
        })
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            list.boolean(self.role.flag())
                .uint(self.first)
                .uint_or_null(self.last)
                .boolean(self.settled);
            match &self.state {
                Some(state) => list.with(|out| state.encode(out)),
                None => list.null(),
            };
            if self.batchable {
                list.boolean(true);
            } else {
                list.null();
            }
        });
    }
}
