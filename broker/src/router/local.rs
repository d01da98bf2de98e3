//! The partitions of this node.

use std::sync::Arc;

use ironhub_cluster::placement::partition_of;
use ironhub_domain::HubError;
use ironhub_domain::device::DeviceIdentity;
use ironhub_domain::ids::DeviceId;

use super::Directories;
use crate::actor::{Directory, NodeFacts};

/// Everything the router knows: the node's facts and one directory per device partition.
pub struct HubState {
    facts: Arc<NodeFacts>,
    directories: Directories,
}

impl HubState {
    pub(crate) fn new(facts: Arc<NodeFacts>, directories: Directories) -> Arc<Self> {
        Arc::new(Self { facts, directories })
    }

    pub(crate) fn facts(&self) -> &NodeFacts {
        &self.facts
    }

    pub(crate) fn directories(&self) -> &[Directory] {
        &self.directories
    }

    pub(crate) fn directory(&self, device: &DeviceId) -> &Directory {
        // There is at least one partition, and the hash is below their number.
        &self.directories
            [partition_of(device.as_str().as_bytes(), self.directories.len() as u32) as usize]
    }

    /// The first `top` identities by id, over all partitions. Reads the disk: call it off the workers.
    pub(super) fn list(&self, top: usize) -> Result<Vec<DeviceIdentity>, HubError> {
        let mut all = Vec::new();
        for directory in &self.directories {
            let owner = directory.owner();
            let part = crate::partition::records::list_devices(
                owner.store(),
                owner.partition().group(),
                None,
                top,
            )
            .map_err(|error| HubError::Internal(error.to_string()))?;
            all.extend(part);
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.truncate(top);
        Ok(all)
    }
}
