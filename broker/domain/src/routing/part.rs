//! One route, endpoint or enrichment of a routing document, read and changed by itself.

use serde_json::Value;

use super::json::read::{
    ENDPOINT_KINDS, read_enrichment, read_fallback, read_route, read_typed_endpoint,
};
use super::route::{Enrichment, Routing};
use crate::HubError;
use crate::limits::ROUTING_JSON_BYTES_MAX;

/// What the fallback route is called among the routes.
const FALLBACK: &str = "$fallback";

/// A part of a routing document, by its name; names have no case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A route; `$fallback` is the fallback route, which is always there.
    Route(&'a str),
    /// An endpoint.
    Endpoint(&'a str),
    /// The enrichments with a key: one for each set of endpoints, or only one.
    Enrichment(&'a str),
}

impl Routing {
    /// The part as services may read it, secrets masked; `None` if there is none. An endpoint has its `type`; of several
    /// enrichments it is an array.
    pub fn part_json(&self, part: Part<'_>) -> Option<Value> {
        let document = self.to_json_masked();
        let named = |list: &Value, member: &str, name: &str| {
            let is_it = |value: &&Value| {
                value[member].as_str().is_some_and(|text| text.eq_ignore_ascii_case(name))
            };
            list.as_array().into_iter().flatten().filter(is_it).cloned().collect::<Vec<_>>()
        };
        let one = |mut found: Vec<Value>| match found.len() {
            0 | 1 => found.pop(),
            _ => Some(Value::Array(found)),
        };
        match part {
            Part::Route(name) if name.eq_ignore_ascii_case(FALLBACK) => {
                Some(document["fallbackRoute"].clone())
            }
            Part::Route(name) => one(named(&document["routes"], "name", name)),
            Part::Enrichment(key) => one(named(&document["enrichments"], "key", key)),
            Part::Endpoint(name) => ENDPOINT_KINDS.iter().find_map(|(list, kind, _)| {
                let mut found = one(named(&document["endpoints"][list], "name", name))?;
                found["type"] = (*kind).into();
                Some(found)
            }),
        }
    }

    /// Puts a part of a JSON body in the place of that name, or adds it; true if it was not there. The body may leave the
    /// name out. What it says is checked with the whole document.
    pub fn put_part(&mut self, part: Part<'_>, body: &[u8]) -> Result<bool, HubError> {
        if body.len() > ROUTING_JSON_BYTES_MAX {
            let (size, max) = (body.len(), ROUTING_JSON_BYTES_MAX);
            return Err(HubError::MessageTooLarge { size, max });
        }
        let mut value: Value = serde_json::from_slice(body)
            .map_err(|error| HubError::InvalidArgument(format!("the body is not JSON: {error}")))?;
        match part {
            Part::Route(name) if name.eq_ignore_ascii_case(FALLBACK) => {
                self.fallback.enabled = read_fallback(&value)?;
                Ok(false)
            }
            Part::Route(name) => {
                name_it(&mut value, "name", name)?;
                let route = read_route(&value)?;
                let is_it = |r: &super::Route| r.name.eq_ignore_ascii_case(name);
                Ok(put(&mut self.routes, is_it, vec![route]))
            }
            Part::Endpoint(name) => {
                name_it(&mut value, "name", name)?;
                let endpoint = read_typed_endpoint(&value)?;
                let is_it = |e: &super::Endpoint| e.name.eq_ignore_ascii_case(name);
                Ok(put(&mut self.endpoints, is_it, vec![endpoint]))
            }
            Part::Enrichment(key) => {
                let mut values = match value {
                    Value::Array(values) => values,
                    other => vec![other],
                };
                values.iter_mut().try_for_each(|value| name_it(value, "key", key))?;
                let enrichments =
                    values.iter().map(read_enrichment).collect::<Result<Vec<_>, _>>()?;
                let is_it = |e: &Enrichment| e.key.eq_ignore_ascii_case(key);
                Ok(put(&mut self.enrichments, is_it, enrichments))
            }
        }
    }

    /// Removes a part; false if there is none. The fallback route is disabled by that.
    pub fn remove_part(&mut self, part: Part<'_>) -> bool {
        match part {
            Part::Route(name) if name.eq_ignore_ascii_case(FALLBACK) => {
                std::mem::replace(&mut self.fallback.enabled, false)
            }
            Part::Route(name) => {
                !put(&mut self.routes, |r| r.name.eq_ignore_ascii_case(name), Vec::new())
            }
            Part::Endpoint(name) => {
                !put(&mut self.endpoints, |e| e.name.eq_ignore_ascii_case(name), Vec::new())
            }
            Part::Enrichment(key) => {
                !put(&mut self.enrichments, |e| e.key.eq_ignore_ascii_case(key), Vec::new())
            }
        }
    }
}

/// Puts `new` where the first of the old ones was, or at the end; true if there was none.
fn put<T>(list: &mut Vec<T>, is_old: impl Fn(&T) -> bool, new: Vec<T>) -> bool {
    let place = list.iter().position(&is_old);
    list.retain(|element| !is_old(element));
    let at = place.unwrap_or(list.len());
    list.splice(at..at, new);
    place.is_none()
}

/// Gives a body the name of its path; one that has another name already is refused.
fn name_it(value: &mut Value, member: &str, name: &str) -> Result<(), HubError> {
    let Value::Object(members) = value else {
        return Err(HubError::InvalidArgument(format!("the body of {name:?} is no object")));
    };
    match members.get(member) {
        None | Some(Value::Null) => {
            members.insert(member.to_owned(), name.into());
            Ok(())
        }
        Some(Value::String(text)) if text.eq_ignore_ascii_case(name) => Ok(()),
        Some(other) => Err(HubError::InvalidArgument(format!(
            "the {member} in the body is {other}, that in the path is {name:?}"
        ))),
    }
}
