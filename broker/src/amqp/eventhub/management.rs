//! READ requests of `$management` (service-protocols.md 4.3).

use ironhub_domain::partition::EventLog;
use ironhub_wire::amqp::{Array, Map, Text, Value, condition};

use super::EventSource;
use super::receive::parse_partition;
use super::render::{last_offset, last_sequence, long};
use crate::amqp::address;
use crate::amqp::requests::{Answer, Request};

const EVENT_HUB: &str = "com.microsoft:eventhub";
const PARTITION: &str = "com.microsoft:partition";

/// Answers a request.
pub(in crate::amqp) fn answer(request: &Request, source: &dyn EventSource) -> Answer {
    match request.text("operation") {
        Some("READ") => {}
        other => {
            let text = format!("operation {:?} is not offered, only READ", other.unwrap_or(""));
            return Answer::failed(400, Some(condition::NOT_ALLOWED), &text);
        }
    }
    // Clients that name no event hub can only mean the one that there is.
    let name = request.text("name").unwrap_or(source.entity_name());
    if !is_entity(name, source) {
        let text = format!("there is no event hub {name:?}");
        return Answer::failed(404, Some(condition::NOT_FOUND), &text);
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

/// Whether a name means the hub's one event hub.
pub(in crate::amqp) fn is_entity(name: &str, source: &dyn EventSource) -> bool {
    address::is_exactly_built_in(name)
        || address::relative(name).eq_ignore_ascii_case(source.entity_name())
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
        let text = format!("there is no partition {id:?}");
        return Answer::failed(404, Some(condition::NOT_FOUND), &text);
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
