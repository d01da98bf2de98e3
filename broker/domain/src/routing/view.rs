//! A message as conditions see it (service-protocols.md 4.11).

use std::cell::OnceCell;

use serde_json::Value;

use super::body;
use crate::event::{D2cMessage, Origin};
use crate::query::{Datum, Row, Step, walk};
use crate::time::UnixMs;

/// A message with what belongs to it. Its body is read at most once, when the first condition asks for it.
pub struct MessageView<'a> {
    message: &'a D2cMessage,
    origin: Option<&'a Origin>,
    enqueued: UnixMs,
    twin: Option<&'a dyn Row>,
    body: OnceCell<Option<Value>>,
}

impl<'a> MessageView<'a> {
    /// A message that came then. `origin` says who sent it; in a trial nobody did. `twin` is the sender's; it is needed if
    /// [`RoutingTable::needs_twin`](super::RoutingTable::needs_twin) says so, and without it all of it is undefined.
    pub fn new(
        message: &'a D2cMessage,
        origin: Option<&'a Origin>,
        enqueued: UnixMs,
        twin: Option<&'a dyn Row>,
    ) -> Self {
        Self { message, origin, enqueued, twin, body: OnceCell::new() }
    }

    /// The value at a path into the twin.
    pub(super) fn twin(&self, path: &[Step]) -> Option<Datum<'_>> {
        let twin = self.twin?;
        if path.is_empty() {
            return None;
        }
        twin.value(path).or_else(|| in_any_case(twin, path))
    }

    fn body(&self, path: &[Step]) -> Option<Datum<'_>> {
        // The whole of the body, and an array that it is, are no values (the original's documentation says undefined).
        let [Step::Name(_), ..] = path else { return None };
        let parsed = || body::parse(&self.message.system, &self.message.body);
        walk(self.body.get_or_init(parsed).as_ref()?, path).map(Datum::from)
    }

    fn system(&self, name: &str) -> Option<Datum<'_>> {
        let system = &self.message.system;
        let own = match name {
            "$messageId" => &system.message_id,
            "$correlationId" => &system.correlation_id,
            "$userId" => &system.user_id,
            "$to" => &system.to,
            "$contentType" => &system.content_type,
            "$contentEncoding" => &system.content_encoding,
            "$dt-subject" => &system.component_name,
            "$creation-time-utc" => &system.creation_time,
            "$enqueuedTime" => return Some(Datum::owned(self.enqueued.registry_time())),
            _ => return self.stamped(name).map(Datum::text),
        };
        own.as_deref().map(Datum::text)
    }

    /// What the hub stamps.
    fn stamped(&self, name: &str) -> Option<&str> {
        let origin = self.origin?;
        match name {
            "$connectionDeviceId" => Some(origin.device.as_str()),
            "$connectionModuleId" => origin.module.as_ref().map(|module| module.as_str()),
            "$connectionDeviceGenerationId" => Some(&origin.generation),
            "$connectionAuthMethod" => Some(origin.auth.json()),
            "$dt-dataschema" => origin.model_id.as_deref(),
            _ => None,
        }
    }

    /// An application property, whose name counts in any case; of several the first. A name may have full stops, which a
    /// condition writes as a path.
    fn application(&self, path: &[Step]) -> Option<Datum<'_>> {
        let names = path.iter().map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        });
        let name = names.collect::<Option<Vec<_>>>()?.join(".");
        let mut properties = self.message.properties.iter();
        let property = properties.find(|property| property.name.eq_ignore_ascii_case(&name))?;
        Some(property.value.as_deref().map_or(Datum::Null, Datum::text))
    }
}

impl Row for MessageView<'_> {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        match path {
            [Step::Name(name), rest @ ..] if name == "$body" => self.body(rest),
            [Step::Name(name), rest @ ..] if name == "$twin" => self.twin(rest),
            [Step::Name(name)] if name.starts_with('$') => {
                self.system(name).or_else(|| self.application(path))
            }
            path => self.application(path),
        }
    }
}

/// The original does not tell a twin's names apart by case in routes. What has the very name comes first; only without it
/// one of another case is looked for.
fn in_any_case<'a>(twin: &'a dyn Row, path: &[Step]) -> Option<Datum<'a>> {
    let section = match path {
        [Step::Name(name), ..] if name == "tags" => 1,
        [Step::Name(name), _, ..] if name == "properties" => 2,
        _ => return None,
    };
    let (section, rest) = path.split_at(section);
    let mut value = &twin.value(section)?.into_value();
    for step in rest {
        value = match (step, value) {
            (Step::Index(index), Value::Array(elements)) => elements.get(*index)?,
            (Step::Name(name), Value::Object(members)) => {
                let mut similar = members.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
                members.get(name).or_else(|| similar.next().map(|(_, value)| value))?
            }
            _ => return None,
        };
    }
    Some(value.clone().into())
}
