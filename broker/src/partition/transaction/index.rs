//! Counts and indexes: changed along with the records that they are about.

use std::ops::ControlFlow;

use ironhub_cluster::storage::StorageError;
use ironhub_domain::device::{DeviceIdentity, DeviceStatus, Presence};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::partition::Records;
use ironhub_domain::twin::Twin;

use super::Transaction;
use crate::partition::encode::{presence as record, twin as twin_record};
use crate::partition::index::{self, Entry, RegistryCounts};
use crate::partition::keys;

impl Transaction<'_, '_> {
    /// A device will be stored as `after`, or removed.
    pub(super) fn note_device(
        &mut self,
        id: &DeviceId,
        after: Option<&DeviceIdentity>,
    ) -> Result<(), StorageError> {
        let before = self.device(id)?;
        let is_disabled =
            |device: &DeviceIdentity| u64::from(device.status == DeviceStatus::Disabled);
        let mut counts = self.counts()?;
        counts.devices -= before.iter().count() as u64;
        counts.devices += after.iter().count() as u64;
        counts.disabled -= before.iter().map(is_disabled).sum::<u64>();
        counts.disabled += after.into_iter().map(is_disabled).sum::<u64>();
        self.put_counts(&counts);
        let (old, new) = (index::of_device(before.as_ref()), index::of_device(after));
        self.move_entries(&id.clone().into(), old, new);
        Ok(())
    }

    /// A presence will be stored as `after`, or removed.
    pub(super) fn change_presence(
        &mut self,
        identity: &IdentityId,
        after: Option<&Presence>,
    ) -> Result<(), StorageError> {
        let before = self.presence(identity)?;
        let (old, new) = (index::of_presence(before.as_ref()), index::of_presence(after));
        if old.len() != new.len() && identity.module.is_none() {
            let mut counts = self.counts()?;
            counts.connected -= old.len() as u64;
            counts.connected += new.len() as u64;
            self.put_counts(&counts);
        }
        self.move_entries(identity, old, new);
        Ok(())
    }

    /// A twin will be stored as `after`, or removed.
    pub(super) fn change_tags(
        &mut self,
        identity: &IdentityId,
        after: Option<&Twin>,
    ) -> Result<(), StorageError> {
        let paths = self.indexed_tags()?;
        if !paths.is_empty() {
            let before = self.twin(identity)?;
            let (old, new) =
                (index::of_twin(before.as_ref(), &paths), index::of_twin(after, &paths));
            self.move_entries(identity, old, new);
        }
        Ok(())
    }

    fn move_entries(&mut self, identity: &IdentityId, old: Vec<Entry>, new: Vec<Entry>) {
        for entry in old.iter().filter(|entry| !new.contains(entry)) {
            self.tx.delete(keys::index::entry(self.group, &entry.0, &entry.1, identity));
        }
        for entry in new.iter().filter(|entry| !old.contains(entry)) {
            self.tx.put(keys::index::entry(self.group, &entry.0, &entry.1, identity), Vec::new());
        }
    }

    fn indexed_tags(&self) -> Result<Vec<String>, StorageError> {
        let paths = self.read(&keys::indexed_tags(self.group), record::decode_indexed_tags)?;
        Ok(paths.unwrap_or_default())
    }

    fn counts(&self) -> Result<RegistryCounts, StorageError> {
        Ok(self.read(&keys::counts(self.group), record::decode_counts)?.unwrap_or_default())
    }

    /// A partition without devices has no counts.
    fn put_counts(&mut self, counts: &RegistryCounts) {
        let key = keys::counts(self.group);
        if *counts == RegistryCounts::default() {
            self.tx.delete(key);
        } else {
            self.tx.put(key, record::encode_counts(counts));
        }
    }

    /// Removes the entries of paths that are not wanted any more, and reads all twins for those that are new.
    pub(super) fn index_tags_anew(&mut self, paths: &[String]) -> Result<(), StorageError> {
        let before = self.indexed_tags()?;
        for path in before.iter().filter(|path| !paths.contains(path)) {
            let (from, to) = keys::index::of_name(self.group, &index::tag(path));
            let mut stale = Vec::new();
            self.tx.scan(&from, &to, &mut |key, _| {
                stale.push(key.to_vec());
                ControlFlow::Continue(())
            })?;
            stale.into_iter().for_each(|key| self.tx.delete(key));
        }
        let new: Vec<String> =
            paths.iter().filter(|path| !before.contains(path)).cloned().collect();
        if !new.is_empty() {
            let (from, to) = keys::twins(self.group);
            let mut found = Vec::new();
            let mut failed = None;
            self.tx.scan(&from, &to, &mut |key, value| match (
                keys::key_identity(key),
                twin_record::decode(value),
            ) {
                (Some(identity), Ok(twin)) => {
                    found.extend(
                        index::of_twin(Some(&twin), &new)
                            .into_iter()
                            .map(|(name, value)| (name, value, identity.clone())),
                    );
                    ControlFlow::Continue(())
                }
                (_, Err(error)) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
                (None, _) => ControlFlow::Continue(()),
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            for (name, value, identity) in found {
                self.tx.put(keys::index::entry(self.group, &name, &value, &identity), Vec::new());
            }
        }
        self.tx.put(keys::indexed_tags(self.group), record::encode_indexed_tags(paths));
        Ok(())
    }
}
