//! Configurations, with contents written as JSON.

mod contents;
mod imports;
mod model;
mod records;
mod requests;
mod resolving;

use serde_json::Value;

use super::*;
use crate::HubError;
use crate::twin::Object;

fn id(text: &str) -> ConfigurationId {
    ConfigurationId::new(text).unwrap()
}

fn object(json: Value) -> Object {
    match json {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

/// The text of a refusal.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, HubError>) -> String {
    match result {
        Err(HubError::InvalidArgument(why)) => why,
        other => panic!("{other:?}"),
    }
}
