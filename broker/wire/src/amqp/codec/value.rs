//! Values of every AMQP 1.0 type.

use bytes::Bytes;

use super::{Symbol, Text};

/// Any AMQP value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// null
    #[default]
    Null,
    /// boolean
    Bool(bool),
    /// ubyte
    Ubyte(u8),
    /// ushort
    Ushort(u16),
    /// uint
    Uint(u32),
    /// ulong
    Ulong(u64),
    /// byte
    Byte(i8),
    /// short
    Short(i16),
    /// int
    Int(i32),
    /// long
    Long(i64),
    /// float
    Float(f32),
    /// double
    Double(f64),
    /// decimal32, as it is on the wire
    Decimal32([u8; 4]),
    /// decimal64, as it is on the wire
    Decimal64([u8; 8]),
    /// decimal128, as it is on the wire
    Decimal128([u8; 16]),
    /// char
    Char(char),
    /// timestamp: milliseconds since 1970
    Timestamp(i64),
    /// uuid
    Uuid([u8; 16]),
    /// binary
    Binary(Bytes),
    /// string
    String(Text),
    /// symbol
    Symbol(Symbol),
    /// list
    List(Vec<Value>),
    /// map
    Map(Map),
    /// array
    Array(Array),
    /// a described value
    Described(Box<Described>),
}

impl Value {
    /// A string that lives in the program.
    pub const fn string(text: &'static str) -> Self {
        Self::String(Text::from_static(text))
    }

    /// A symbol that lives in the program.
    pub const fn symbol(text: &'static str) -> Self {
        Self::Symbol(Symbol::from_static(text))
    }

    /// The text of a string or a symbol.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            Self::Symbol(symbol) => Some(symbol.as_str()),
            _ => None,
        }
    }

    /// Any integer, whatever its width and sign, that fits a long.
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Self::Ubyte(n) => Some(n.into()),
            Self::Ushort(n) => Some(n.into()),
            Self::Uint(n) => Some(n.into()),
            Self::Ulong(n) => i64::try_from(n).ok(),
            Self::Byte(n) => Some(n.into()),
            Self::Short(n) => Some(n.into()),
            Self::Int(n) => Some(n.into()),
            Self::Long(n) | Self::Timestamp(n) => Some(n),
            _ => None,
        }
    }
}

/// A map, in the order sent; what a duplicate key means is the reader's affair (the first wins in [`Map::get`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(pub Vec<(Value, Value)>);

impl Map {
    /// The value of a string or symbol key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(k, _)| k.as_text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of a string or symbol under a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_text)
    }

    /// Adds an entry with a symbol key.
    pub fn with(mut self, key: &'static str, value: Value) -> Self {
        self.0.push((Value::symbol(key), value));
        self
    }

    /// Adds an entry with a string key.
    pub fn with_string_key(mut self, key: &'static str, value: Value) -> Self {
        self.0.push((Value::string(key), value));
        self
    }
}

/// An array: values of one type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array(Vec<Value>);

impl Array {
    /// `None` if the values are of more than one type, or a description is described again: no array can hold these,
    /// whose elements share one constructor with at most one descriptor.
    pub fn new(values: Vec<Value>) -> Option<Self> {
        let uniform = values.windows(2).all(|pair| same_type(&pair[0], &pair[1]));
        (uniform && values.iter().all(shares_a_constructor)).then_some(Self(values))
    }

    /// What a decoder read under one constructor.
    pub(super) fn uniform(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// An array of symbols.
    pub fn symbols(symbols: impl IntoIterator<Item = Symbol>) -> Self {
        Self(symbols.into_iter().map(Value::Symbol).collect())
    }

    /// An array of strings.
    pub fn strings(texts: impl IntoIterator<Item = Text>) -> Self {
        Self(texts.into_iter().map(Value::String).collect())
    }

    /// The values.
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// The values.
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }
}

fn shares_a_constructor(value: &Value) -> bool {
    match value {
        Value::Described(described) => !matches!(described.value, Value::Described(_)),
        _ => true,
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Described(a), Value::Described(b)) => {
            a.descriptor == b.descriptor && same_type(&a.value, &b.value)
        }
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// A value with a descriptor that says what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// An ulong code or a symbol.
    pub descriptor: Value,
    /// The value.
    pub value: Value,
}
