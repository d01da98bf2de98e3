//! The properties section (OASIS AMQP 1.0 3.2.4).

use bytes::{Bytes, BytesMut};

use super::PROPERTIES;
use crate::amqp::codec::{DecodeError, Decoder, Fields, Symbol, Text, Value, performative};

/// A message id or correlation id. Its type must come back as it went out (service-protocols.md 3.1 E13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageId {
    /// ulong
    Ulong(u64),
    /// uuid
    Uuid([u8; 16]),
    /// binary
    Binary(Bytes),
    /// string
    String(Text),
}

impl MessageId {
    fn from_value(value: Value) -> Result<Self, DecodeError> {
        Ok(match value {
            Value::Uuid(bytes) => Self::Uuid(bytes),
            Value::Binary(bytes) => Self::Binary(bytes),
            Value::String(text) => Self::String(text),
            Value::Symbol(symbol) => Self::String(Text::from(symbol.as_str())),
            Value::Ulong(n) => Self::Ulong(n),
            other => match other.as_integer().map(u64::try_from) {
                Some(Ok(n)) => Self::Ulong(n),
                _ => return Err(DecodeError::Expected("a message id")),
            },
        })
    }

    /// The same id as a value.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Ulong(n) => Value::Ulong(*n),
            Self::Uuid(bytes) => Value::Uuid(*bytes),
            Self::Binary(bytes) => Value::Binary(bytes.clone()),
            Self::String(text) => Value::String(text.clone()),
        }
    }
}

/// The standard properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Name of the message.
    pub message_id: Option<MessageId>,
    /// Who made it.
    pub user_id: Option<Bytes>,
    /// Where it goes.
    pub to: Option<Text>,
    /// What it is about.
    pub subject: Option<Text>,
    /// Where answers go.
    pub reply_to: Option<Text>,
    /// The message it answers.
    pub correlation_id: Option<MessageId>,
    /// MIME type of the body.
    pub content_type: Option<Symbol>,
    /// Encoding of the body.
    pub content_encoding: Option<Symbol>,
    /// When it is void, in milliseconds since 1970.
    pub absolute_expiry_time: Option<i64>,
    /// When it was made, in milliseconds since 1970.
    pub creation_time: Option<i64>,
    /// Group.
    pub group_id: Option<Text>,
    /// Position in its group.
    pub group_sequence: Option<u32>,
    /// Group of answers.
    pub reply_to_group_id: Option<Text>,
}

impl Properties {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| {
            Ok(Self {
                message_id: message_id(fields)?,
                user_id: fields.field(|decoder| match decoder.value()? {
                    Value::Binary(bytes) => Ok(bytes),
                    Value::String(text) => Ok(Bytes::copy_from_slice(text.as_str().as_bytes())),
                    _ => Err(DecodeError::Expected("binary")),
                })?,
                to: fields.text()?,
                subject: fields.text()?,
                reply_to: fields.text()?,
                correlation_id: message_id(fields)?,
                content_type: fields.symbol()?,
                content_encoding: fields.symbol()?,
                absolute_expiry_time: fields.timestamp()?,
                creation_time: fields.timestamp()?,
                group_id: fields.text()?,
                group_sequence: fields.unsigned()?,
                reply_to_group_id: fields.text()?,
            })
        })
    }

    /// All thirteen fields, descriptor included.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        let text = |text: &Option<Text>| text.clone().map(Value::String);
        performative(out, PROPERTIES as u8, |list| {
            list.value_or_null(self.message_id.as_ref().map(MessageId::to_value).as_ref())
                .value_or_null(self.user_id.clone().map(Value::Binary).as_ref())
                .value_or_null(text(&self.to).as_ref())
                .value_or_null(text(&self.subject).as_ref())
                .value_or_null(text(&self.reply_to).as_ref())
                .value_or_null(self.correlation_id.as_ref().map(MessageId::to_value).as_ref())
                .symbol_or_null(self.content_type.as_ref())
                .symbol_or_null(self.content_encoding.as_ref())
                .value_or_null(self.absolute_expiry_time.map(Value::Timestamp).as_ref())
                .value_or_null(self.creation_time.map(Value::Timestamp).as_ref())
                .value_or_null(text(&self.group_id).as_ref())
                .uint_or_null(self.group_sequence)
                .value_or_null(text(&self.reply_to_group_id).as_ref());
        });
    }
}

fn message_id(fields: &mut Fields<'_, '_>) -> Result<Option<MessageId>, DecodeError> {
    fields.value()?.map(MessageId::from_value).transpose()
}
