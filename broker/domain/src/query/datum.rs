//! A value that an expression comes to, and how values compare. Undefined is the absence of a datum.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Number, Value};

/// A JSON value, borrowed from the row where it can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum<'a> {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An object or array: it compares with nothing.
    Composite(Cow<'a, Value>),
}

impl<'a> Datum<'a> {
    /// A borrowed text.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A text that was made for this.
    pub fn owned(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    /// The number, an integer where it is one that a double holds exactly. `None` if it is not finite.
    pub(super) fn number(number: f64) -> Option<Self> {
        /// Integers up to here are doubles.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match number.fract() == 0.0 && number.abs() <= EXACT {
            true => Some(Self::Number((number as i64).into())),
            false => Number::from_f64(number).map(Self::Number),
        }
    }

    /// As JSON.
    pub fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(text.into_owned()),
            Self::Composite(value) => value.into_owned(),
        }
    }

    /// Whether two primitives are equal; of different types they are not. Undefined with an object or array.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Composite(_), _) | (_, Self::Composite(_)) => None,
            (Self::Number(a), Self::Number(b)) => Some(compare_numbers(a, b) == Ordering::Equal),
            (a, b) => Some(a == b),
        }
    }

    /// How two primitives of one type are ordered: texts by their characters, false before true. Undefined otherwise.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, Self::Null) => Some(Ordering::Equal),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => Some(compare_numbers(a, b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// The place of a primitive's type among others, for MIN and MAX. `None` for objects and arrays.
    pub(super) fn rank(&self) -> Option<u8> {
        match self {
            Self::Null => Some(0),
            Self::Bool(_) => Some(1),
            Self::Number(_) => Some(2),
            Self::Text(_) => Some(3),
            Self::Composite(_) => None,
        }
    }

    /// Appends a text that is the same for equal values and differs for others.
    pub(super) fn write_key(&self, key: &mut String) {
        match self {
            Self::Null => key.push('n'),
            Self::Bool(value) => key.push(if *value { 't' } else { 'f' }),
            Self::Number(number) => match whole(number) {
                Some(whole) => drop(write!(key, "#{whole}")),
                None => drop(write!(key, "#{number}")),
            },
            Self::Text(text) => {
                key.push('\'');
                key.push_str(text);
            }
            Self::Composite(value) => drop(write!(key, "{value}")),
        }
    }
}

/// The key of a value in an index: the same text for values that compare as equal (1 and 1.0), another one for all others.
/// Objects and arrays, which equal nothing, have none.
pub fn index_key(value: &Value) -> Option<String> {
    let datum = Datum::from(value);
    datum.rank()?;
    let mut key = String::new();
    datum.write_key(&mut key);
    Some(key)
}

impl<'a> From<&'a Value> for Datum<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::text(text),
            Value::Array(_) | Value::Object(_) => Self::Composite(Cow::Borrowed(value)),
        }
    }
}

impl From<Value> for Datum<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::owned(text),
            Value::Array(_) | Value::Object(_) => Self::Composite(Cow::Owned(value)),
        }
    }
}

/// The integer that a number is.
pub(super) fn whole(number: &Number) -> Option<i128> {
    /// Far above every integer of 64 bits, far below the largest of 128.
    const MAX: f64 = 1e30;
    if let Some(whole) = number.as_i64() {
        return Some(whole.into());
    }
    if let Some(whole) = number.as_u64() {
        return Some(whole.into());
    }
    number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < MAX).map(|f| f as i128)
}

/// Integers and floating point numbers compare by their value.
pub(super) fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => {
            let (a, b) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
            // Numbers of JSON are never NaN.
            a.partial_cmp(&b).unwrap_or(Ordering::Equal)
        }
    }
}
