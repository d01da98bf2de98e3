//! What time does to queues: locks lapse and messages expire, also of devices that are not active. And what a start does to
//! presence: nobody is connected yet.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use ironhub_domain::HubError;
use ironhub_domain::ids::IdentityId;

use super::directory::Directory;
use super::facts::NodeFacts;
use crate::partition::{index, records};
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

/// After a start: identities that were connected when the node died are not any more, until they come back.
pub(crate) async fn recall_connected(hub: Arc<HubState>) {
    join_all(hub.directories().iter().map(|directory| async move {
        if let Err(error) = recall_partition(directory).await {
            tracing::warn!(%error, "who was connected before the start could not be found out");
        }
    }))
    .await;
}

async fn recall_partition(directory: &Directory) -> Result<(), HubError> {
    let Some(value) = index::index_value(&"Connected".into()) else { return Ok(()) };
    let mut after = None;
    loop {
        let connected = directory.owner().read(|store, group| {
            let place = (index::CONNECTION_STATE, value.as_slice());
            records::indexed(store, group, place, after.as_ref(), QUEUES_AT_ONCE)
        })?;
        let Some(last) = connected.last() else { return Ok(()) };
        after = Some(last.clone());
        stream::iter(connected)
            .for_each_concurrent(UNDER_WAY_MAX, |identity| async move {
                let recalled = match directory.handle(&identity.device) {
                    Ok(device) => device.recall(identity.module).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = recalled {
                    tracing::debug!(%error, "a presence could not be looked at");
                }
            })
            .await;
    }
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
