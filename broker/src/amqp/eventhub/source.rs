//! Where events come from: what the application hands in.

use ironhub_domain::HubError;
use ironhub_domain::event::{Event, StartPosition};
use ironhub_domain::partition::EventLog;
use ironhub_domain::time::UnixMs;
use tokio::sync::watch;

/// The event log of a hub, as consumers see it. Partitions are numbered from 0.
pub trait EventSource: Send + Sync + 'static {
    /// Number of partitions.
    fn partition_count(&self) -> u32;

    /// Name of the event hub: EntityPath in connection strings.
    fn entity_name(&self) -> &str;

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
