//! The partitions of this node.

use std::sync::Arc;

use ironhub_cluster::placement::partition_of;
use ironhub_cluster::storage::{StateStore, StorageError};
use ironhub_domain::HubError;
use ironhub_domain::device::DeviceIdentity;
use ironhub_domain::document::DocumentKind;
use ironhub_domain::ids::{DeviceId, IdentityId};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::Directories;
use super::configurations::Counts;
use super::notice_queue::NoticeSettings;
use super::notices::NoticeDesk;
use super::request::DeviceView;
use crate::actor::{Directory, NodeFacts};
use crate::partition::{Partition, records};
use crate::query::Queries;

/// Everything the router knows: the node's facts and one directory per device partition.
pub struct HubState {
    facts: Arc<NodeFacts>,
    directories: Directories,
    system: Partition,
    notices: NoticeDesk,
    queries: Queries,
    counts: Counts,
    /// One counter for each kind of document.
    documents: [watch::Sender<u64>; DocumentKind::ALL.len()],
    /// Counts changes of shared access policies, and of consumer groups.
    policy_changes: watch::Sender<u64>,
    reading_changes: watch::Sender<u64>,
    /// Held while an event that tells of a job is stored, so that none is stored twice.
    telling: tokio::sync::Mutex<()>,
    /// Held while the facts take what the system partition says, so that an older answer never replaces a newer one.
    refresh: Mutex<()>,
    /// Held while an import or export is made, of which there is one at a time.
    transfers: tokio::sync::Mutex<()>,
}

impl HubState {
    /// `[feedback, file_uploads]` is what these notices follow.
    pub(crate) fn new(
        facts: Arc<NodeFacts>,
        directories: Directories,
        system: Partition,
        [feedback, file_uploads]: [NoticeSettings; 2],
    ) -> Arc<Self> {
        let owners: Vec<_> =
            directories.iter().map(|directory| directory.owner().clone()).collect();
        let queries = Queries::new(owners.clone());
        let notices = NoticeDesk::new(owners, feedback, file_uploads);
        let documents = DocumentKind::ALL.map(|_| watch::Sender::new(0));
        Arc::new(Self {
            facts,
            directories,
            system,
            notices,
            queries,
            counts: Counts::default(),
            documents,
            refresh: Mutex::default(),
            policy_changes: watch::Sender::new(0),
            reading_changes: watch::Sender::new(0),
            telling: tokio::sync::Mutex::default(),
            transfers: tokio::sync::Mutex::default(),
        })
    }

    /// The applied records of this node.
    pub(crate) fn store(&self) -> &dyn StateStore {
        // There is at least one partition; they share the store.
        self.directories[0].owner().store()
    }

    /// Tells whoever watches documents of that kind. Configurations count from here on.
    pub(super) fn document_changed(&self, kind: DocumentKind) {
        if kind == DocumentKind::Configuration
            && let Err(error) = self.refresh_configurations()
        {
            tracing::error!(%error, "the configurations cannot be read");
        }
        self.watcher(kind).send_modify(|count| *count += 1);
    }

    pub(super) fn watch_documents(&self, kind: DocumentKind) -> watch::Receiver<u64> {
        self.watcher(kind).subscribe()
    }

    fn watcher(&self, kind: DocumentKind) -> &watch::Sender<u64> {
        &self.documents[kind as usize]
    }

    /// Takes the shared access policies as they are applied now.
    pub(super) fn refresh_policies(&self) -> Result<(), HubError> {
        let _one_at_a_time = self.refresh.lock();
        let policies = records::policies(self.store()).map_err(unreadable)?;
        self.facts.policies.store(Arc::new(policies.unwrap_or_default()));
        self.policy_changes.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Whoever tells of jobs takes turns.
    pub(super) async fn telling(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.telling.lock().await
    }

    pub(super) fn watch_policies(&self) -> watch::Receiver<u64> {
        self.policy_changes.subscribe()
    }

    pub(super) fn reading_changed(&self) {
        self.reading_changes.send_modify(|count| *count += 1);
    }

    pub(super) fn watch_reading(&self) -> watch::Receiver<u64> {
        self.reading_changes.subscribe()
    }

    pub(super) fn transfers(&self) -> &tokio::sync::Mutex<()> {
        &self.transfers
    }

    /// What services are told of on the hub's own account.
    pub(super) fn notices(&self) -> &NoticeDesk {
        &self.notices
    }

    /// What is counted of configurations.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// For as long as facts are taken from the system partition.
    pub(super) fn refreshing(&self) -> MutexGuard<'_, ()> {
        self.refresh.lock()
    }

    /// Queries over this node's partitions.
    pub(super) fn queries(&self) -> &Queries {
        &self.queries
    }

    /// The partition that holds what concerns the hub as a whole.
    pub(super) fn system(&self) -> &Partition {
        &self.system
    }

    /// Takes the certificate authorities as they are applied now.
    pub(super) fn refresh_authorities(&self) -> Result<(), HubError> {
        let _one_at_a_time = self.refresh.lock();
        let authorities = records::authorities(self.store()).map_err(unreadable)?;
        self.facts.authorities.store(Arc::new(authorities));
        Ok(())
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

    /// The first `top` identities by id, over all partitions, as if none were connected. Reads the disk: call it off the
    /// workers.
    pub(super) fn list(&self, top: usize) -> Result<Vec<DeviceView>, HubError> {
        let mut all = Vec::new();
        for directory in &self.directories {
            let owner = directory.owner();
            let group = owner.partition().group();
            all.extend(records::list_devices(owner.store(), group, None, top).map_err(unreadable)?);
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.truncate(top);
        all.into_iter().map(|identity| self.offline(identity)).collect()
    }

    /// A device that is not active on this node.
    pub(super) fn offline(&self, identity: DeviceIdentity) -> Result<DeviceView, HubError> {
        let owner = self.directory(&identity.id).owner();
        let id = IdentityId::device(identity.id.clone());
        let c2d_count = owner.c2d_count(&id)?;
        let presence = owner.presence(&id)?;
        Ok(DeviceView {
            c2d_count,
            last_activity: presence.last_activity,
            connection_updated: presence.connection_updated,
            ..DeviceView::offline(identity)
        })
    }
}

fn unreadable(error: StorageError) -> HubError {
    HubError::Internal(error.to_string())
}
