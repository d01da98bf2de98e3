//! The type system of AMQP 1.0 (OASIS AMQP 1.0 part 1): values, and their bytes.
//!
//! Decoding checks depth, count and size before it allocates. Binary values, strings and symbols are slices of the
//! input and keep its buffer alive: whoever stores one for long copies it.

mod decode;
mod encode;
mod fields;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub use decode::Decoder;
pub use encode::{Compound, performative, put_described_code, put_value, with_list, with_map};
pub use fields::Fields;
pub use text::{Symbol, Text};
pub use value::{Array, Described, Map, Value};

/// Why bytes are not the value they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The value runs past the end of what holds it.
    #[error("value runs past the end of its frame or compound")]
    Incomplete,
    /// No type has this constructor.
    #[error("unknown constructor 0x{0:02x}")]
    UnknownConstructor(u8),
    /// A string is not UTF-8.
    #[error("string is not utf-8")]
    InvalidUtf8,
    /// A symbol is not ASCII.
    #[error("symbol is not ascii")]
    InvalidSymbol,
    /// A char is not a Unicode scalar value.
    #[error("char is not a unicode scalar value")]
    InvalidChar,
    /// A boolean byte is neither 0 nor 1.
    #[error("boolean is neither 0 nor 1")]
    InvalidBoolean,
    /// Nested deeper than [`super::limits::DEPTH_MAX`].
    #[error("values nest too deep")]
    TooDeep,
    /// More values than [`super::limits::VALUES_MAX`].
    #[error("too many values")]
    TooManyValues,
    /// A compound's size and its content disagree.
    #[error("size of a list, map or array disagrees with its content")]
    SizeMismatch,
    /// A map has a key without a value.
    #[error("map has an odd number of elements")]
    OddMap,
    /// Another type stands here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A mandatory field is null or missing.
    #[error("mandatory field {0} is missing")]
    Missing(&'static str),
    /// A described type that has no place here.
    #[error("unknown descriptor")]
    UnknownDescriptor,
    /// A field is over its bound.
    #[error("field {0} is too long")]
    TooLong(&'static str),
}
