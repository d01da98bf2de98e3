//! The figures of this crate. Names start with `ironhub.raft.`; labels have few values.

use std::sync::OnceLock;

use metrics::{Counter, Histogram, Unit, describe_counter, describe_histogram};

use crate::partition::ProposeError;

/// Log entries proposed by this node.
pub const ENTRIES: &str = "ironhub.raft.entries.total";
/// Commands in a proposed entry.
pub const ENTRY_COMMANDS: &str = "ironhub.raft.entry.commands";
/// Duration of a synced log write.
pub const WRITE_SECONDS: &str = "ironhub.raft.write.seconds";
/// Duration of one apply round of one group.
pub const APPLY_SECONDS: &str = "ironhub.raft.apply.seconds";
/// Proposals that were not carried out, by `kind`.
pub const REFUSED: &str = "ironhub.raft.refused.total";

struct Handles {
    entries: Counter,
    entry_commands: Histogram,
    write_seconds: Histogram,
    apply_seconds: Histogram,
}

static HANDLES: OnceLock<Handles> = OnceLock::new();

/// Registers the figures with the recorder of the process. The recorder must be installed before the first node
/// starts; later calls change nothing.
pub fn describe() {
    handles();
}

fn handles() -> &'static Handles {
    HANDLES.get_or_init(|| {
        describe_counter!(ENTRIES, Unit::Count, "Log entries proposed by this node");
        describe_histogram!(ENTRY_COMMANDS, Unit::Count, "Commands in a proposed log entry");
        describe_histogram!(WRITE_SECONDS, Unit::Seconds, "Duration of a synced log write");
        describe_histogram!(APPLY_SECONDS, Unit::Seconds, "Duration of one apply round");
        describe_counter!(REFUSED, Unit::Count, "Proposals that were not carried out, by kind");
        Handles {
            entries: metrics::counter!(ENTRIES),
            entry_commands: metrics::histogram!(ENTRY_COMMANDS),
            write_seconds: metrics::histogram!(WRITE_SECONDS),
            apply_seconds: metrics::histogram!(APPLY_SECONDS),
        }
    })
}

pub(crate) fn entry(commands: usize) {
    let handles = handles();
    handles.entries.increment(1);
    handles.entry_commands.record(commands as f64);
}

pub(crate) fn log_write(seconds: f64) {
    handles().write_seconds.record(seconds);
}

pub(crate) fn apply_round(seconds: f64) {
    handles().apply_seconds.record(seconds);
}

pub(crate) fn refused(error: &ProposeError) {
    metrics::counter!(REFUSED, "kind" => error.kind()).increment(1);
}
