//! Old events go: those of the built-in endpoint and of every other, delivered or not.

use std::sync::Arc;
use std::time::Duration;

use ironhub_cluster::storage::StateStore;
use ironhub_domain::partition::{Retention, Stream};

use crate::actor::NodeFacts;
use crate::partition::{EventReader, Partition, Watermarks};

/// How often event logs are trimmed to their retention.
const RETENTION_EVERY: Duration = Duration::from_secs(30);

/// Trims a partition's logs to their retention until it is dropped.
pub(crate) async fn trim(
    partition: Partition,
    facts: Arc<NodeFacts>,
    store: Arc<dyn StateStore>,
    watermarks: Watermarks,
    retention: Retention,
) {
    let group = partition.group();
    loop {
        tokio::time::sleep(RETENTION_EVERY).await;
        let routes = facts.routes.load_full();
        let places = 0..routes.table().endpoints().len();
        let streams = places.filter_map(|place| routes.stream(place));
        for stream in std::iter::once(Stream::BUILT_IN).chain(streams) {
            let Some(watermark) = watermarks.subscribe(group, stream) else { continue };
            let reader = EventReader::new(store.clone(), group, stream, watermark);
            // The next round tries again.
            if let Err(error) = partition.retain(&reader, &retention, NodeFacts::now()).await {
                tracing::warn!(group = group.0, %error, "old events could not be dropped");
            }
        }
    }
}
