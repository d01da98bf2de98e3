//! What a member of a section may be: its key, its value, its depth (device-protocols.md 7.3, service-protocols.md 2.6).

use std::fmt;

use serde_json::{Number, Value};

use crate::HubError;
use crate::limits::{
    TWIN_DEPTH_MAX, TWIN_INTEGER_MAX, TWIN_INTEGER_MIN, TWIN_KEY_BYTES_MAX, TWIN_STRING_BYTES_MAX,
};
use crate::twin::document::Object;

/// Whether all of a patch or a whole section keeps the rules. `name` is the section's, for the text of a refusal.
///
/// Objects and arrays below the section's root are levels: there may be ten of them, one in another, around the innermost
/// value. Keys are checked where they delete, too.
pub fn check(name: &str, section: &Object) -> Result<(), HubError> {
    check_members(section, &Path { parent: None, name }, 0)
}

/// Where a member is.
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Of a key that is far too long nobody needs to see more.
        const SHOWN_CHARS: usize = 64;
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        match self.name.char_indices().nth(SHOWN_CHARS) {
            Some((end, _)) => write!(f, "{}...", self.name[..end].escape_debug()),
            None => write!(f, "{}", self.name.escape_debug()),
        }
    }
}

fn refuse(path: &Path<'_>, why: impl fmt::Display) -> Result<(), HubError> {
    Err(HubError::InvalidArgument(format!("{path}: {why}")))
}

fn check_members(members: &Object, path: &Path<'_>, depth: usize) -> Result<(), HubError> {
    for (key, value) in members {
        let path = Path { parent: Some(path), name: key };
        check_key(key, &path)?;
        check_value(value, &path, depth)?;
    }
    Ok(())
}

fn check_key(key: &str, path: &Path<'_>) -> Result<(), HubError> {
    if key.len() > TWIN_KEY_BYTES_MAX {
        return refuse(path, format_args!("the key has more than {TWIN_KEY_BYTES_MAX} bytes"));
    }
    match key.chars().find(|c| c.is_control() || matches!(c, '.' | '$' | ' ')) {
        Some(bad) => refuse(path, format_args!("the key has the character {bad:?}")),
        None => Ok(()),
    }
}

/// `depth` objects and arrays lie around the value, the section's root not counted.
fn check_value(value: &Value, path: &Path<'_>, depth: usize) -> Result<(), HubError> {
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => check_number(number, path),
        Value::String(text) if text.len() > TWIN_STRING_BYTES_MAX => {
            refuse(path, format_args!("the text has more than {TWIN_STRING_BYTES_MAX} bytes"))
        }
        Value::String(_) => Ok(()),
        Value::Array(_) | Value::Object(_) if depth == TWIN_DEPTH_MAX => {
            refuse(path, format_args!("nested deeper than {TWIN_DEPTH_MAX} levels"))
        }
        Value::Array(elements) => {
            elements.iter().try_for_each(|element| check_value(element, path, depth + 1))
        }
        Value::Object(members) => check_members(members, path, depth + 1),
    }
}

/// Integers have a range; anything with a fraction or an exponent may be what a double can be.
fn check_number(number: &Number, path: &Path<'_>) -> Result<(), HubError> {
    let in_range = match number.as_i64() {
        Some(integer) => (TWIN_INTEGER_MIN..=TWIN_INTEGER_MAX).contains(&integer),
        None => number.is_f64(),
    };
    if in_range {
        return Ok(());
    }
    refuse(path, format_args!("{number} is outside {TWIN_INTEGER_MIN} to {TWIN_INTEGER_MAX}"))
}
