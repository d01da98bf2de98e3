//! Messages: sections in a fixed order (OASIS AMQP 1.0 3.2). [`Message::split`] only finds where sections begin; what is
//! in them is decoded when somebody asks, and a body never is.

mod body;
mod build;
mod properties;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use body::Body;
pub use build::{MessageBuilder, data_section_head};
pub use properties::{MessageId, Properties};

use super::codec::{DecodeError, Decoder, Map, Value};
use super::limits::DATA_SECTIONS_MAX;

const HEADER: u64 = 0x70;
const DELIVERY_ANNOTATIONS: u64 = 0x71;
const MESSAGE_ANNOTATIONS: u64 = 0x72;
const PROPERTIES: u64 = 0x73;
const APPLICATION_PROPERTIES: u64 = 0x74;
const DATA: u64 = 0x75;
const SEQUENCE: u64 = 0x76;
const VALUE: u64 = 0x77;
const FOOTER: u64 = 0x78;

/// Message format of a batch: each data section is a message of its own (device-protocols.md 3.8).
pub const BATCH_FORMAT: u32 = 0x8001_3700;

/// A message cut into its sections. Each slice holds the section's value, without its descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    header: Option<Bytes>,
    delivery_annotations: Option<Bytes>,
    message_annotations: Option<Bytes>,
    properties: Option<Bytes>,
    application_properties: Option<Bytes>,
    body: Body,
    footer: Option<Bytes>,
}

impl Message {
    /// Finds the sections. Order is not insisted on; a section that comes twice is refused, apart from data.
    pub fn split(bytes: &Bytes) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        let mut decoder = Decoder::new(bytes);
        while !decoder.is_empty() {
            let code = decoder.descriptor(code_of_name)?;
            let slot = match code {
                HEADER => &mut message.header,
                DELIVERY_ANNOTATIONS => &mut message.delivery_annotations,
                MESSAGE_ANNOTATIONS => &mut message.message_annotations,
                PROPERTIES => &mut message.properties,
                APPLICATION_PROPERTIES => &mut message.application_properties,
                FOOTER => &mut message.footer,
                DATA | SEQUENCE | VALUE => {
                    message.add_body(code, &mut decoder)?;
                    continue;
                }
                _ => return Err(DecodeError::UnknownDescriptor),
            };
            if slot.replace(decoder.raw()?).is_some() {
                return Err(DecodeError::Expected("each section once"));
            }
        }
        Ok(message)
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Bytes of all the sections that count against a message's limit of properties: annotations, properties and
    /// application properties as encoded.
    pub fn metadata_bytes(&self) -> usize {
        [&self.message_annotations, &self.properties, &self.application_properties]
            .into_iter()
            .flatten()
            .map(Bytes::len)
            .sum()
    }

    /// Properties; all missing if there is no such section.
    pub fn properties(&self) -> Result<Properties, DecodeError> {
        match &self.properties {
            Some(bytes) => Properties::decode(&mut Decoder::new(bytes)),
            None => Ok(Properties::default()),
        }
    }

    /// Application properties; empty if there is no such section.
    pub fn application_properties(&self) -> Result<Map, DecodeError> {
        map(self.application_properties.as_ref())
    }

    /// Message annotations; empty if there is no such section.
    pub fn message_annotations(&self) -> Result<Map, DecodeError> {
        map(self.message_annotations.as_ref())
    }

    /// Delivery annotations; empty if there is no such section.
    pub fn delivery_annotations(&self) -> Result<Map, DecodeError> {
        map(self.delivery_annotations.as_ref())
    }

    fn add_body(&mut self, code: u64, decoder: &mut Decoder<'_>) -> Result<(), DecodeError> {
        match (&mut self.body, code) {
            (Body::Empty, DATA) => self.body = Body::Data(vec![data(decoder)?]),
            (Body::Data(sections), DATA) if sections.len() < DATA_SECTIONS_MAX => {
                sections.push(data(decoder)?);
            }
            (Body::Empty, SEQUENCE) => self.body = Body::Sequence(vec![decoder.raw()?]),
            (Body::Sequence(sections), SEQUENCE) if sections.len() < DATA_SECTIONS_MAX => {
                sections.push(decoder.raw()?);
            }
            (Body::Empty, VALUE) => self.body = Body::Value(decoder.raw()?),
            _ => return Err(DecodeError::Expected("a body of one kind")),
        }
        Ok(())
    }
}

/// The bytes of a data section.
fn data(decoder: &mut Decoder<'_>) -> Result<Bytes, DecodeError> {
    match decoder.value()? {
        Value::Binary(bytes) => Ok(bytes),
        _ => Err(DecodeError::Expected("binary in a data section")),
    }
}

fn map(section: Option<&Bytes>) -> Result<Map, DecodeError> {
    let Some(bytes) = section else {
        return Ok(Map::default());
    };
    match Decoder::new(bytes).value()? {
        Value::Map(map) => Ok(map),
        Value::Null => Ok(Map::default()),
        _ => Err(DecodeError::Expected("a map")),
    }
}

fn code_of_name(name: &str) -> Option<u64> {
    Some(match name {
        "amqp:header:list" => HEADER,
        "amqp:delivery-annotations:map" => DELIVERY_ANNOTATIONS,
        "amqp:message-annotations:map" => MESSAGE_ANNOTATIONS,
        "amqp:properties:list" => PROPERTIES,
        "amqp:application-properties:map" => APPLICATION_PROPERTIES,
        "amqp:data:binary" => DATA,
        "amqp:amqp-sequence:list" => SEQUENCE,
        "amqp:amqp-value:*" => VALUE,
        "amqp:footer:map" => FOOTER,
        _ => return None,
    })
}
