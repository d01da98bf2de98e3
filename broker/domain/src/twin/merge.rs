//! JSON merge patch (RFC 7396).

use serde_json::Value;

use crate::twin::document::Object;

/// Merges `patch` into `target`: objects merge, null deletes, every other value replaces; arrays are values. An object
/// that becomes empty stays.
pub fn merge(target: &mut Object, patch: Object) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(&key);
            }
            Value::Object(patch) => {
                let member = target.entry(key).or_insert(Value::Null);
                if !member.is_object() {
                    *member = Value::Object(Object::new());
                }
                if let Value::Object(member) = member {
                    merge(member, patch);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                target.insert(key, value);
            }
        }
    }
}
