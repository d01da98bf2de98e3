//! Metrics of the MQTT frontend.

use std::sync::OnceLock;
use std::time::Duration;

use ironhub_wire::mqtt::encode::ConnackCode;
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

/// Connections that ended after their CONNECT was accepted, by reason.
pub const CLOSED: &str = "ironhub.mqtt.closed.total";
/// Connections that ended before that, by reason: a CONNACK code or what went wrong.
pub const REFUSED: &str = "ironhub.mqtt.refused.total";
/// PUBLISH packets taken, by QoS.
pub const PUBLISHES: &str = "ironhub.mqtt.publishes.total";
/// Batches handed to devices: one per read that held a PUBLISH.
pub const BATCHES: &str = "ironhub.mqtt.batches.total";
/// From handing over a batch to its acknowledgements.
pub const ACK_SECONDS: &str = "ironhub.mqtt.ack.seconds";

pub(super) fn describe() {
    describe_counter!(CLOSED, Unit::Count, "MQTT connections that ended");
    describe_counter!(REFUSED, Unit::Count, "MQTT connections that were not let in");
    describe_counter!(PUBLISHES, Unit::Count, "PUBLISH packets taken");
    describe_counter!(BATCHES, Unit::Count, "batches of PUBLISH packets handed to devices");
    describe_histogram!(ACK_SECONDS, Unit::Seconds, "from handing over a batch to its PUBACKs");
}

pub(super) fn closed(reason: &'static str) {
    counter!(CLOSED, "reason" => reason).increment(1);
}

pub(super) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// The label of a refusal that the client was told.
pub(super) fn code_label(code: ConnackCode) -> &'static str {
    match code {
        ConnackCode::Accepted => "0",
        ConnackCode::UnacceptableProtocol => "1",
        ConnackCode::ServerUnavailable => "3",
        ConnackCode::NotAuthorized => "5",
    }
}

struct Published {
    qos0: Counter,
    qos1: Counter,
    batches: Counter,
}

pub(super) fn batch(messages: usize, to_acknowledge: usize) {
    static HANDLES: OnceLock<Published> = OnceLock::new();
    let handles = HANDLES.get_or_init(|| Published {
        qos0: counter!(PUBLISHES, "qos" => "0"),
        qos1: counter!(PUBLISHES, "qos" => "1"),
        batches: counter!(BATCHES),
    });
    handles.qos0.increment((messages - to_acknowledge) as u64);
    handles.qos1.increment(to_acknowledge as u64);
    handles.batches.increment(1);
}

pub(super) fn acknowledged(after: Duration) {
    static HANDLE: OnceLock<Histogram> = OnceLock::new();
    HANDLE.get_or_init(|| histogram!(ACK_SECONDS)).record(after.as_secs_f64());
}
