//! What time does to queues: locks lapse and messages expire, also of devices that are not active.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use ironhub_domain::HubError;
use ironhub_domain::ids::IdentityId;

use super::directory::Directory;
use super::facts::NodeFacts;
use crate::partition::records;
use crate::router::HubState;

/// How often queues are looked for in which something is due.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Queues of one partition that one round sweeps; the others are due in the next.
const QUEUES_AT_ONCE: usize = 256;
/// Queues that are swept at the same time.
const UNDER_WAY_MAX: usize = 16;

/// Sweeps the queues of this node's partitions until dropped. Through each device's actor, which sends on what became free.
pub(crate) async fn sweep(hub: Arc<HubState>) {
    // Each for itself: one that hangs must not hold up the others.
    join_all(hub.directories().iter().map(|directory| async move {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            if let Err(error) = sweep_partition(directory).await {
                tracing::warn!(%error, "queues could not be swept");
            }
        }
    }))
    .await;
}

async fn sweep_partition(directory: &Directory) -> Result<(), HubError> {
    let owner = directory.owner();
    if !owner.partition().is_led() {
        return Ok(());
    }
    let due = owner
        .read(|store, group| records::c2d_due(store, group, NodeFacts::now(), QUEUES_AT_ONCE))?;
    let sweep = |identity: IdentityId| async move {
        let swept = match directory.handle(&identity.device) {
            Ok(device) => device.sweep_c2d(identity.module).await,
            Err(error) => Err(error),
        };
        if let Err(error) = swept {
            tracing::debug!(%error, "a queue could not be swept");
        }
    };
    stream::iter(due).for_each_concurrent(UNDER_WAY_MAX, sweep).await;
    Ok(())
}
