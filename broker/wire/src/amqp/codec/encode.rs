//! Writes values. Scalars take their shortest encoding; compounds of the frames we send are always list32 and map32, so
//! that their size can be filled in behind (and never list0, service-protocols.md 3.1 E2).

use bytes::{BufMut, BytesMut};

use super::{Array, Map, Symbol, Value};

/// A list, map or array under construction.
#[derive(Debug)]
pub struct Compound<'a> {
    out: &'a mut BytesMut,
    count: u32,
}

impl Compound<'_> {
    /// An element that `write` writes: exactly one value.
    pub fn with(&mut self, write: impl FnOnce(&mut BytesMut)) -> &mut Self {
        write(self.out);
        self.count += 1;
        self
    }

    /// A null.
    pub fn null(&mut self) -> &mut Self {
        self.with(|out| out.put_u8(0x40))
    }

    /// Any value.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        self.with(|out| put_value(out, value))
    }

    /// Any value, or null.
    pub fn value_or_null(&mut self, value: Option<&Value>) -> &mut Self {
        self.value(value.unwrap_or(&Value::Null))
    }

    /// A boolean.
    pub fn boolean(&mut self, flag: bool) -> &mut Self {
        self.with(|out| out.put_u8(if flag { 0x41 } else { 0x42 }))
    }

    /// A ubyte.
    pub fn ubyte(&mut self, n: u8) -> &mut Self {
        self.with(|out| out.put_slice(&[0x50, n]))
    }

    /// A ushort.
    pub fn ushort(&mut self, n: u16) -> &mut Self {
        self.with(|out| put_ushort(out, n))
    }

    /// A uint.
    pub fn uint(&mut self, n: u32) -> &mut Self {
        self.with(|out| put_uint(out, n))
    }

    /// A uint, or null.
    pub fn uint_or_null(&mut self, n: Option<u32>) -> &mut Self {
        match n {
            Some(n) => self.uint(n),
            None => self.null(),
        }
    }

    /// A ulong.
    pub fn ulong(&mut self, n: u64) -> &mut Self {
        self.with(|out| put_ulong(out, n))
    }

    /// A long.
    pub fn long(&mut self, n: i64) -> &mut Self {
        self.with(|out| put_long(out, n))
    }

    /// A timestamp, in milliseconds.
    pub fn timestamp(&mut self, ms: i64) -> &mut Self {
        self.with(|out| {
            out.put_u8(0x83);
            out.put_i64(ms);
        })
    }

    /// A string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.with(|out| put_variable(out, 0xa1, text.as_bytes()))
    }

    /// A string, or null.
    pub fn text_or_null(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// A symbol. The caller gives ASCII.
    pub fn symbol(&mut self, text: &str) -> &mut Self {
        self.with(|out| put_variable(out, 0xa3, text.as_bytes()))
    }

    /// A symbol, or null.
    pub fn symbol_or_null(&mut self, symbol: Option<&Symbol>) -> &mut Self {
        match symbol {
            Some(symbol) => self.symbol(symbol.as_str()),
            None => self.null(),
        }
    }

    /// An array of symbols, or null for none.
    pub fn symbols(&mut self, symbols: &[Symbol]) -> &mut Self {
        if symbols.is_empty() {
            return self.null();
        }
        self.value(&Value::Array(Array::symbols(symbols.iter().cloned())))
    }

    /// Binary.
    pub fn binary(&mut self, bytes: &[u8]) -> &mut Self {
        self.with(|out| put_variable(out, 0xa0, bytes))
    }

    /// A map, or null.
    pub fn map_or_null(&mut self, map: Option<&Map>) -> &mut Self {
        match map {
            Some(map) => self.with(|out| put_map(out, map)),
            None => self.null(),
        }
    }
}

/// `00 53 code`, then a list32 of what `write` puts in.
pub fn performative(out: &mut BytesMut, code: u8, write: impl FnOnce(&mut Compound<'_>)) {
    put_described_code(out, code);
    with_list(out, write);
}

/// The three bytes that say which of the specification's types follows.
pub fn put_described_code(out: &mut BytesMut, code: u8) {
    out.put_slice(&[0x00, 0x53, code]);
}

/// A list32 of what `write` puts in.
pub fn with_list(out: &mut BytesMut, write: impl FnOnce(&mut Compound<'_>)) {
    out.put_u8(0xd0);
    sized(out, write);
}

/// A map32 of what `write` puts in: keys and values in turn.
pub fn with_map(out: &mut BytesMut, write: impl FnOnce(&mut Compound<'_>)) {
    out.put_u8(0xd1);
    sized(out, write);
}

/// Size and count in 32 bits, filled in when the content is there.
fn sized(out: &mut BytesMut, write: impl FnOnce(&mut Compound<'_>)) {
    let start = out.len();
    out.put_bytes(0, 8);
    let mut compound = Compound { out, count: 0 };
    write(&mut compound);
    let count = compound.count;
    let size = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    out[start + 4..start + 8].copy_from_slice(&count.to_be_bytes());
}

/// Writes any value.
pub fn put_value(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Null => out.put_u8(0x40),
        Value::Bool(flag) => out.put_u8(if *flag { 0x41 } else { 0x42 }),
        Value::Ubyte(n) => out.put_slice(&[0x50, *n]),
        Value::Ushort(n) => put_ushort(out, *n),
        Value::Uint(n) => put_uint(out, *n),
        Value::Ulong(n) => put_ulong(out, *n),
        Value::Int(n) => match i8::try_from(*n) {
            Ok(small) => out.put_slice(&[0x54, small as u8]),
            Err(_) => put_wide(out, value),
        },
        Value::Long(n) => put_long(out, *n),
        Value::Binary(bytes) => put_variable(out, 0xa0, bytes),
        Value::String(text) => put_variable(out, 0xa1, text.as_str().as_bytes()),
        Value::Symbol(symbol) => put_variable(out, 0xa3, symbol.as_str().as_bytes()),
        Value::Described(described) => {
            out.put_u8(0x00);
            put_value(out, &described.descriptor);
            put_value(out, &described.value);
        }
        _ => put_wide(out, value),
    }
}

/// Constructor and content in the form that array elements share.
fn put_wide(out: &mut BytesMut, value: &Value) {
    out.put_u8(wide_code(value));
    put_content(out, value, true);
}

/// The constructor that can hold any value of this type.
fn wide_code(value: &Value) -> u8 {
    match value {
        Value::Null => 0x40,
        Value::Bool(_) => 0x56,
        Value::Ubyte(_) => 0x50,
        Value::Ushort(_) => 0x60,
        Value::Uint(_) => 0x70,
        Value::Ulong(_) => 0x80,
        Value::Byte(_) => 0x51,
        Value::Short(_) => 0x61,
        Value::Int(_) => 0x71,
        Value::Long(_) => 0x81,
        Value::Float(_) => 0x72,
        Value::Double(_) => 0x82,
        Value::Decimal32(_) => 0x74,
        Value::Decimal64(_) => 0x84,
        Value::Decimal128(_) => 0x94,
        Value::Char(_) => 0x73,
        Value::Timestamp(_) => 0x83,
        Value::Uuid(_) => 0x98,
        Value::Binary(_) => 0xb0,
        Value::String(_) => 0xb1,
        Value::Symbol(_) => 0xb3,
        Value::List(_) => 0xd0,
        Value::Map(_) => 0xd1,
        Value::Array(_) => 0xf0,
        Value::Described(_) => 0x00,
    }
}

/// What follows the constructor; `wide` chooses 32-bit lengths for binary, strings and symbols.
fn put_content(out: &mut BytesMut, value: &Value, wide: bool) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.put_u8((*flag).into()),
        Value::Ubyte(n) => out.put_u8(*n),
        Value::Ushort(n) => out.put_u16(*n),
        Value::Uint(n) => out.put_u32(*n),
        Value::Ulong(n) => out.put_u64(*n),
        Value::Byte(n) => out.put_i8(*n),
        Value::Short(n) => out.put_i16(*n),
        Value::Int(n) => out.put_i32(*n),
        Value::Long(n) | Value::Timestamp(n) => out.put_i64(*n),
        Value::Float(n) => out.put_f32(*n),
        Value::Double(n) => out.put_f64(*n),
        Value::Decimal32(bytes) => out.put_slice(bytes),
        Value::Decimal64(bytes) => out.put_slice(bytes),
        Value::Decimal128(bytes) | Value::Uuid(bytes) => out.put_slice(bytes),
        Value::Char(c) => out.put_u32(*c as u32),
        Value::Binary(bytes) => put_length_and(out, bytes, wide),
        Value::String(text) => put_length_and(out, text.as_str().as_bytes(), wide),
        Value::Symbol(symbol) => put_length_and(out, symbol.as_str().as_bytes(), wide),
        Value::List(values) => sized(out, |list| values.iter().for_each(|v| _ = list.value(v))),
        Value::Map(map) => put_entries(out, map),
        Value::Array(array) => put_elements(out, array),
        // The descriptor stands in the constructor that the elements share.
        Value::Described(described) => put_content(out, &described.value, true),
    }
}

fn put_entries(out: &mut BytesMut, map: &Map) {
    sized(out, |entries| {
        for (key, value) in &map.0 {
            entries.value(key).value(value);
        }
    });
}

fn put_map(out: &mut BytesMut, map: &Map) {
    out.put_u8(0xd1);
    put_entries(out, map);
}

fn put_elements(out: &mut BytesMut, array: &Array) {
    let values = array.values();
    let start = out.len();
    out.put_u32(0);
    out.put_u32(values.len() as u32);
    let wide = values.iter().any(|value| variable_length(value).is_none_or(|length| length > 255));
    match values.first() {
        None => out.put_u8(0x40),
        Some(first) => put_shared_constructor(out, first, wide),
    }
    values.iter().for_each(|value| put_content(out, value, wide));
    let size = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

fn put_shared_constructor(out: &mut BytesMut, first: &Value, wide: bool) {
    match first {
        Value::Described(described) => {
            out.put_u8(0x00);
            put_value(out, &described.descriptor);
            out.put_u8(wide_code(&described.value));
        }
        // Short strings take the short form: one reader knows no other (service-protocols.md 4.3).
        _ if !wide => out.put_u8(wide_code(first) - 0x10),
        _ => out.put_u8(wide_code(first)),
    }
}

/// Bytes of a binary, string or symbol; `None` for other types.
fn variable_length(value: &Value) -> Option<usize> {
    match value {
        Value::Binary(bytes) => Some(bytes.len()),
        Value::String(text) => Some(text.as_str().len()),
        Value::Symbol(symbol) => Some(symbol.as_str().len()),
        _ => None,
    }
}

/// A binary, string or symbol whose short constructor is `code`.
fn put_variable(out: &mut BytesMut, code: u8, bytes: &[u8]) {
    let wide = bytes.len() > 255;
    out.put_u8(if wide { code + 0x10 } else { code });
    put_length_and(out, bytes, wide);
}

fn put_length_and(out: &mut BytesMut, bytes: &[u8], wide: bool) {
    if wide {
        out.put_u32(bytes.len() as u32);
    } else {
        out.put_u8(bytes.len() as u8);
    }
    out.put_slice(bytes);
}

fn put_ushort(out: &mut BytesMut, n: u16) {
    out.put_u8(0x60);
    out.put_u16(n);
}

fn put_uint(out: &mut BytesMut, n: u32) {
    match n {
        0 => out.put_u8(0x43),
        1..=255 => out.put_slice(&[0x52, n as u8]),
        _ => {
            out.put_u8(0x70);
            out.put_u32(n);
        }
    }
}

fn put_ulong(out: &mut BytesMut, n: u64) {
    match n {
        0 => out.put_u8(0x44),
        1..=255 => out.put_slice(&[0x53, n as u8]),
        _ => {
            out.put_u8(0x80);
            out.put_u64(n);
        }
    }
}

fn put_long(out: &mut BytesMut, n: i64) {
    match i8::try_from(n) {
        Ok(small) => out.put_slice(&[0x55, small as u8]),
        Err(_) => {
            out.put_u8(0x81);
            out.put_i64(n);
        }
    }
}
