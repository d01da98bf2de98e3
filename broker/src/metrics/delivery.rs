//! Deliveries to the endpoints of routes, by endpoint; a hub has ten at most.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const DELIVERED: &str = "ironhub.routing.delivered.total";
const RETRIED: &str = "ironhub.routing.retried.total";
const DEAD_LETTERED: &str = "ironhub.routing.dead_lettered.total";
const DROPPED: &str = "ironhub.routing.dropped.total";
const BACKLOG: &str = "ironhub.routing.backlog";

pub(super) fn describe() {
    describe_counter!(DELIVERED, Unit::Count, "messages that an endpoint took");
    describe_counter!(RETRIED, Unit::Count, "deliveries to an endpoint that failed");
    describe_counter!(
        DEAD_LETTERED,
        Unit::Count,
        "messages that an endpoint never took and that went to its dead letters"
    );
    describe_counter!(
        DROPPED,
        Unit::Count,
        "messages that an endpoint never took and that are gone"
    );
    describe_gauge!(BACKLOG, Unit::Count, "messages that wait for an endpoint");
}

pub(crate) fn delivered(endpoint: &str, count: u64) {
    counter!(DELIVERED, "endpoint" => endpoint.to_owned()).increment(count);
}

pub(crate) fn retried(endpoint: &str) {
    counter!(RETRIED, "endpoint" => endpoint.to_owned()).increment(1);
}

pub(crate) fn dead_lettered(endpoint: &str, count: u64) {
    counter!(DEAD_LETTERED, "endpoint" => endpoint.to_owned()).increment(count);
}

pub(crate) fn dropped(endpoint: &str, count: u64) {
    counter!(DROPPED, "endpoint" => endpoint.to_owned()).increment(count);
}

pub(crate) fn backlog(endpoint: &str, count: u64) {
    gauge!(BACKLOG, "endpoint" => endpoint.to_owned()).set(count as f64);
}
