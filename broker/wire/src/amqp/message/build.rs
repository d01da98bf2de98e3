//! Writes messages. The methods are called in the order of the sections, each at most once, data apart.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    APPLICATION_PROPERTIES, DATA, DELIVERY_ANNOTATIONS, HEADER, MESSAGE_ANNOTATIONS, Properties,
    VALUE,
};
use crate::amqp::codec::{Compound, Value, performative, put_described_code, put_value, with_map};

/// A message under construction.
#[derive(Debug, Default)]
pub struct MessageBuilder {
    out: BytesMut,
}

impl MessageBuilder {
    /// Room for about `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: BytesMut::with_capacity(capacity) }
    }

    /// Header: durable, and how often delivery was tried before.
    pub fn header(mut self, durable: bool, delivery_count: u32) -> Self {
        performative(&mut self.out, HEADER as u8, |list| {
            list.boolean(durable).null().null().null().uint(delivery_count);
        });
        self
    }

    /// Delivery annotations: `write` writes keys (symbols) and values in turn.
    pub fn delivery_annotations(self, write: impl FnOnce(&mut Compound<'_>)) -> Self {
        self.map(DELIVERY_ANNOTATIONS, write)
    }

    /// Message annotations: `write` writes keys (symbols) and values in turn.
    pub fn message_annotations(self, write: impl FnOnce(&mut Compound<'_>)) -> Self {
        self.map(MESSAGE_ANNOTATIONS, write)
    }

    /// Properties.
    pub fn properties(mut self, properties: &Properties) -> Self {
        properties.encode(&mut self.out);
        self
    }

    /// Application properties: `write` writes keys (strings) and values in turn.
    pub fn application_properties(self, write: impl FnOnce(&mut Compound<'_>)) -> Self {
        self.map(APPLICATION_PROPERTIES, write)
    }

    /// A data section.
    pub fn data(mut self, body: &[u8]) -> Self {
        data_section_head(&mut self.out, body.len());
        self.out.put_slice(body);
        self
    }

    /// A value as the body.
    pub fn value(mut self, value: &Value) -> Self {
        put_described_code(&mut self.out, VALUE as u8);
        put_value(&mut self.out, value);
        self
    }

    /// The message.
    pub fn finish(self) -> Bytes {
        self.out.freeze()
    }

    fn map(mut self, code: u64, write: impl FnOnce(&mut Compound<'_>)) -> Self {
        put_described_code(&mut self.out, code as u8);
        with_map(&mut self.out, write);
        self
    }
}

/// What stands before the `length` bytes of a data section.
pub fn data_section_head(out: &mut BytesMut, length: usize) {
    put_described_code(out, DATA as u8);
    if length > 255 {
        out.put_u8(0xb0);
        out.put_u32(length as u32);
    } else {
        out.put_slice(&[0xa0, length as u8]);
    }
}
