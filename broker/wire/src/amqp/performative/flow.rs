//! `flow` (OASIS AMQP 1.0 2.7.4).

use bytes::BytesMut;

use crate::amqp::codec::{DecodeError, Decoder, Map, performative};

pub(super) const CODE: u8 = 0x13;

/// Grants windows to a session and, with a handle, credit to a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// Number of the transfer this end expects next; missing before it saw the peer's `begin`.
    pub next_incoming_id: Option<u32>,
    /// Transfers this end takes from there.
    pub incoming_window: u32,
    /// Number of the next transfer of this end.
    pub next_outgoing_id: u32,
    /// Transfers this end may send.
    pub outgoing_window: u32,
    /// The link, if it is about one.
    pub handle: Option<u32>,
    /// Deliveries so far, as the sender counts them.
    pub delivery_count: Option<u32>,
    /// Deliveries the receiver takes from there.
    pub link_credit: Option<u32>,
    /// Deliveries the sender has ready.
    pub available: Option<u32>,
    /// The sender shall use up its credit, by advancing the count if it has nothing to send.
    pub drain: bool,
    /// The other end shall answer with a flow.
    pub echo: bool,
    /// Anything else.
    pub properties: Option<Map>,
}

impl Flow {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| {
            Ok(Self {
                next_incoming_id: fields.unsigned()?,
                incoming_window: fields
                    .unsigned()?
                    .ok_or(DecodeError::Missing("incoming-window"))?,
                next_outgoing_id: fields
                    .unsigned()?
                    .ok_or(DecodeError::Missing("next-outgoing-id"))?,
                outgoing_window: fields
                    .unsigned()?
                    .ok_or(DecodeError::Missing("outgoing-window"))?,
                handle: fields.unsigned()?,
                delivery_count: fields.unsigned()?,
                link_credit: fields.unsigned()?,
                available: fields.unsigned()?,
                drain: fields.boolean()?.unwrap_or(false),
                echo: fields.boolean()?.unwrap_or(false),
                properties: fields.map()?,
            })
        })
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            list.uint_or_null(self.next_incoming_id)
                .uint(self.incoming_window)
                .uint(self.next_outgoing_id)
                .uint(self.outgoing_window)
                .uint_or_null(self.handle)
                .uint_or_null(self.delivery_count)
                .uint_or_null(self.link_credit)
                .uint_or_null(self.available);
            flag_or_null(list, self.drain);
            flag_or_null(list, self.echo);
            list.map_or_null(self.properties.as_ref());
        });
    }
}

/// False is the default and travels as null.
fn flag_or_null(list: &mut crate::amqp::codec::Compound<'_>, flag: bool) {
    if flag {
        list.boolean(true);
    } else {
        list.null();
    }
}
