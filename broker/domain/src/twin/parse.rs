//! What clients send, read: strict JSON in UTF-8; of a key given twice the last counts.

use serde_json::Value;

use crate::HubError;
use crate::limits::TWIN_JSON_BYTES_MAX;
use crate::twin::check::check;
use crate::twin::document::Object;
use crate::twin::update::{SectionChange, TwinUpdate};

/// What a service's view of a section has at its root beside the properties. A service that reads a twin, changes it and
/// sends it back has it still, and it is passed over (service-protocols.md 2.6).
const READ_ONLY: [&str; 2] = ["$metadata", "$version"];

impl TwinUpdate {
    /// Reads the body of a PATCH: `tags` and `properties.desired` are merge patches. Everything else in it is passed over.
    ///
    /// A section that is null is one that is not there: serialisers write null for what nobody set, and clearing a section
    /// needs a null for each member or a PUT.
    pub fn parse_patch(body: &[u8]) -> Result<Self, HubError> {
        Self::parse(body, SectionChange::Patch)
    }

    /// Reads the body of a PUT: `tags` and `properties.desired`, where they are there, are whole sections.
    pub fn parse_replace(body: &[u8]) -> Result<Self, HubError> {
        Self::parse(body, SectionChange::Replace)
    }

    fn parse(body: &[u8], change: fn(Object) -> SectionChange) -> Result<Self, HubError> {
        Self::take(&mut read(body, TWIN_JSON_BYTES_MAX)?, change)
    }

    /// Takes `tags` and `properties.desired` out of an object that may be more than a twin.
    pub(crate) fn take(
        twin: &mut Object,
        change: fn(Object) -> SectionChange,
    ) -> Result<Self, HubError> {
        let tags = take_section(twin, "tags", "tags")?;
        let desired = match properties(twin)? {
            Some(properties) => take_section(properties, "desired", "properties.desired")?,
            None => None,
        };
        Ok(Self { tags: tags.map(change), desired: desired.map(change) })
    }
}

/// Takes `properties.reported` out of an object that has it as a service's view of a twin has.
pub(crate) fn take_reported(twin: &mut Object) -> Result<Option<Object>, HubError> {
    match properties(twin)? {
        Some(properties) => take_section(properties, "reported", "properties.reported"),
        None => Ok(None),
    }
}

fn properties(twin: &mut Object) -> Result<Option<&mut Object>, HubError> {
    match twin.get_mut("properties") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(properties)) => Ok(Some(properties)),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            refuse("properties is not an object".into())
        }
    }
}

/// A whole section, checked, without what only the hub writes.
fn take_section(object: &mut Object, member: &str, name: &str) -> Result<Option<Object>, HubError> {
    let Some(mut section) = take_object(object, member, name)? else {
        return Ok(None);
    };
    READ_ONLY.iter().for_each(|key| drop(section.remove(*key)));
    check(name, &section)?;
    Ok(Some(section))
}

/// Reads a device's patch of its reported properties. `$version` at its root, which some tools send, is passed over
/// (device-protocols.md 7.3).
pub fn parse_reported(body: &[u8]) -> Result<Object, HubError> {
    let mut patch = read(body, TWIN_JSON_BYTES_MAX)?;
    patch.remove("$version");
    check("properties.reported", &patch)?;
    Ok(patch)
}

fn take_object(object: &mut Object, member: &str, name: &str) -> Result<Option<Object>, HubError> {
    match object.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(section)) => Ok(Some(section)),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            refuse(format!("{name} is not an object"))
        }
    }
}

/// The object that a body is. Its size bounds what is built of it; the reader refuses deep nesting before the stack
/// feels it.
pub(crate) fn read(body: &[u8], bytes_max: usize) -> Result<Object, HubError> {
    if body.len() > bytes_max {
        return refuse(format!("the body has more than {bytes_max} bytes"));
    }
    let value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return refuse(format!("the body is not JSON: {error}")),
    };
    match value {
        Value::Object(_) if has_wide_integer(body) => refuse("an integer is too large".into()),
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            refuse("the body is not a JSON object".into())
        }
    }
}

/// Whether valid JSON has an integer of so many digits that the reader takes it for a floating point number, which would
/// pass for one in range.
fn has_wide_integer(json: &[u8]) -> bool {
    /// No 64-bit integer has more.
    const DIGITS_MAX: usize = 19;
    let (mut in_text, mut escaped) = (false, false);
    let (mut digits, mut is_integer) = (0, true);
    for &byte in json {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' | b'e' | b'E' if digits > 0 => is_integer = false,
            b'+' | b'-' => {}
            _ if is_integer && digits > DIGITS_MAX => return true,
            _ => {
                (digits, is_integer) = (0, true);
                in_text = byte == b'"';
            }
        }
    }
    false
}

fn refuse<T>(why: String) -> Result<T, HubError> {
    Err(HubError::InvalidArgument(why))
}
