//! `end` (OASIS AMQP 1.0 2.7.8).

use bytes::BytesMut;

use super::Error;
use crate::amqp::codec::{DecodeError, Decoder, performative};

pub(super) const CODE: u8 = 0x17;

/// Ends a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct End {
    /// Why, if not in peace.
    pub error: Option<Box<Error>>,
}

impl End {
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
