//! JSON objects that are read as what they are: derived readers also take an array of the fields in their order, which no
//! client means and nobody checks.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A `T` that stands in JSON as an object and as nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData))
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        x: Option<u8>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        inner: Option<Object<Inner>>,
    }

    #[test]
    fn an_object_is_no_array_and_null_is_for_option() {
        let check = |json: &str, expected: Option<Option<u8>>| {
            let read = serde_json::from_str::<Object<Outer>>(json);
            let read = read.ok().map(|outer| outer.0.inner.and_then(|inner| inner.0.x));
            assert_eq!(read, expected, "{json}");
        };
        check(r#"{"inner":{"x":7},"more":1}"#, Some(Some(7)));
        check(r#"{"inner":{}}"#, Some(None));
        check(r#"{"inner":null}"#, Some(None));
        check("{}", Some(None));
        check(r#"{"inner":[7]}"#, None);
        check(r#"[{"x":7}]"#, None);
        check("[null]", None);
        check("null", None);
    }
}
