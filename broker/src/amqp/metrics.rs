//! Counters of the AMQP frontend.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Connections that were opened.
const OPENED: &str = "ironhub.amqp.connections.opened.total";
/// Tokens put or sent with PLAIN, by outcome.
const TOKENS: &str = "ironhub.amqp.tokens.total";
/// Links refused, by condition.
const REFUSED: &str = "ironhub.amqp.links.refused.total";
/// Event receivers attached now.
const RECEIVERS: &str = "ironhub.events.receivers";
/// Events written to receivers.
const DELIVERED: &str = "ironhub.events.delivered.total";

pub(super) fn describe() {
    describe_counter!(OPENED, Unit::Count, "AMQP connections that were opened");
    describe_counter!(TOKENS, Unit::Count, "tokens brought over AMQP, by outcome");
    describe_counter!(REFUSED, Unit::Count, "AMQP links refused, by condition");
    describe_gauge!(RECEIVERS, Unit::Count, "event receivers attached now");
    describe_counter!(DELIVERED, Unit::Count, "events written to receivers");
}

pub(super) fn opened() {
    counter!(OPENED).increment(1);
}

pub(super) fn token(accepted: bool) {
    counter!(TOKENS, "outcome" => if accepted { "accepted" } else { "refused" }).increment(1);
}

pub(super) fn refused(condition: &'static str) {
    counter!(REFUSED, "condition" => condition).increment(1);
}

pub(super) fn receiver_attached() {
    gauge!(RECEIVERS).increment(1.0);
}

pub(super) fn receiver_gone() {
    gauge!(RECEIVERS).decrement(1.0);
}

pub(super) fn delivered(events: u64) {
    counter!(DELIVERED).increment(events);
}
