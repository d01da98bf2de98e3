//! `detach` (OASIS AMQP 1.0 2.7.7).

use bytes::BytesMut;

use super::Error;
use crate::amqp::codec::{DecodeError, Decoder, performative};

pub(super) const CODE: u8 = 0x16;

/// Detaches a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detach {
    /// The link.
    pub handle: u32,
    /// For good.
    pub closed: bool,
    /// Why.
    pub error: Option<Box<Error>>,
}

impl Detach {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| {
            Ok(Self {
                handle: fields.unsigned()?.ok_or(DecodeError::Missing("handle"))?,
                closed: fields.boolean()?.unwrap_or(false),
                error: fields.field(Error::decode)?.map(Box::new),
            })
        })
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            list.uint(self.handle).boolean(self.closed);
            match &self.error {
                Some(error) => list.with(|out| error.encode(out)),
                None => list.null(),
            };
        });
    }
}
