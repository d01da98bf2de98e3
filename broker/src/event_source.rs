//! The event log of this hub, as the Event Hubs-compatible endpoint sees it.

use std::sync::Arc;

use ironhub_cluster::storage::StateStore;
use ironhub_domain::HubError;
use ironhub_domain::event::{Event, StartPosition};
use ironhub_domain::partition::hub::DEFAULT_CONSUMER_GROUP;
use ironhub_domain::partition::{EventLog, HubInfo};
use ironhub_domain::time::UnixMs;
use tokio::sync::watch;

use crate::amqp::eventhub::EventSource;
use crate::partition::{EventReader, records};

/// Most events of one read; together with its bytes this bounds what a consumer costs at a time.
const READ_EVENTS_MAX: usize = 1024;

/// One reader per device partition, and the facts of the hub.
pub(crate) struct HubEvents {
    info: HubInfo,
    readers: Vec<EventReader>,
    store: Arc<dyn StateStore>,
}

impl HubEvents {
    pub(crate) fn new(
        info: HubInfo,
        readers: Vec<EventReader>,
        store: Arc<dyn StateStore>,
    ) -> Self {
        Self { info, readers, store }
    }

    fn reader(&self, partition: u32) -> Result<&EventReader, HubError> {
        self.readers
            .get(partition as usize)
            .ok_or_else(|| HubError::InvalidArgument(format!("there is no partition {partition}")))
    }
}

impl EventSource for HubEvents {
    fn partition_count(&self) -> u32 {
        self.info.partitions
    }

    fn entity_name(&self) -> &str {
        &self.info.entity
    }

    fn created_at(&self) -> UnixMs {
        self.info.created
    }

    fn has_consumer_group(&self, name: &str) -> bool {
        if name.eq_ignore_ascii_case(DEFAULT_CONSUMER_GROUP) {
            return true;
        }
        match records::consumer_groups(&*self.store) {
            Ok(groups) => groups.iter().any(|group| group.is_named(name)),
            Err(error) => {
                tracing::error!(%error, "consumer groups cannot be read");
                false
            }
        }
    }

    fn watch(&self, partition: u32) -> Option<watch::Receiver<EventLog>> {
        self.readers.get(partition as usize).map(EventReader::watermark)
    }

    fn resolve(&self, partition: u32, position: StartPosition) -> Result<u64, HubError> {
        self.reader(partition)?.resolve(position)
    }

    fn read(
        &self,
        partition: u32,
        sequence: u64,
        bytes_max: usize,
    ) -> Result<Vec<Event>, HubError> {
        self.reader(partition)?.read(sequence, bytes_max, READ_EVENTS_MAX)
    }
}
