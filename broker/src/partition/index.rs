//! What queries find without reading every record: counts of identities, and an index of a few properties.
//!
//! An index is maintained in the same batch as the record that it is about, so it is never behind. Connection state and
//! status have entries for the rarer of their two values only: whoever wants the other has to look at most of the records
//! anyway.

use ironhub_domain::device::{DeviceIdentity, DeviceStatus, Presence};
use ironhub_domain::limits::INDEX_VALUE_BYTES_MAX;
use ironhub_domain::twin::Twin;
use serde_json::Value;

/// How many identities a partition has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegistryCounts {
    /// Devices.
    pub devices: u64,
    /// Of these, devices that must not connect.
    pub disabled: u64,
    /// Of these, devices with a live session, as far as records know.
    pub connected: u64,
}

/// Name of the index of devices and modules that are connected; its only value is `Connected`.
pub const CONNECTION_STATE: &str = "connectionState";
/// Name of the index of devices that are disabled; its only value is `disabled`.
pub const STATUS: &str = "status";

/// Name of the index of a path of tags.
pub fn tag(path: &str) -> String {
    format!("tags.{path}")
}

/// Ends the form of a text that was cut; it is no UTF-8, so no whole text ends with it.
const CUT: u8 = 0xff;

/// A value in the form that index keys have; `None` for what is not indexed. Values that are equal to a query have the same
/// form; that two have the same form does not say that they are equal, unless [`value_of`] knows which they are.
pub fn index_value(value: &Value) -> Option<Vec<u8>> {
    let (kind, text) = match value {
        Value::String(text) => (b's', text.clone()),
        Value::Bool(value) => (b'b', value.to_string()),
        // As a double, so that 1 and 1.0 are one.
        Value::Number(number) => (b'n', number.as_f64()?.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let end = text.bytes().position(|byte| byte == 0).unwrap_or(text.len());
    let end = end.min(INDEX_VALUE_BYTES_MAX);
    let mut form = vec![kind];
    form.extend(text.bytes().take(end));
    if end < text.len() {
        form.push(CUT);
    }
    Some(form)
}

/// The one value that has this form, among all that are equal to a query; `None` if there are others.
pub fn value_of(form: &[u8]) -> Option<Value> {
    /// Integers below are doubles, each for itself.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let (kind, text) = form.split_first()?;
    let text = std::str::from_utf8(text).ok()?;
    match kind {
        b's' => Some(text.into()),
        b'b' => text.parse().ok().map(Value::Bool),
        b'n' => {
            let number: f64 = text.parse().ok()?;
            let value = match number.fract() == 0.0 {
                true => Value::from(number as i64),
                false => Value::from(number),
            };
            (number.abs() < EXACT).then_some(value)
        }
        _ => None,
    }
}

/// One place in the index: name and value.
pub(super) type Entry = (String, Vec<u8>);

pub(super) fn of_device(device: Option<&DeviceIdentity>) -> Vec<Entry> {
    let disabled = device.is_some_and(|device| device.status == DeviceStatus::Disabled);
    let value = Value::from(DeviceStatus::Disabled.as_str());
    entries(disabled.then_some((STATUS.to_owned(), value)))
}

pub(super) fn of_presence(presence: Option<&Presence>) -> Vec<Entry> {
    let connected = presence.is_some_and(|presence| presence.connected);
    entries(connected.then(|| (CONNECTION_STATE.to_owned(), "Connected".into())))
}

pub(super) fn of_twin(twin: Option<&Twin>, paths: &[String]) -> Vec<Entry> {
    let Some(twin) = twin else { return Vec::new() };
    entries(paths.iter().filter_map(|path| {
        let mut names = path.split('.');
        let first = twin.tags.get(names.next()?)?;
        let value = names.try_fold(first, |value, name| value.get(name))?;
        Some((tag(path), value.clone()))
    }))
}

fn entries(found: impl IntoIterator<Item = (String, Value)>) -> Vec<Entry> {
    let indexed = |(name, value)| Some((name, index_value(&value)?));
    found.into_iter().filter_map(indexed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_tells_its_value_if_that_is_the_only_one() {
        let long = "x".repeat(INDEX_VALUE_BYTES_MAX);
        for (json, told) in [
            ("\"\"", true),
            (r#""a\u0001\u00e4""#, true),
            (r#""a\u0000""#, false),
            ("true", true),
            ("false", true),
            ("0", true),
            ("-7", true),
            ("7.0", true),
            ("0.1", true),
            ("-1e-300", false),
            ("-1e-30", true),
            ("9007199254740991", true),
            ("9007199254740993", false),
            ("1e300", false),
            (&format!("\"{long}\""), true),
            (&format!("\"{long}y\""), false),
            (&format!("\"{}\u{e4}\"", &long[1..]), false),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            let found = value_of(&index_value(&value).unwrap());
            let key = ironhub_domain::query::index_key;
            assert_eq!(found.as_ref().and_then(key), told.then(|| key(&value).unwrap()), "{json}");
        }
        assert_eq!(value_of(b""), None);
    }

    #[test]
    fn what_is_equal_to_a_query_is_in_one_place() {
        let form = |json: &str| index_value(&serde_json::from_str(json).unwrap());
        for (a, b, same) in [
            ("1", "1.0", true),
            ("1", "\"1\"", false),
            ("true", "\"true\"", false),
            ("\"a\"", "\"A\"", false),
            ("\"a\\u0000b\"", "\"a\\u0000c\"", true),
            ("-1", "1", false),
            ("4503599627370495", "4503599627370494", false),
        ] {
            assert_eq!(form(a) == form(b), same, "{a} {b}");
        }
        for nothing in ["null", "[1]", "{}"] {
            assert_eq!(form(nothing), None);
        }
        let long = |end: char| Value::from(format!("{}{end}", "x".repeat(INDEX_VALUE_BYTES_MAX)));
        assert_eq!(index_value(&long('a')), index_value(&long('b')));
    }
}
