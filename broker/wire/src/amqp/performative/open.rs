//! `open` (OASIS AMQP 1.0 2.7.1).

use bytes::BytesMut;

use crate::amqp::codec::{DecodeError, Decoder, Map, Symbol, Text, performative};

pub(super) const CODE: u8 = 0x10;

/// Opens a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Open {
    /// Who is at this end.
    pub container_id: Text,
    /// The host the peer means; chooses the hub.
    pub hostname: Option<Text>,
    /// Largest frame this end takes, in bytes; missing means no limit.
    pub max_frame_size: Option<u32>,
    /// Highest channel number this end takes.
    pub channel_max: Option<u16>,
    /// Milliseconds without a frame after which this end gives up.
    pub idle_time_out: Option<u32>,
    /// Locales for text that this end sends.
    pub outgoing_locales: Vec<Symbol>,
    /// Locales for text that this end wants.
    pub incoming_locales: Vec<Symbol>,
    /// Extensions this end has.
    pub offered_capabilities: Vec<Symbol>,
    /// Extensions this end wants.
    pub desired_capabilities: Vec<Symbol>,
    /// Product, version, platform and the like.
    pub properties: Option<Map>,
}

impl Open {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| {
            Ok(Self {
                container_id: fields.text()?.ok_or(DecodeError::Missing("container-id"))?,
                hostname: fields.text()?,
                max_frame_size: fields.unsigned()?,
                channel_max: fields.unsigned()?,
                idle_time_out: fields.unsigned()?,
                outgoing_locales: fields.symbols()?,
                incoming_locales: fields.symbols()?,
                offered_capabilities: fields.symbols()?,
                desired_capabilities: fields.symbols()?,
                properties: fields.map()?,
            })
        })
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            list.text(self.container_id.as_str())
                .text_or_null(self.hostname.as_ref().map(Text::as_str))
                .uint_or_null(self.max_frame_size);
            match self.channel_max {
                Some(highest) => list.ushort(highest),
                None => list.null(),
            };
            list.uint_or_null(self.idle_time_out)
                .symbols(&self.outgoing_locales)
                .symbols(&self.incoming_locales)
                .symbols(&self.offered_capabilities)
                .symbols(&self.desired_capabilities)
                .map_or_null(self.properties.as_ref());
        });
    }
}
