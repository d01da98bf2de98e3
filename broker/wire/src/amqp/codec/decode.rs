//! Reads values; checks every bound before it allocates.

use bytes::Bytes;

use super::{Array, DecodeError, Described, Fields, Map, Symbol, Text, Value};
use crate::amqp::limits::{DEPTH_MAX, VALUES_MAX};

/// Reads values from the front of some bytes.
#[derive(Debug)]
pub struct Decoder<'a> {
    input: &'a Bytes,
    at: usize,
    end: usize,
    depth: u8,
    values_left: u32,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte.
    pub fn new(input: &'a Bytes) -> Self {
        Self { input, at: 0, end: input.len(), depth: 0, values_left: VALUES_MAX }
    }

    /// Whether everything is read.
    pub fn is_empty(&self) -> bool {
        self.at == self.end
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What was not read yet, as a slice of the input.
    pub fn rest(&self) -> Bytes {
        self.input.slice(self.at..self.end)
    }

    /// Reads one value.
    pub fn value(&mut self) -> Result<Value, DecodeError> {
        let code = self.byte()?;
        self.value_of(code)
    }

    /// Passes over one value without looking into it, and returns its bytes.
    pub fn raw(&mut self) -> Result<Bytes, DecodeError> {
        let start = self.at;
        let mut code = self.byte()?;
        let mut described = 0;
        while code == 0x00 {
            described += 1;
            if described > DEPTH_MAX {
                return Err(DecodeError::TooDeep);
            }
            // A described descriptor exists in theory only.
            let descriptor = self.byte()?;
            if descriptor == 0x00 {
                return Err(DecodeError::UnknownDescriptor);
            }
            self.skip(descriptor)?;
            code = self.byte()?;
        }
        self.skip(code)?;
        Ok(self.input.slice(start..self.at))
    }

    /// Reads the descriptor of a described value as its code; symbols that name a described type of the
    /// specification are mapped by `by_name`.
    pub fn descriptor(&mut self, by_name: fn(&str) -> Option<u64>) -> Result<u64, DecodeError> {
        if self.byte()? != 0x00 {
            return Err(DecodeError::Expected("a described type"));
        }
        match self.value()? {
            Value::Ulong(code) => Ok(code),
            Value::Symbol(name) => by_name(name.as_str()).ok_or(DecodeError::UnknownDescriptor),
            _ => Err(DecodeError::UnknownDescriptor),
        }
    }

    /// Reads a list field by field. Fields that `read` leaves are passed over.
    pub fn list<R>(
        &mut self,
        read: impl FnOnce(&mut Fields<'_, 'a>) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        let code = self.byte()?;
        let (count, inner_end) = match code {
            0x45 => (0, self.at),
            0xc0 | 0xd0 => self.compound_head(code == 0xd0)?,
            _ => return Err(DecodeError::Expected("a list")),
        };
        let outer_end = std::mem::replace(&mut self.end, inner_end);
        self.descend()?;
        let result = read(&mut Fields::new(self, count))?;
        self.depth -= 1;
        self.at = inner_end;
        self.end = outer_end;
        Ok(result)
    }

    /// A descriptor: an ulong or a symbol, as all of the specification's are. Anything else is refused, so that copying
    /// one costs nothing.
    fn descriptor_value(&mut self) -> Result<Value, DecodeError> {
        match self.value()? {
            descriptor @ (Value::Ulong(_) | Value::Symbol(_)) => Ok(descriptor),
            _ => Err(DecodeError::UnknownDescriptor),
        }
    }

    pub(super) fn peek(&self) -> Result<u8, DecodeError> {
        if self.at < self.end { Ok(self.input[self.at]) } else { Err(DecodeError::Incomplete) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn value_of(&mut self, code: u8) -> Result<Value, DecodeError> {
        self.values_left = self.values_left.checked_sub(1).ok_or(DecodeError::TooManyValues)?;
        if code == 0x00 {
            self.descend()?;
            let descriptor = self.descriptor_value()?;
            let value = self.value()?;
            self.depth -= 1;
            return Ok(Value::Described(Box::new(Described { descriptor, value })));
        }
        self.scalar_or_compound(code)
    }

    fn scalar_or_compound(&mut self, code: u8) -> Result<Value, DecodeError> {
        Ok(match code {
            0x40 => Value::Null,
            0x41 => Value::Bool(true),
            0x42 => Value::Bool(false),
            0x56 => match self.byte()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(DecodeError::InvalidBoolean),
            },
            0x50 => Value::Ubyte(self.byte()?),
            0x60 => Value::Ushort(u16::from_be_bytes(self.take()?)),
            0x70 => Value::Uint(u32::from_be_bytes(self.take()?)),
            0x52 => Value::Uint(self.byte()?.into()),
            0x43 => Value::Uint(0),
            0x80 => Value::Ulong(u64::from_be_bytes(self.take()?)),
            0x53 => Value::Ulong(self.byte()?.into()),
            0x44 => Value::Ulong(0),
            0x51 => Value::Byte(i8::from_be_bytes(self.take()?)),
            0x61 => Value::Short(i16::from_be_bytes(self.take()?)),
            0x71 => Value::Int(i32::from_be_bytes(self.take()?)),
            0x54 => Value::Int(i8::from_be_bytes(self.take()?).into()),
            0x81 => Value::Long(i64::from_be_bytes(self.take()?)),
            0x55 => Value::Long(i8::from_be_bytes(self.take()?).into()),
            0x72 => Value::Float(f32::from_be_bytes(self.take()?)),
            0x82 => Value::Double(f64::from_be_bytes(self.take()?)),
            0x74 => Value::Decimal32(self.take()?),
            0x84 => Value::Decimal64(self.take()?),
            0x94 => Value::Decimal128(self.take()?),
            0x73 => {
                let scalar = u32::from_be_bytes(self.take()?);
                Value::Char(char::from_u32(scalar).ok_or(DecodeError::InvalidChar)?)
            }
            0x83 => Value::Timestamp(i64::from_be_bytes(self.take()?)),
            0x98 => Value::Uuid(self.take()?),
            0xa0 | 0xb0 => Value::Binary(self.variable(code)?),
            0xa1 | 0xb1 => Value::String(Text::from_utf8(self.variable(code)?)?),
            0xa3 | 0xb3 => Value::Symbol(Symbol::from_ascii(self.variable(code)?)?),
            0x45 => {
                // No deeper than a list that has elements, whose form it takes when it is written again.
                self.descend()?;
                self.depth -= 1;
                Value::List(Vec::new())
            }
            0xc0 | 0xd0 => self.compound(code == 0xd0, |decoder, count| {
                (0..count).map(|_| decoder.value()).collect::<Result<_, _>>().map(Value::List)
            })?,
            0xc1 | 0xd1 => self.compound(code == 0xd1, Self::map_entries)?,
            0xe0 | 0xf0 => self.compound(code == 0xf0, Self::array_elements)?,
            unknown => return Err(DecodeError::UnknownConstructor(unknown)),
        })
    }

    fn map_entries(&mut self, count: u32) -> Result<Value, DecodeError> {
        if !count.is_multiple_of(2) {
            return Err(DecodeError::OddMap);
        }
        let entries = (0..count / 2).map(|_| Ok((self.value()?, self.value()?)));
        entries.collect::<Result<_, _>>().map(|entries| Value::Map(Map(entries)))
    }

    fn array_elements(&mut self, count: u32) -> Result<Value, DecodeError> {
        let mut code = self.byte()?;
        let mut descriptor = None;
        if code == 0x00 {
            descriptor = Some(self.descriptor_value()?);
            code = self.byte()?;
        }
        if code == 0x00 {
            return Err(DecodeError::UnknownConstructor(code));
        }
        // Elements may have no bytes at all, so the budget of values is what bounds this loop.
        if count > self.values_left {
            return Err(DecodeError::TooManyValues);
        }
        let mut values = Vec::new();
        for _ in 0..count {
            let value = self.value_of(code)?;
            values.push(match &descriptor {
                None => value,
                Some(descriptor) => {
                    let descriptor = descriptor.clone();
                    Value::Described(Box::new(Described { descriptor, value }))
                }
            });
        }
        Ok(Value::Array(Array::uniform(values)))
    }

    fn compound(
        &mut self,
        wide: bool,
        read: impl FnOnce(&mut Self, u32) -> Result<Value, DecodeError>,
    ) -> Result<Value, DecodeError> {
        let (count, inner_end) = self.compound_head(wide)?;
        self.descend()?;
        let outer_end = std::mem::replace(&mut self.end, inner_end);
        let value = read(self, count)?;
        if self.at != inner_end {
            return Err(DecodeError::SizeMismatch);
        }
        self.end = outer_end;
        self.depth -= 1;
        Ok(value)
    }

    /// Size and count; the size counts the bytes of the count.
    fn compound_head(&mut self, wide: bool) -> Result<(u32, usize), DecodeError> {
        let size = if wide { u32::from_be_bytes(self.take()?) } else { self.byte()?.into() };
        let inner_end = self.at.checked_add(size as usize).ok_or(DecodeError::Incomplete)?;
        if inner_end > self.end {
            return Err(DecodeError::Incomplete);
        }
        let count = if wide { u32::from_be_bytes(self.take()?) } else { self.byte()?.into() };
        if inner_end < self.at {
            return Err(DecodeError::SizeMismatch);
        }
        Ok((count, inner_end))
    }

    fn descend(&mut self) -> Result<(), DecodeError> {
        if self.depth >= DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        self.depth += 1;
        Ok(())
    }

    fn variable(&mut self, code: u8) -> Result<Bytes, DecodeError> {
        let length = if code >= 0xb0 {
            u32::from_be_bytes(self.take()?) as usize
        } else {
            usize::from(self.byte()?)
        };
        let start = self.at;
        self.advance(length)?;
        Ok(self.input.slice(start..self.at))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let start = self.at;
        self.advance(N)?;
        self.input[start..self.at].try_into().map_err(|_| DecodeError::Incomplete)
    }

    fn advance(&mut self, length: usize) -> Result<(), DecodeError> {
        let next = self.at.checked_add(length).ok_or(DecodeError::Incomplete)?;
        if next > self.end {
            return Err(DecodeError::Incomplete);
        }
        self.at = next;
        Ok(())
    }

    /// Passes over what follows a constructor; the high half of the constructor says how long it is
    /// (OASIS AMQP 1.0 1.2).
    fn skip(&mut self, code: u8) -> Result<(), DecodeError> {
        let length = match code >> 4 {
            0x4 => 0,
            0x5 => 1,
            0x6 => 2,
            0x7 => 4,
            0x8 => 8,
            0x9 => 16,
            0xa | 0xc | 0xe => usize::from(self.byte()?),
            0xb | 0xd | 0xf => u32::from_be_bytes(self.take()?) as usize,
            _ => return Err(DecodeError::UnknownConstructor(code)),
        };
        self.advance(length)
    }
}
