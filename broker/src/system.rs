//! What a hub must hold before it serves: its facts, its shared access policies, its consumer groups. All of it is in
//! the system partition, so that every node of a hub has the same.

use anyhow::Context;
use ironhub_cluster::storage::StateStore;
use ironhub_domain::auth::{Authority, PolicySet};
use ironhub_domain::partition::{Command, ConsumerGroup, HubInfo};

use crate::actor::NodeFacts;
use crate::bootstrap::new_key;
use crate::config::Config;
use crate::partition::{Partition, records};

/// A hub that exists.
pub(crate) struct Hub {
    pub(crate) info: HubInfo,
    pub(crate) policies: PolicySet,
    pub(crate) authorities: Vec<Authority>,
}

/// Reads the hub, after founding it if the system partition is empty. Safe to repeat and to be interrupted: of facts and
/// policies the first ones count.
pub(crate) async fn found(
    system: &Partition,
    store: &dyn StateStore,
    config: &Config,
    partitions: u32,
) -> anyhow::Result<Hub> {
    let created = NodeFacts::now();
    if records::hub(store)?.is_none() {
        let name = config.hub_name().to_owned();
        let info = HubInfo { entity: name.clone(), name, partitions, created };
        system.change(&Command::PutHub(info)).await?;
    }
    if records::policies(store)?.is_none() {
        system.change(&Command::PutPolicies(PolicySet::defaults(new_key))).await?;
    }
    for name in &config.consumer_groups {
        let group = ConsumerGroup { name: name.clone(), created };
        system.change(&Command::PutConsumerGroup(group)).await?;
    }
    let info =
        records::hub(store)?.context("the hub's facts are missing after they were written")?;
    anyhow::ensure!(
        info.partitions == partitions,
        "the data directory's node file says {partitions} partitions, the hub's record {}",
        info.partitions
    );
    let policies =
        records::policies(store)?.context("the policies are missing after they were written")?;
    Ok(Hub { info, policies, authorities: records::authorities(store)? })
}

/// Makes every partition index the paths of tags that the configuration names. With paths that are new, every twin is read.
pub(crate) async fn index_tags(
    partitions: &[Partition],
    store: &dyn StateStore,
    paths: &[String],
) -> anyhow::Result<()> {
    for partition in partitions {
        if records::indexed_tags(store, partition.group())? != paths {
            tracing::info!(partition = partition.group().0, ?paths, "indexing tags");
            partition.change(&Command::SetIndexedTags(paths.to_vec())).await?;
        }
    }
    Ok(())
}
