//! The event logs of this hub, as the Event Hubs-compatible endpoint sees them.

use std::sync::Arc;

use anyhow::Context;
use ironhub_cluster::GroupId;
use ironhub_cluster::storage::StateStore;
use ironhub_domain::HubError;
use ironhub_domain::event::{Event, StartPosition};
use ironhub_domain::partition::hub::DEFAULT_CONSUMER_GROUP;
use ironhub_domain::partition::{EventLog, HubInfo, Stream};
use ironhub_domain::routing::{Endpoint, EndpointKind};
use ironhub_domain::time::UnixMs;
use tokio::sync::watch;

use crate::actor::NodeFacts;
use crate::amqp::eventhub::EventSource;
use crate::partition::{EventReader, Watermarks, records};

/// Most events of one read; together with its bytes this bounds what a consumer costs at a time.
const READ_EVENTS_MAX: usize = 1024;

/// One reader per device partition, and the facts of the hub.
pub(crate) struct HubEvents {
    info: HubInfo,
    readers: Vec<EventReader>,
    store: Arc<dyn StateStore>,
    /// Which log it is.
    stream: Stream,
    /// Where the logs of endpoints are found; in one of those there is nothing to find.
    others: Option<Others>,
}

/// What finds the logs of endpoints.
pub(crate) struct Others {
    pub(crate) facts: Arc<NodeFacts>,
    pub(crate) watermarks: Watermarks,
}

impl HubEvents {
    /// The built-in log.
    pub(crate) fn new(
        info: HubInfo,
        store: Arc<dyn StateStore>,
        others: Others,
    ) -> anyhow::Result<Self> {
        let readers = readers(&info, &store, &others.watermarks, Stream::BUILT_IN)
            .context("a partition without watermark")?;
        Ok(Self { info, readers, store, stream: Stream::BUILT_IN, others: Some(others) })
    }

    fn reader(&self, partition: u32) -> Result<&EventReader, HubError> {
        self.readers
            .get(partition as usize)
            .ok_or_else(|| HubError::InvalidArgument(format!("there is no partition {partition}")))
    }
}

/// One reader of a log for each device partition.
fn readers(
    info: &HubInfo,
    store: &Arc<dyn StateStore>,
    watermarks: &Watermarks,
    stream: Stream,
) -> Option<Vec<EventReader>> {
    let of_group = |group: GroupId| {
        let watermark = watermarks.subscribe(group, stream)?;
        Some(EventReader::new(store.clone(), group, stream, watermark))
    };
    // Group 0 is the hub's own.
    (1..=info.partitions).map(GroupId).map(of_group).collect()
}

impl EventSource for HubEvents {
    fn partition_count(&self) -> u32 {
        self.info.partitions
    }

    fn entity_name(&self) -> &str {
        &self.info.entity
    }

    fn other(&self, name: &str) -> Option<Arc<dyn EventSource>> {
        let Others { facts, watermarks } = self.others.as_ref()?;
        let routes = facts.routes.load();
        let is_it = |endpoint: &Endpoint| {
            endpoint.kind == EndpointKind::EventLog && endpoint.name.eq_ignore_ascii_case(name)
        };
        let place = routes.table().endpoints().iter().position(is_it)?;
        let entity = routes.table().endpoints().get(place)?.name.clone();
        let stream = routes.stream(place)?;
        let readers = readers(&self.info, &self.store, watermarks, stream)?;
        let info = HubInfo { entity, ..self.info.clone() };
        Some(Arc::new(Self { info, readers, store: self.store.clone(), stream, others: None }))
    }

    fn log(&self) -> u32 {
        self.stream.0
    }

    fn has_log(&self, log: u32) -> bool {
        let Some(Others { facts, .. }) = &self.others else { return log == self.log() };
        let routes = facts.routes.load();
        let mut endpoints = routes.table().endpoints().iter().enumerate();
        // One that became an endpoint of another kind has its stream still, but is nothing to read from.
        let is_it = |(place, endpoint): (usize, &Endpoint)| {
            endpoint.kind == EndpointKind::EventLog && routes.stream(place) == Some(Stream(log))
        };
        log == self.log() || endpoints.any(is_it)
    }

    fn others(&self) -> Vec<String> {
        let Some(Others { facts, .. }) = &self.others else { return Vec::new() };
        let routes = facts.routes.load();
        let endpoints = routes.table().endpoints().iter();
        let logs = endpoints.filter(|endpoint| endpoint.kind == EndpointKind::EventLog);
        logs.map(|endpoint| endpoint.name.clone()).collect()
    }

    fn is_built_in(&self) -> bool {
        self.others.is_some()
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
