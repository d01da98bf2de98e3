//! `close` (OASIS AMQP 1.0 2.7.9).

use bytes::BytesMut;

use super::Error;
use crate::amqp::codec::{DecodeError, Decoder, performative};

pub(super) const CODE: u8 = 0x18;

/// Closes a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Close {
    /// Why, if not in peace.
    pub error: Option<Box<Error>>,
}

impl Close {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| Ok(Self { error: fields.field(Error::decode)?.map(Box::new) }))
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            match &self.error {
                Some(error) => list.with(|out| error.encode(out)),
                None => list.null(),
            };
        });
    }
}
