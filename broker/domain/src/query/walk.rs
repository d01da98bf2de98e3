//! Paths into JSON.

use serde_json::Value;

use super::datum::Datum;
use super::expression::Step;
use crate::twin::Object;

/// The value at a path, which may be empty.
pub fn walk<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Name(name) => value.as_object()?.get(name),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

/// The same in an object that is no value yet; only the whole of it is copied.
pub fn walk_members<'a>(members: &'a Object, path: &[Step]) -> Option<Datum<'a>> {
    match path.split_first() {
        None => Some(Value::Object(members.clone()).into()),
        Some((Step::Name(name), rest)) => walk(members.get(name)?, rest).map(Datum::from),
        Some((Step::Index(_), _)) => None,
    }
}
