//! Roll-outs of configurations.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Configurations that are being rolled out.
pub const ROLLOUTS: &str = "ironhub.configurations.rollouts";
/// Twins that roll-outs brought into line, by result: `done` or `failed`.
pub const TWINS: &str = "ironhub.configurations.twins.total";

pub(super) fn describe() {
    describe_gauge!(ROLLOUTS, Unit::Count, "Configurations that are being rolled out");
    describe_counter!(TWINS, Unit::Count, "Twins that roll-outs brought into line");
}

/// A roll-out begins, or ends.
pub(crate) fn rolling_out(begins: bool) {
    gauge!(ROLLOUTS).set(if begins { 1.0 } else { 0.0 });
}

/// A twin was brought into line by a roll-out, or could not be.
pub(crate) fn configured(done: bool) {
    counter!(TWINS, "result" => if done { "done" } else { "failed" }).increment(1);
}
