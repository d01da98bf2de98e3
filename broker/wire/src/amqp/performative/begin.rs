//! `begin` (OASIS AMQP 1.0 2.7.2).

use bytes::BytesMut;

use crate::amqp::codec::{DecodeError, Decoder, Map, Symbol, performative};

pub(super) const CODE: u8 = 0x11;

/// Begins a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Begin {
    /// In an answer, the channel the other end began on.
    pub remote_channel: Option<u16>,
    /// Number of the first transfer this end will send.
    pub next_outgoing_id: u32,
    /// Transfers this end takes before it must send a flow.
    pub incoming_window: u32,
    /// Transfers this end may send before it gets a flow.
    pub outgoing_window: u32,
    /// Highest link handle this end takes.
    pub handle_max: Option<u32>,
    /// Extensions this end has.
    pub offered_capabilities: Vec<Symbol>,
    /// Extensions this end wants.
    pub desired_capabilities: Vec<Symbol>,
    /// Anything else.
    pub properties: Option<Map>,
}

impl Begin {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| {
            Ok(Self {
                remote_channel: fields.unsigned()?,
                next_outgoing_id: fields
                    .unsigned()?
                    .ok_or(DecodeError::Missing("next-outgoing-id"))?,
                incoming_window: fields
                    .unsigned()?
                    .ok_or(DecodeError::Missing("incoming-window"))?,
                outgoing_window: fields
                    .unsigned()?
                    .ok_or(DecodeError::Missing("outgoing-window"))?,
                handle_max: fields.unsigned()?,
                offered_capabilities: fields.symbols()?,
                desired_capabilities: fields.symbols()?,
                properties: fields.map()?,
            })
        })
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            match self.remote_channel {
                Some(channel) => list.ushort(channel),
                None => list.null(),
            };
            list.uint(self.next_outgoing_id)
                .uint(self.incoming_window)
                .uint(self.outgoing_window)
                .uint_or_null(self.handle_max)
                .symbols(&self.offered_capabilities)
                .symbols(&self.desired_capabilities)
                .map_or_null(self.properties.as_ref());
        });
    }
}
