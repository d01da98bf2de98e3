//! HTTPS requests.

use metrics::{Unit, counter, describe_counter};

/// Requests answered, by operation and status.
pub const REQUESTS: &str = "ironhub.http.requests.total";

pub(super) fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "HTTPS requests answered");
}

/// Statuses are few: those of `http::errors` and of success.
pub(crate) fn answered(operation: &'static str, status: u16) {
    counter!(REQUESTS, "operation" => operation, "status" => status.to_string()).increment(1);
}
