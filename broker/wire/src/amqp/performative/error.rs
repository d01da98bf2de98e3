//! `error` (OASIS AMQP 1.0 2.8.14).

use bytes::BytesMut;

use crate::amqp::codec::{DecodeError, Decoder, Map, Symbol, Text, performative};

const CODE: u8 = 0x1d;

/// What went wrong, told to the peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Error {
    /// Name of the condition.
    pub condition: Symbol,
    /// Text for people.
    pub description: Option<Text>,
    /// Data of the condition.
    pub info: Option<Map>,
}

impl Error {
    /// An error with one of the names in [`crate::amqp::condition`].
    pub fn new(condition: &'static str, description: impl Into<Text>) -> Self {
        Self {
            condition: Symbol::from_static(condition),
            description: Some(description.into()),
            info: None,
        }
    }

    /// Adds the data of the condition.
    pub fn with_info(mut self, info: Map) -> Self {
        self.info = Some(info);
        self
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let by_name = |name: &str| (name == "amqp:error:list").then_some(u64::from(CODE));
        if decoder.descriptor(by_name)? != u64::from(CODE) {
            return Err(DecodeError::UnknownDescriptor);
        }
        decoder.list(|fields| {
            Ok(Self {
                condition: fields.symbol()?.unwrap_or_default(),
                description: fields.text()?,
                info: fields.map()?,
            })
        })
    }

    /// All three fields: one client indexes them (service-protocols.md 3.1 E10).
    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            list.symbol(self.condition.as_str())
                .text_or_null(self.description.as_ref().map(Text::as_str))
                .map_or_null(self.info.as_ref());
        });
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self {
            condition: Symbol::from_static(crate::amqp::condition::DECODE_ERROR),
            description: Some(Text::from(error.to_string())),
            info: Some(Map(Vec::new())),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.condition)?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
}
