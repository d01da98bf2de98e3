//! How far each partition's event log has been applied on this node: what readers wait for.

use std::sync::Arc;

use ironhub_cluster::GroupId;
use ironhub_domain::partition::EventLog;
use tokio::sync::watch;

/// The counters of every partition's event log, as last applied here. Cheap to clone.
#[derive(Clone)]
pub struct Watermarks(Arc<[watch::Sender<EventLog>]>);

impl Watermarks {
    /// For the system partition and `partitions` device partitions.
    pub fn new(partitions: u32) -> Self {
        Self((0..=partitions).map(|_| watch::Sender::new(EventLog::default())).collect())
    }

    /// Follows one partition; `None` if the hub has no such partition.
    pub fn subscribe(&self, group: GroupId) -> Option<watch::Receiver<EventLog>> {
        self.0.get(group.0 as usize).map(watch::Sender::subscribe)
    }

    /// Called by the partition's machine once the state that `log` describes can be read.
    pub(super) fn publish(&self, group: GroupId, log: EventLog) {
        if let Some(sender) = self.0.get(group.0 as usize) {
            sender.send_if_modified(|current| std::mem::replace(current, log) != log);
        }
    }
}
