//! States of a delivery (OASIS AMQP 1.0 3.4).

use bytes::BytesMut;

use super::Error;
use crate::amqp::codec::{
    Compound, DecodeError, Decoder, Described, Map, Value, put_described_code, put_value, with_list,
};

const RECEIVED: u8 = 0x23;
const ACCEPTED: u8 = 0x24;
const REJECTED: u8 = 0x25;
const RELEASED: u8 = 0x26;
const MODIFIED: u8 = 0x27;

/// What became of a delivery, or how far it came.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryState {
    /// Not an outcome: so much of the message has arrived.
    Received {
        /// Section.
        section_number: u32,
        /// Bytes into that section.
        section_offset: u64,
    },
    /// Taken.
    Accepted,
    /// Refused, with the reason.
    Rejected(Option<Box<Error>>),
    /// Not taken and not looked at: it may be sent again, to anybody.
    Released,
    /// Not taken, with remarks.
    Modified {
        /// An attempt failed: count it.
        delivery_failed: bool,
        /// Do not send it to this link again.
        undeliverable_here: bool,
        /// Annotations to add.
        annotations: Option<Map>,
    },
    /// A state of an extension, for example of transactions.
    Other(Box<Described>),
}

impl DeliveryState {
    /// Rejected, with an error.
    pub fn rejected(error: Error) -> Self {
        Self::Rejected(Some(Box::new(error)))
    }

    /// Whether the delivery ends in this state.
    pub fn is_outcome(&self) -> bool {
        !matches!(self, Self::Received { .. } | Self::Other(_))
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let code = decoder.descriptor(code_of_name)?;
        Ok(match u8::try_from(code) {
            Ok(RECEIVED) => decoder.list(|fields| {
                Ok(Self::Received {
                    section_number: fields.unsigned()?.unwrap_or(0),
                    section_offset: fields.unsigned()?.unwrap_or(0),
                })
            })?,
            Ok(ACCEPTED) => decoder.list(|_| Ok(Self::Accepted))?,
            Ok(REJECTED) => decoder
                .list(|fields| Ok(Self::Rejected(fields.field(Error::decode)?.map(Box::new))))?,
            Ok(RELEASED) => decoder.list(|_| Ok(Self::Released))?,
            Ok(MODIFIED) => decoder.list(|fields| {
                Ok(Self::Modified {
                    delivery_failed: fields.boolean()?.unwrap_or(false),
                    undeliverable_here: fields.boolean()?.unwrap_or(false),
                    annotations: fields.map()?,
                })
            })?,
            _ => {
                let (descriptor, value) = (Value::Ulong(code), decoder.value()?);
                Self::Other(Box::new(Described { descriptor, value }))
            }
        })
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Received { section_number, section_offset } => composite(out, RECEIVED, |list| {
                list.uint(*section_number).ulong(*section_offset);
            }),
            Self::Accepted => empty(out, ACCEPTED),
            Self::Rejected(error) => composite(out, REJECTED, |list| {
                match error {
                    Some(error) => list.with(|out| error.encode(out)),
                    None => list.null(),
                };
            }),
            Self::Released => empty(out, RELEASED),
            Self::Modified { delivery_failed, undeliverable_here, annotations } => {
                composite(out, MODIFIED, |list| {
                    list.boolean(*delivery_failed)
                        .boolean(*undeliverable_here)
                        .map_or_null(annotations.as_ref());
                });
            }
            Self::Other(described) => put_value(out, &Value::Described(described.clone())),
        }
    }
}

fn composite(out: &mut BytesMut, code: u8, write: impl FnOnce(&mut Compound<'_>)) {
    put_described_code(out, code);
    with_list(out, write);
}

/// Inside a frame an empty list may be list0 (service-protocols.md 3.1).
fn empty(out: &mut BytesMut, code: u8) {
    put_described_code(out, code);
    out.extend_from_slice(&[0x45]);
}

fn code_of_name(name: &str) -> Option<u64> {
    let code = match name {
        "amqp:received:list" => RECEIVED,
        "amqp:accepted:list" => ACCEPTED,
        "amqp:rejected:list" => REJECTED,
        "amqp:released:list" => RELEASED,
        "amqp:modified:list" => MODIFIED,
        // Something of an extension; its value is kept as it is.
        _ => 0,
    };
    Some(code.into())
}
