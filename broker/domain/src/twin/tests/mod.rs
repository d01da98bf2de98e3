//! Twins, with documents written as JSON.

mod digital;
mod merging;
mod reading;
mod rules;
mod versions;

use serde_json::Value;

use super::*;
use crate::HubError;
use crate::limits::TwinLimits;
use crate::registry::IfMatch;
use crate::time::UnixMs;

fn object(json: &str) -> Object {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn patch(body: &str) -> TwinUpdate {
    TwinUpdate::parse_patch(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn replace(body: &str) -> TwinUpdate {
    TwinUpdate::parse_replace(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn update(twin: &Twin, update: TwinUpdate, now: u64) -> TwinChange {
    twin.clone().update(update, &IfMatch::Any, &TwinLimits::DEFAULT, UnixMs(now)).unwrap()
}

fn report(twin: &Twin, patch: &str, now: u64) -> Twin {
    let changed =
        twin.clone().patch_reported(object(patch), None, &TwinLimits::DEFAULT, UnixMs(now));
    let TwinChange { twin, notice } = changed.unwrap();
    assert_eq!(notice, None, "what a device reports it knows");
    twin
}

/// The text of a refusal.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, HubError>) -> String {
    match result {
        Err(HubError::InvalidArgument(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn shown(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}
