//! How the rows of one partition are found: what a plan comes to with the indexes that there are.

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateStore, StorageError};
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::job::{DeviceJob, JobId};
use ironhub_domain::query::{IndexKey, Plan, Source};
use serde_json::Value;

use super::found::Found;
use super::job_rows;
use crate::partition::index::{self, index_value};
use crate::partition::records;

/// Where a row is among those of its partition. Rows are in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// Of rows of `devices.jobs`: which job.
    pub job: Option<JobId>,
    /// Whose row it is.
    pub identity: IdentityId,
}

impl From<IdentityId> for RowKey {
    fn from(identity: IdentityId) -> Self {
        Self { job: None, identity }
    }
}

/// A row that may belong to the result.
pub(super) enum Candidate {
    Twin(Box<Found>),
    Job(Box<DeviceJob>),
}

impl Candidate {
    pub(super) fn key(&self) -> RowKey {
        match self {
            Self::Twin(found) => found.identity().into(),
            Self::Job(row) => RowKey { job: Some(row.job.clone()), identity: row.identity.clone() },
        }
    }
}

/// A few candidates in the order of their keys.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) candidates: Vec<Candidate>,
    /// All up to here were looked at; `None` if that is the end of the partition.
    pub(super) looked_to: Option<RowKey>,
}

/// The way to the rows of one partition.
pub(super) enum Way {
    /// These devices, in the order of their ids.
    Devices(Vec<DeviceId>),
    /// Rows of these jobs, in the order of their ids.
    Jobs(Vec<JobId>),
    /// Rows that jobs have of these devices and their modules; the devices are in the order of their ids.
    JobsOf(Vec<DeviceId>),
    /// What an index of that name has under values of these forms.
    Index(String, Vec<Vec<u8>>),
    /// All.
    Scan,
}

impl Way {
    /// `is_here` says whether a device belongs to this partition.
    pub(super) fn new(plan: Plan, source: Source, is_here: impl Fn(&DeviceId) -> bool) -> Self {
        match (plan, source) {
            (Plan::Scan, _) => Self::Scan,
            (Plan::Devices(ids), source) => {
                // What is no id is nobody's.
                let ids = ids.iter().filter_map(|id| DeviceId::new(id).ok());
                let mut here: Vec<DeviceId> = ids.filter(is_here).collect();
                here.sort_unstable();
                here.dedup();
                match source {
                    Source::Jobs => Self::JobsOf(here),
                    Source::Devices | Source::Modules => Self::Devices(here),
                }
            }
            (Plan::Jobs(ids), _) => {
                let mut jobs: Vec<JobId> =
                    ids.iter().filter_map(|id| JobId::new(id).ok()).collect();
                jobs.sort_unstable();
                Self::Jobs(jobs)
            }
            (Plan::Index(key, values), _) => Self::index(&key, &values, source),
        }
    }

    /// Of connection state and status only one value is indexed (see [`index`]); modules have no status of their own.
    fn index(key: &IndexKey, values: &[Value], source: Source) -> Self {
        let (name, other) = match key {
            IndexKey::Tag(names) => (index::tag(&names.join(".")), None),
            IndexKey::ConnectionState => (index::CONNECTION_STATE.to_owned(), Some("Disconnected")),
            IndexKey::Status if source == Source::Modules => return Self::Scan,
            IndexKey::Status => (index::STATUS.to_owned(), Some("enabled")),
        };
        let is_other = |value: &Value| other.is_some() && value.as_str() == other;
        let forms: Option<Vec<_>> = values.iter().map(index_value).collect();
        match forms {
            Some(mut forms) if !values.iter().any(is_other) => {
                forms.sort_unstable();
                forms.dedup();
                Self::Index(name, forms)
            }
            Some(_) | None => Self::Scan,
        }
    }

    /// The next candidates behind `after`: `max` are looked at, about.
    pub(super) fn chunk(
        &self,
        store: &dyn StateStore,
        group: GroupId,
        source: Source,
        after: Option<&RowKey>,
        max: usize,
    ) -> Result<Chunk, StorageError> {
        let reader = Reader { store, group, source, max };
        let identity = after.map(|key| &key.identity);
        match (self, source) {
            (Self::Jobs(jobs), _) => reader.jobs(Some(jobs), after),
            (Self::JobsOf(ids), _) => job_rows::of_devices(store, group, ids, after, max),
            (_, Source::Jobs) => reader.jobs(None, after),
            (Self::Devices(ids), _) => reader.devices(ids, identity),
            (Self::Index(name, forms), _) => reader.indexed(name, forms, identity),
            (Self::Scan, Source::Devices) => reader.all_devices(identity),
            (Self::Scan, Source::Modules) => reader.all_modules(identity),
        }
    }
}

struct Reader<'a> {
    store: &'a dyn StateStore,
    group: GroupId,
    source: Source,
    max: usize,
}

impl Reader<'_> {
    fn all_devices(&self, after: Option<&IdentityId>) -> Result<Chunk, StorageError> {
        let after = after.map(|identity| &identity.device);
        let devices = records::list_devices(self.store, self.group, after, self.max)?;
        let is_end = devices.len() < self.max;
        Ok(chunk(devices.into_iter().map(Found::device), is_end))
    }

    fn all_modules(&self, after: Option<&IdentityId>) -> Result<Chunk, StorageError> {
        let mut modules = Vec::new();
        records::visit_modules(self.store, self.group, after, &mut |module| {
            modules.push(module);
            if modules.len() < self.max {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        let is_end = modules.len() < self.max;
        Ok(chunk(self.with_devices(modules)?, is_end))
    }

    /// Modules of one device lie side by side, so a device is read once for all of them.
    fn with_devices(&self, modules: Vec<ModuleIdentity>) -> Result<Vec<Found>, StorageError> {
        let mut device: Option<DeviceIdentity> = None;
        let mut found = Vec::with_capacity(modules.len());
        for module in modules {
            if device.as_ref().is_none_or(|device| device.id != module.device) {
                device = records::device(self.store, self.group, &module.device)?;
            }
            // Without its device a module is about to go.
            found.extend(device.clone().map(|device| Found::module(device, module)));
        }
        Ok(found)
    }

    /// At most as many look-ups as a query can name ids.
    fn devices(&self, ids: &[DeviceId], after: Option<&IdentityId>) -> Result<Chunk, StorageError> {
        let is_module = self.source == Source::Modules;
        // Of the device that `after` is of there may be further modules.
        let is_behind = |id: &DeviceId| match after {
            None => true,
            Some(after) => *id > after.device || (is_module && *id == after.device),
        };
        let mut rest = ids[ids.partition_point(|id| !is_behind(id))..].iter().peekable();
        let mut found = Vec::new();
        while found.len() < self.max
            && let Some(id) = rest.next()
        {
            if is_module {
                let mut modules = records::modules(self.store, self.group, id)?;
                let is_old = |module: &ModuleIdentity| {
                    after.is_some_and(|after| {
                        after.device == *id && after.module.as_ref() >= Some(&module.id)
                    })
                };
                modules.retain(|module| !is_old(module));
                found.extend(self.with_devices(modules)?);
            } else {
                found.extend(records::device(self.store, self.group, id)?.map(Found::device));
            }
        }
        Ok(chunk(found, rest.peek().is_none()))
    }

    fn indexed(
        &self,
        name: &str,
        forms: &[Vec<u8>],
        after: Option<&IdentityId>,
    ) -> Result<Chunk, StorageError> {
        let mut entries = Vec::new();
        for form in forms {
            let place = (name, form.as_slice());
            entries.extend(records::indexed(self.store, self.group, place, after, self.max)?);
        }
        entries.sort_unstable();
        entries.dedup();
        let is_end = entries.len() < self.max;
        entries.truncate(self.max);
        let looked_to = entries.last().filter(|_| !is_end).cloned().map(RowKey::from);
        let mut found = Vec::new();
        for identity in &entries {
            found.extend(Found::read(self.store, self.group, identity, self.source)?);
        }
        Ok(Chunk { looked_to, ..chunk(found, true) })
    }

    fn jobs(&self, jobs: Option<&[JobId]>, after: Option<&RowKey>) -> Result<Chunk, StorageError> {
        let rows = job_rows::read(self.store, self.group, jobs, after, self.max)?;
        let is_end = rows.len() < self.max;
        let candidates: Vec<_> =
            rows.into_iter().map(|row| Candidate::Job(Box::new(row))).collect();
        let looked_to = candidates.last().filter(|_| !is_end).map(Candidate::key);
        Ok(Chunk { candidates, looked_to })
    }
}

/// A chunk that ends with the last of these, or with the partition.
fn chunk(found: impl IntoIterator<Item = Found>, is_end: bool) -> Chunk {
    let candidates: Vec<_> =
        found.into_iter().map(|found| Candidate::Twin(Box::new(found))).collect();
    let looked_to = candidates.last().filter(|_| !is_end).map(Candidate::key);
    Chunk { candidates, looked_to }
}
