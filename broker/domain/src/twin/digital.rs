//! A twin as a digital twin: what the model's language makes of the same document (service-protocols.md 2.12).
//!
//! A member that is an object with `"__t":"c"` is a component. A reported property of the form `{"value", "ac", "av", "ad"}`
//! acknowledges a desired one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::HubError;
use crate::ids::DeviceId;
use crate::limits::TWIN_JSON_BYTES_MAX;
use crate::twin::document::Object;
use crate::twin::metadata::Metadata;
use crate::twin::{SectionChange, Twin, TwinUpdate};

/// Marks a component.
const MARK: &str = "__t";
/// Most steps of one patch.
const STEPS_MAX: usize = 1000;

/// What services read: the properties with their values as reported, and in `$metadata` what is desired of each.
pub fn view(device: &DeviceId, model_id: &str, twin: &Twin) -> Object {
    let none = Metadata::default();
    let (desired, reported) = (&twin.desired, &twin.reported);
    let (mut view, mut metadata) = level(
        (Some(&desired.values), &desired.metadata),
        (Some(&reported.values), &reported.metadata),
        &none,
    );
    metadata.insert("$model".into(), model_id.into());
    view.insert("$dtId".into(), device.as_str().into());
    view.insert("$metadata".into(), metadata.into());
    view
}

type Half<'a> = (Option<&'a Object>, &'a Metadata);

fn level(desired: Half<'_>, reported: Half<'_>, none: &Metadata) -> (Object, Object) {
    let names: BTreeSet<&String> =
        [desired.0, reported.0].into_iter().flatten().flat_map(Object::keys).collect();
    let (mut values, mut metadata) = (Object::new(), Object::new());
    for name in names.into_iter().filter(|name| *name != MARK) {
        let of = |half: Half<'_>| half.1.members.get(name).cloned();
        let (wanted, told) =
            (desired.0.and_then(|d| d.get(name)), reported.0.and_then(|r| r.get(name)));
        let (wanted_at, told_at) = (of(desired), of(reported));
        let (inner_wanted, inner_told) = (component(wanted), component(told));
        if inner_wanted.is_some() || inner_told.is_some() {
            let (mut inside, inside_metadata) = level(
                (inner_wanted, wanted_at.as_ref().unwrap_or(none)),
                (inner_told, told_at.as_ref().unwrap_or(none)),
                none,
            );
            inside.insert("$metadata".into(), inside_metadata.into());
            values.insert(name.clone(), inside.into());
            continue;
        }
        let mut about = Object::new();
        if let Some(wanted) = wanted {
            about.insert("desiredValue".into(), wanted.clone());
            let version = wanted_at.as_ref().and_then(|metadata| metadata.stamp.version);
            about.insert("desiredVersion".into(), json!(version));
        }
        match told {
            Some(Value::Object(ack)) if ack.contains_key("value") && ack.contains_key("av") => {
                values.insert(name.clone(), ack["value"].clone());
                for (from, to) in
                    [("av", "ackVersion"), ("ac", "ackCode"), ("ad", "ackDescription")]
                {
                    ack.get(from).map(|value| about.insert(to.into(), value.clone()));
                }
            }
            Some(told) => drop(values.insert(name.clone(), told.clone())),
            None => {}
        }
        if let Some(at) = told_at.or(wanted_at) {
            about.insert("lastUpdateTime".into(), at.stamp.updated.iso8601().into());
        }
        metadata.insert(name.clone(), about.into());
    }
    (values, metadata)
}

fn component(value: Option<&Value>) -> Option<&Object> {
    value.and_then(Value::as_object).filter(|object| object.get(MARK) == Some(&json!("c")))
}

/// Reads a JSON Patch (RFC 6902; `add`, `replace` and `remove`) of the digital twin as a change of the desired properties.
/// `add` and `replace` both put; what is removed must be there.
pub fn patch(body: &[u8], twin: &Twin) -> Result<TwinUpdate, HubError> {
    if body.len() > TWIN_JSON_BYTES_MAX {
        return Err(wrong(format!("the body has more than {TWIN_JSON_BYTES_MAX} bytes")));
    }
    let steps: Vec<Value> = serde_json::from_slice(body)
        .map_err(|error| wrong(format!("the body is not a JSON Patch: {error}")))?;
    if steps.is_empty() || steps.len() > STEPS_MAX {
        return Err(wrong(format!("a JSON Patch has 1 to {STEPS_MAX} steps")));
    }
    let mut desired = twin.desired.values.clone();
    for step in &steps {
        let path = step["path"].as_str().ok_or_else(|| wrong("a step without a path".into()))?;
        let mut names = pointer(path)?;
        let last = names.pop().ok_or_else(|| wrong("the root cannot be patched".into()))?;
        let mut place = &mut desired;
        for (depth, name) in names.iter().enumerate() {
            let known = |values: &Object| values.contains_key(name);
            // What nobody has heard of and has members is a component: properties are put as a whole.
            let is_new = depth == 0 && !known(place);
            let told = twin.reported.values.get(name);
            let inside = place.entry(name.clone()).or_insert_with(|| Object::new().into());
            place = inside
                .as_object_mut()
                .ok_or_else(|| wrong(format!("{path}: {name} has no members")))?;
            if is_new && (told.is_none() || component(told).is_some()) {
                place.insert(MARK.into(), "c".into());
            }
        }
        match step["op"].as_str() {
            Some("add" | "replace") => {
                let value = step.get("value").cloned();
                let value = value.ok_or_else(|| wrong(format!("{path}: no value")))?;
                place.insert(last, plain(value));
            }
            Some("remove") => {
                place.remove(&last).ok_or_else(|| wrong(format!("{path} does not exist")))?;
            }
            _ => return Err(wrong(format!("{path}: op is none of add, replace, remove"))),
        }
    }
    let change = SectionChange::Patch(difference(&twin.desired.values, desired));
    Ok(TwinUpdate { tags: None, desired: Some(change) })
}

/// The names of a JSON Pointer (RFC 6901).
fn pointer(path: &str) -> Result<Vec<String>, HubError> {
    let rest = path.strip_prefix('/').ok_or_else(|| wrong(format!("{path:?} is no path")))?;
    let name = |name: &str| match name {
        "" | "$metadata" | "$dtId" | MARK => Err(wrong(format!("{path:?} cannot be patched"))),
        name => Ok(name.replace("~1", "/").replace("~0", "~")),
    };
    rest.split('/').map(name).collect()
}

/// A component comes with a `$metadata` of its own; here its mark says what it is.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(mut object) if object.contains_key("$metadata") => {
            object.remove("$metadata");
            object.insert(MARK.into(), "c".into());
            object.into()
        }
        other => other,
    }
}

/// The merge patch that makes `new` of `old` (RFC 7396).
fn difference(old: &Object, new: Object) -> Object {
    let mut patch = Object::new();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in new {
        match (old.get(&name), value) {
            (Some(old), value) if *old == value => {}
            (Some(Value::Object(old)), Value::Object(value)) => {
                patch.insert(name, difference(old, value).into());
            }
            (_, value) => drop(patch.insert(name, value)),
        }
    }
    patch
}

fn wrong(why: String) -> HubError {
    HubError::InvalidArgument(why)
}
