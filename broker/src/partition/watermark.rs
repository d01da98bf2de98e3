//! How far each partition's event logs have been applied on this node: what readers wait for.

use std::collections::HashMap;
use std::sync::Arc;

use ironhub_cluster::GroupId;
use ironhub_domain::partition::{EventLog, Stream};
use parking_lot::Mutex;
use tokio::sync::watch;

/// The counters of every partition's event logs, as last applied here. Cheap to clone.
#[derive(Clone)]
pub struct Watermarks(Arc<[OfGroup]>);

struct OfGroup {
    built_in: watch::Sender<EventLog>,
    others: Mutex<HashMap<Stream, watch::Sender<EventLog>>>,
}

impl Watermarks {
    /// For the system partition and `partitions` device partitions.
    pub fn new(partitions: u32) -> Self {
        let of_group = |_| OfGroup {
            built_in: watch::Sender::new(EventLog::default()),
            others: Mutex::default(),
        };
        Self((0..=partitions).map(of_group).collect())
    }

    /// Follows one log of a partition, which may be empty still; `None` if the hub has no such partition.
    pub fn subscribe(&self, group: GroupId, stream: Stream) -> Option<watch::Receiver<EventLog>> {
        let of_group = self.0.get(group.0 as usize)?;
        Some(match stream {
            Stream::BUILT_IN => of_group.built_in.subscribe(),
            other => of_group.others.lock().entry(other).or_default().subscribe(),
        })
    }

    /// Called by the partition's machine once the state that `log` describes can be read.
    pub(super) fn publish(&self, group: GroupId, stream: Stream, log: EventLog) {
        let Some(of_group) = self.0.get(group.0 as usize) else { return };
        let send = |sender: &watch::Sender<EventLog>| {
            sender.send_if_modified(|current| std::mem::replace(current, log) != log);
        };
        match stream {
            Stream::BUILT_IN => send(&of_group.built_in),
            other => send(of_group.others.lock().entry(other).or_default()),
        }
    }
}
