//! READ requests of `$management` (service-protocols.md 4.3).

use std::sync::Arc;

use ironhub_domain::partition::EventLog;
use ironhub_wire::amqp::{Array, Map, Text, Value, condition};

use super::receive::parse_partition;
use super::render::{last_offset, last_sequence, long};
use super::{EventSource, missing};
use crate::amqp::address;
use crate::amqp::requests::{Answer, Request};

const EVENT_HUB: &str = "com.microsoft:eventhub";
const PARTITION: &str = "com.microsoft:partition";

/// Answers a request about an event log.
pub(in crate::amqp) fn answer(request: &Request, source: &dyn EventSource) -> Answer {
    match request.text("operation") {
        Some("READ") => {}
        other => {
            let text = format!("operation {:?} is not offered, only READ", other.unwrap_or(""));
            return Answer::failed(400, Some(condition::NOT_ALLOWED), &text);
        }
    }
    match request.text("type") {
        Some(EVENT_HUB) => Answer::ok(Value::Map(event_hub(source))),
        Some(PARTITION) => partition(request, source),
        other => {
            let text = format!("type {:?} is not offered", other.unwrap_or(""));
            Answer::failed(400, Some(condition::ARGUMENT_ERROR), &text)
        }
    }
}

/// The event log that a name means; `built_in` is that of the hub itself.
pub(in crate::amqp) fn find(
    built_in: &Arc<dyn EventSource>,
    name: &str,
) -> Option<Arc<dyn EventSource>> {
    let path = address::relative(name);
    let is_built_in =
        address::is_exactly_built_in(name) || path.eq_ignore_ascii_case(built_in.entity_name());
    if is_built_in { Some(built_in.clone()) } else { built_in.other(path) }
}

/// The event log that a request is about. Clients that name none mean the built-in one.
pub(in crate::amqp) fn asked(
    request: &Request,
    built_in: &Arc<dyn EventSource>,
) -> Result<Arc<dyn EventSource>, Answer> {
    let Some(name) = request.text("name") else { return Ok(built_in.clone()) };
    find(built_in, name)
        .ok_or_else(|| Answer::failed(404, Some(condition::NOT_FOUND), &missing("event hub", name)))
}

/// Names of where an event log's properties are asked for, for a token's scope.
pub(in crate::amqp) fn management_paths(source: &dyn EventSource) -> Vec<String> {
    let mut paths = vec![format!("{}/$management", source.entity_name())];
    if source.is_built_in() {
        paths.push(format!("{}/$management", address::BUILT_IN));
    }
    paths
}

fn event_hub(source: &dyn EventSource) -> Map {
    let ids = (0..source.partition_count()).map(|id| Text::from(id.to_string()));
    Map::default()
        .with_string_key("name", text(source.entity_name()))
        .with_string_key("type", Value::string(EVENT_HUB))
        .with_string_key("created_at", Value::Timestamp(long(source.created_at().0)))
        .with_string_key("partition_count", Value::Int(source.partition_count() as i32))
        .with_string_key("partition_ids", Value::Array(Array::strings(ids)))
        .with_string_key("georeplication_factor", Value::Int(1))
}

fn partition(request: &Request, source: &dyn EventSource) -> Answer {
    let id = request.text("partition").unwrap_or("");
    let number = parse_partition(id).filter(|number| *number < source.partition_count());
    let Some(watch) = number.and_then(|number| source.watch(number)) else {
        return Answer::failed(404, Some(condition::NOT_FOUND), &missing("partition", id));
    };
    let log: EventLog = *watch.borrow();
    let map = Map::default()
        .with_string_key("name", text(source.entity_name()))
        .with_string_key("type", Value::string(PARTITION))
        .with_string_key("partition", text(id))
        .with_string_key("begin_sequence_number", Value::Long(long(log.first_sequence)))
        .with_string_key("last_enqueued_sequence_number", Value::Long(last_sequence(&log)))
        .with_string_key("last_enqueued_offset", text(&last_offset(&log)))
        .with_string_key("last_enqueued_time_utc", Value::Timestamp(long(log.last_enqueued.0)))
        .with_string_key(
            "is_partition_empty",
            Value::Bool(log.first_sequence == log.next_sequence),
        );
    Answer::ok(Value::Map(map))
}

fn text(text: &str) -> Value {
    Value::String(Text::from(text))
}
