use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::amqp::limits::{DEPTH_MAX, VALUES_MAX};

fn encode(value: &Value) -> Bytes {
    let mut out = BytesMut::new();
    put_value(&mut out, value);
    out.freeze()
}

fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let bytes = Bytes::copy_from_slice(bytes);
    let mut decoder = Decoder::new(&bytes);
    let value = decoder.value()?;
    assert!(decoder.is_empty(), "a value ends where its bytes end");
    Ok(value)
}

fn ascii() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ -~]{0,300}").expect("a valid pattern")
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u8>().prop_map(Value::Ubyte),
        any::<u16>().prop_map(Value::Ushort),
        any::<u32>().prop_map(Value::Uint),
        (0u32..300).prop_map(Value::Uint),
        any::<u64>().prop_map(Value::Ulong),
        (0u64..300).prop_map(Value::Ulong),
        any::<i8>().prop_map(Value::Byte),
        any::<i16>().prop_map(Value::Short),
        any::<i32>().prop_map(Value::Int),
        (-200i32..200).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        (-200i64..200).prop_map(Value::Long),
        (-1e9f32..1e9).prop_map(Value::Float),
        (-1e9f64..1e9).prop_map(Value::Double),
        any::<[u8; 4]>().prop_map(Value::Decimal32),
        any::<[u8; 8]>().prop_map(Value::Decimal64),
        any::<[u8; 16]>().prop_map(Value::Decimal128),
        any::<char>().prop_map(Value::Char),
        any::<i64>().prop_map(Value::Timestamp),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(|b| Value::Binary(b.into())),
        any::<String>().prop_map(|s| Value::String(s.into())),
        ascii().prop_map(|s| Value::Symbol(Symbol::lossy(&s))),
    ]
}

fn array(values: Vec<Value>) -> Value {
    // Take the longest prefix that one array can hold.
    let fitting = (0..=values.len()).rev().find_map(|n| Array::new(values[..n].to_vec()));
    Value::Array(fitting.unwrap_or_default())
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 32, 4, |inner| {
        let several = proptest::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            several.clone().prop_map(Value::List),
            several.clone().prop_map(|values| {
                let pairs = values.chunks_exact(2).map(|p| (p[0].clone(), p[1].clone()));
                Value::Map(Map(pairs.collect()))
            }),
            several.prop_map(array),
            (inner, any::<u64>()).prop_map(|(value, code)| {
                let descriptor = Value::Ulong(code);
                Value::Described(Box::new(Described { descriptor, value }))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_comes_back_as_it_went(value in tree()) {
        prop_assert_eq!(decode(&encode(&value)), Ok(value));
    }

    #[test]
    fn raw_passes_over_exactly_one_value(value in tree(), behind in any::<u8>()) {
        let mut bytes = encode(&value).to_vec();
        let length = bytes.len();
        bytes.push(behind);
        let bytes = Bytes::from(bytes);
        let mut decoder = Decoder::new(&bytes);
        prop_assert_eq!(decoder.raw().map(|raw| raw.len()), Ok(length));
        prop_assert_eq!(decoder.position(), length);
    }

    #[test]
    fn a_value_cut_short_is_refused(value in tree(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&value);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _ = Decoder::new(&bytes).value();
        let _ = Decoder::new(&bytes).raw();
    }
}

fn check(bytes: &[u8], expected: Result<Value, DecodeError>) {
    assert_eq!(decode(bytes), expected, "{bytes:02x?}");
}

#[test]
fn every_encoding_of_a_number_is_read() {
    check(&[0x43], Ok(Value::Uint(0)));
    check(&[0x52, 7], Ok(Value::Uint(7)));
    check(&[0x70, 0, 0, 1, 0], Ok(Value::Uint(256)));
    check(&[0x44], Ok(Value::Ulong(0)));
    check(&[0x80, 0, 0, 0, 0, 0, 0, 0, 5], Ok(Value::Ulong(5)));
    check(&[0x54, 0xff], Ok(Value::Int(-1)));
    check(&[0x71, 0, 0, 0, 200], Ok(Value::Int(200)));
    check(&[0x55, 0x80], Ok(Value::Long(-128)));
    check(&[0x56, 1], Ok(Value::Bool(true)));
}

#[test]
fn short_and_long_compounds_are_read() {
    check(&[0x45], Ok(Value::List(vec![])));
    check(&[0xc0, 2, 1, 0x41], Ok(Value::List(vec![Value::Bool(true)])));
    check(&[0xd0, 0, 0, 0, 5, 0, 0, 0, 1, 0x41], Ok(Value::List(vec![Value::Bool(true)])));
    check(&[0xc1, 1, 0], Ok(Value::Map(Map::default())));
}

#[test]
fn malformed_values_are_refused() {
    check(&[], Err(DecodeError::Incomplete));
    check(&[0x3f], Err(DecodeError::UnknownConstructor(0x3f)));
    check(&[0x56, 2], Err(DecodeError::InvalidBoolean));
    check(&[0x73, 0, 0, 0xd8, 0], Err(DecodeError::InvalidChar));
    check(&[0xa1, 1, 0xff], Err(DecodeError::InvalidUtf8));
    check(&[0xa3, 1, 0xc3], Err(DecodeError::InvalidSymbol));
    check(&[0xc1, 2, 1, 0x40], Err(DecodeError::OddMap));
    check(&[0xc0, 3, 1, 0x40, 0x40], Err(DecodeError::SizeMismatch));
    check(&[0xc0, 9, 1, 0x40], Err(DecodeError::Incomplete));
    check(&[0xb0, 0xff, 0xff, 0xff, 0xff], Err(DecodeError::Incomplete));
    check(&[0x00, 0x41, 0x40], Err(DecodeError::UnknownDescriptor));
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |depth: usize| {
        let mut value = Value::Null;
        for _ in 0..depth {
            value = Value::List(vec![value]);
        }
        encode(&value)
    };
    assert!(decode(&nested(DEPTH_MAX.into())).is_ok());
    check(&nested(usize::from(DEPTH_MAX) + 1), Err(DecodeError::TooDeep));
    check(&vec![0x00; 4096], Err(DecodeError::TooDeep));
    // An empty list is as deep as any other: what was read can be written in its longest form and read again.
    let mut described = [0x00, 0x53, 0x76].repeat(DEPTH_MAX.into());
    described.push(0x45);
    check(&described, Err(DecodeError::TooDeep));
}

#[test]
fn elements_without_bytes_are_bounded_by_count() {
    let mut nulls = vec![0xf0, 0, 0, 0, 5];
    nulls.extend((VALUES_MAX + 1).to_be_bytes());
    nulls.push(0x40);
    check(&nulls, Err(DecodeError::TooManyValues));
}

#[test]
fn an_array_of_short_strings_takes_the_short_form() {
    let ids = Array::strings(["0", "1"].map(Text::from));
    let bytes = encode(&Value::Array(ids));
    assert_eq!(bytes[..], [0xf0, 0, 0, 0, 9, 0, 0, 0, 2, 0xa1, 1, b'0', 1, b'1']);
}

#[test]
fn values_of_several_types_make_no_array() {
    assert_eq!(Array::new(vec![Value::Null, Value::Bool(true)]), None);
    let described =
        |value| Value::Described(Box::new(Described { descriptor: Value::Ulong(0), value }));
    assert_eq!(Array::new(vec![described(described(Value::Null))]), None);
    assert!(Array::new(vec![described(Value::Null)]).is_some());
}
