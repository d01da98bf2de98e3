//! The three kinds of body.

use bytes::{Bytes, BytesMut};

use crate::amqp::codec::{DecodeError, Decoder, Value};

/// A body: some data sections, some sequences, or one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// None at all.
    #[default]
    Empty,
    /// The bytes of each data section.
    Data(Vec<Bytes>),
    /// Each list, encoded.
    Sequence(Vec<Bytes>),
    /// The value, encoded.
    Value(Bytes),
}

impl Body {
    /// The bytes of all data sections; of a value, if it is binary or text (device-protocols.md 3.8).
    pub fn bytes(&self) -> Result<Bytes, DecodeError> {
        match self {
            Self::Empty => Ok(Bytes::new()),
            Self::Data(sections) => match sections.as_slice() {
                [one] => Ok(one.clone()),
                several => {
                    let mut all = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
                    several.iter().for_each(|section| all.extend_from_slice(section));
                    Ok(all.freeze())
                }
            },
            Self::Sequence(_) => Err(DecodeError::Expected("data, text or binary as the body")),
            Self::Value(encoded) => match Decoder::new(encoded).value()? {
                Value::Null => Ok(Bytes::new()),
                Value::Binary(bytes) => Ok(bytes),
                Value::String(text) => Ok(Bytes::copy_from_slice(text.as_str().as_bytes())),
                _ => Err(DecodeError::Expected("data, text or binary as the body")),
            },
        }
    }

    /// The value of a value body; null if the body is of another kind.
    pub fn value(&self) -> Result<Value, DecodeError> {
        match self {
            Self::Value(encoded) => Decoder::new(encoded).value(),
            Self::Empty | Self::Data(_) | Self::Sequence(_) => Ok(Value::Null),
        }
    }
}
