//! Where events come from: what the application hands in.

use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::event::{Event, StartPosition};
use ironhub_domain::partition::EventLog;
use ironhub_domain::time::UnixMs;
use tokio::sync::watch;

/// An event log of a hub, as consumers see it: the built-in one, or that of an endpoint. Partitions are numbered from 0.
pub trait EventSource: Send + Sync + 'static {
    /// Number of partitions.
    fn partition_count(&self) -> u32;

    /// Name of the event hub: EntityPath in connection strings.
    fn entity_name(&self) -> &str;

    /// The event log of an endpoint, by its name in any case; only the built-in log knows the others.
    fn other(&self, _name: &str) -> Option<Arc<dyn EventSource>> {
        None
    }

    /// What tells this log from every other, also from a later one of its name. The built-in log is 0.
    fn log(&self) -> u32 {
        0
    }

    /// Whether there is a log of that number now; only the built-in log knows.
    fn has_log(&self, log: u32) -> bool {
        log == self.log()
    }

    /// The names of the others.
    fn others(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether it is the built-in one, which is also `messages/events` on the hub's own name.
    fn is_built_in(&self) -> bool {
        true
    }

    /// When the hub was created.
    fn created_at(&self) -> UnixMs;

    /// Whether a consumer group of that name exists; names have no case.
    fn has_consumer_group(&self, name: &str) -> bool;

    /// Follows the counters of a partition; `None` if there is no such partition. Changes whenever events came or went.
    fn watch(&self, partition: u32) -> Option<watch::Receiver<EventLog>>;

    /// The sequence number of the first event a reader at this position gets. `InvalidArgument` if the position is beyond
    /// the end. May read the disk for offsets and times; never for the other positions.
    fn resolve(&self, partition: u32, position: StartPosition) -> Result<u64, HubError>;

    /// Events from `sequence` on (or from the oldest that is left): at least one if there is one, about `bytes_max` in all.
    /// Reads the disk: for a moment if the events are young, for longer if not.
    fn read(&self, partition: u32, sequence: u64, bytes_max: usize)
    -> Result<Vec<Event>, HubError>;
}
