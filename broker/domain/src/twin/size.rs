//! How big a section is (device-protocols.md 7.3).

use std::io;

use serde_json::Value;

use crate::HubError;
use crate::limits::{TWIN_JSON_BYTES_MAX, TwinLimits};
use crate::twin::document::Object;

// A section of ordinary text at its limit, four bytes to a character, must be within the other bound.
const _: () = assert!(TwinLimits::DEFAULT.desired_bytes_max * 8 <= TWIN_JSON_BYTES_MAX);
const _: () = assert!(TwinLimits::DEFAULT.reported_bytes_max * 8 <= TWIN_JSON_BYTES_MAX);

/// The size that the limits are about: over all members the key and the value, each text by its characters without
/// control characters, a number 8, a boolean 4, null 0, an object its members, an array its elements.
///
/// The original's documentation says characters where its summaries say bytes of UTF-8; characters refuse less.
pub fn counted(object: &Object) -> usize {
    object.iter().map(|(key, value)| characters(key) + counted_value(value)).sum()
}

fn counted_value(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => characters(text),
        Value::Array(elements) => elements.iter().map(counted_value).sum(),
        Value::Object(members) => counted(members),
    }
}

/// C0 and C1 do not count.
fn characters(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
}

/// Bytes of the section's JSON form. Bounded by [`TWIN_JSON_BYTES_MAX`] as well, because much can be stored that counts
/// nothing: nulls in arrays, control characters, empty texts.
pub fn json_bytes(object: &Object) -> usize {
    /// Counts what is written.
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, object) {
        Ok(()) => count.0,
        // Cannot happen: keys are texts, and counting does not fail.
        Err(_) => usize::MAX,
    }
}

/// Whether the section `name` may become `new`: it is within its limits, or at least no bigger than it was.
pub fn check_growth(
    name: &str,
    old: &Object,
    new: &Object,
    counted_max: usize,
) -> Result<(), HubError> {
    for (measure, max) in [
        (counted as fn(&Object) -> usize, counted_max),
        (json_bytes as fn(&Object) -> usize, TWIN_JSON_BYTES_MAX),
    ] {
        let size = measure(new);
        if size > max && size > measure(old) {
            return Err(HubError::InvalidArgument(format!(
                "{name} would have a size of {size} bytes, at most {max} are allowed"
            )));
        }
    }
    Ok(())
}
