//! The fields of a list, one by one. Fields at the end may be missing, which means null (OASIS AMQP 1.0 1.4).

use bytes::Bytes;

use super::{DecodeError, Decoder, Map, Symbol, Text, Value};

/// A list that is being read. Each method reads the next field; `None` is null or missing.
#[derive(Debug)]
pub struct Fields<'d, 'a> {
    decoder: &'d mut Decoder<'a>,
    left: u32,
}

impl<'d, 'a> Fields<'d, 'a> {
    pub(super) fn new(decoder: &'d mut Decoder<'a>, count: u32) -> Self {
        Self { decoder, left: count }
    }

    /// Lets `read` decode the field if there is one.
    pub fn field<R>(
        &mut self,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<R, DecodeError>,
    ) -> Result<Option<R>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.decoder.peek()? == 0x40 {
            self.decoder.byte()?;
            return Ok(None);
        }
        read(self.decoder).map(Some)
    }

    /// Any value.
    pub fn value(&mut self) -> Result<Option<Value>, DecodeError> {
        self.field(Decoder::value)
    }

    /// A boolean.
    pub fn boolean(&mut self) -> Result<Option<bool>, DecodeError> {
        self.field(|decoder| match decoder.value()? {
            Value::Bool(flag) => Ok(flag),
            _ => Err(DecodeError::Expected("a boolean")),
        })
    }

    /// An unsigned integer of any width that fits `T`.
    pub fn unsigned<T: TryFrom<u64>>(&mut self) -> Result<Option<T>, DecodeError> {
        self.field(|decoder| {
            let wide = match decoder.value()? {
                Value::Ubyte(n) => n.into(),
                Value::Ushort(n) => n.into(),
                Value::Uint(n) => n.into(),
                Value::Ulong(n) => n,
                _ => return Err(DecodeError::Expected("an unsigned integer")),
            };
            T::try_from(wide).map_err(|_| DecodeError::Expected("a smaller unsigned integer"))
        })
    }

    /// A timestamp, in milliseconds.
    pub fn timestamp(&mut self) -> Result<Option<i64>, DecodeError> {
        self.field(|decoder| match decoder.value()? {
            Value::Timestamp(ms) => Ok(ms),
            _ => Err(DecodeError::Expected("a timestamp")),
        })
    }

    /// A string; a symbol passes too.
    pub fn text(&mut self) -> Result<Option<Text>, DecodeError> {
        self.field(|decoder| match decoder.value()? {
            Value::String(text) => Ok(text),
            Value::Symbol(symbol) => Ok(Text::from(symbol.as_str())),
            _ => Err(DecodeError::Expected("a string")),
        })
    }

    /// A symbol; a string of ASCII passes too.
    pub fn symbol(&mut self) -> Result<Option<Symbol>, DecodeError> {
        self.field(|decoder| symbol(decoder.value()?))
    }

    /// One symbol or an array of them, a field of "multiple" kind.
    pub fn symbols(&mut self) -> Result<Vec<Symbol>, DecodeError> {
        let several = self.field(|decoder| match decoder.value()? {
            Value::Array(array) => array.into_values().into_iter().map(symbol).collect(),
            // Not an encoding of "multiple", but written by some.
            Value::List(values) => values.into_iter().map(symbol).collect(),
            one => symbol(one).map(|one| vec![one]),
        })?;
        Ok(several.unwrap_or_default())
    }

    /// Binary.
    pub fn binary(&mut self) -> Result<Option<Bytes>, DecodeError> {
        self.field(|decoder| match decoder.value()? {
            Value::Binary(bytes) => Ok(bytes),
            _ => Err(DecodeError::Expected("binary")),
        })
    }

    /// A map.
    pub fn map(&mut self) -> Result<Option<Map>, DecodeError> {
        self.field(|decoder| match decoder.value()? {
            Value::Map(map) => Ok(map),
            _ => Err(DecodeError::Expected("a map")),
        })
    }
}

fn symbol(value: Value) -> Result<Symbol, DecodeError> {
    match value {
        Value::Symbol(symbol) => Ok(symbol),
        Value::String(text) => Symbol::from_ascii(Bytes::copy_from_slice(text.as_str().as_bytes())),
        _ => Err(DecodeError::Expected("a symbol")),
    }
}
