//! A device or module that a scan came to, and what was read of it.

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateStore, StorageError};
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity, Presence};
use ironhub_domain::ids::IdentityId;
use ironhub_domain::query::{IdentityFacts, Source, TwinRow};
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::Twin;

use crate::actor::Owner;
use crate::partition::records;
use crate::router::request::{DeviceView, TwinView};

/// Records beside the identity's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) twin: bool,
    pub(super) presence: bool,
    pub(super) c2d: bool,
}

impl Parts {
    pub(super) const NONE: Self = Self { twin: false, presence: false, c2d: false };
    pub(super) const ALL: Self = Self { twin: true, presence: true, c2d: true };

    pub(super) fn add(&mut self, more: Self) {
        self.twin |= more.twin;
        self.presence |= more.presence;
        self.c2d |= more.c2d;
    }
}

/// An identity, and as much of its other records as was asked for.
pub(super) struct Found {
    device: DeviceIdentity,
    module: Option<ModuleIdentity>,
    loaded: Parts,
    twin: Twin,
    presence: Presence,
    c2d: u32,
}

impl Found {
    pub(super) fn device(device: DeviceIdentity) -> Self {
        Self {
            device,
            module: None,
            loaded: Parts::NONE,
            twin: Twin::default(),
            presence: Presence::default(),
            c2d: 0,
        }
    }

    pub(super) fn module(device: DeviceIdentity, module: ModuleIdentity) -> Self {
        Self { module: Some(module), ..Self::device(device) }
    }

    /// The identity, if it exists and is of this source.
    pub(super) fn read(
        store: &dyn StateStore,
        group: GroupId,
        identity: &IdentityId,
        source: Source,
    ) -> Result<Option<Self>, StorageError> {
        let is_one = match source {
            Source::Devices => identity.module.is_none(),
            Source::Modules => identity.module.is_some(),
            Source::Jobs => false,
        };
        if !is_one {
            return Ok(None);
        }
        let Some(device) = records::device(store, group, &identity.device)? else {
            return Ok(None);
        };
        let Some(module) = &identity.module else { return Ok(Some(Self::device(device))) };
        let module = records::module(store, group, &identity.device, module)?;
        Ok(module.map(|module| Self::module(device, module)))
    }

    pub(super) fn identity(&self) -> IdentityId {
        IdentityId {
            device: self.device.id.clone(),
            module: self.module.as_ref().map(|module| module.id.clone()),
        }
    }

    /// Reads what is wanted and was not read yet.
    pub(super) fn load(&mut self, owner: &Owner, wanted: Parts) -> Result<(), StorageError> {
        let (store, group) = (owner.store(), owner.partition().group());
        let identity = self.identity();
        if wanted.twin && !self.loaded.twin {
            self.give_twin(records::twin(store, group, &identity)?);
        }
        if wanted.presence && !self.loaded.presence {
            self.give_presence(records::presence(store, group, &identity)?, owner);
        }
        if wanted.c2d && !self.loaded.c2d {
            let queue = records::c2d_queue(store, group, &identity)?;
            self.c2d = u32::try_from(queue.entries.len()).unwrap_or(u32::MAX);
            self.loaded.c2d = true;
        }
        Ok(())
    }

    /// The record of its twin was read; there is none while nothing was changed.
    pub(super) fn give_twin(&mut self, twin: Option<Twin>) {
        let created = self.module.as_ref().map_or(self.device.created, |m| m.created);
        self.twin = twin.unwrap_or_else(|| Twin::new(created));
        self.loaded.twin = true;
    }

    /// The record of its presence was read. What that does not know yet of messages is put over it.
    pub(super) fn give_presence(&mut self, presence: Option<Presence>, owner: &Owner) {
        self.presence = presence.unwrap_or_default();
        if let Some(heard) = owner.heard().last_activity(&self.identity()) {
            self.presence.last_activity = self.presence.last_activity.max(heard);
        }
        self.loaded.presence = true;
    }

    /// The row, as far as it was loaded.
    pub(super) fn row(&self) -> TwinRow<'_> {
        let (etag, authentication) = match &self.module {
            Some(module) => (&module.etag, &module.authentication),
            None => (&self.device.etag, &self.device.authentication),
        };
        let time = |at: UnixMs| (at != UnixMs::default()).then_some(at);
        TwinRow {
            identity: IdentityFacts {
                device: self.device.id.as_str(),
                module: self.module.as_ref().map(|module| module.id.as_str()),
                status: self.device.status,
                status_reason: self.device.status_reason.as_deref(),
                status_updated: self.device.status_updated,
                connected: self.presence.connected,
                connection_updated: time(self.presence.connection_updated),
                last_activity: time(self.presence.last_activity),
                c2d_count: self.c2d.into(),
                authentication,
                iot_edge: self.device.iot_edge,
                etag,
                model_id: self.presence.model_id.as_deref(),
                device_scope: self.device.device_scope.as_deref(),
                parent_scopes: &self.device.parent_scopes,
            },
            twin: &self.twin,
            configurations: Some(&self.twin.assigned).filter(|assigned| !assigned.is_empty()),
        }
    }

    /// All of it, for who shows whole twins. Everything must be loaded.
    pub(super) fn into_view(self) -> TwinView {
        TwinView {
            device: DeviceView {
                identity: self.device,
                connected: self.presence.connected,
                last_activity: self.presence.last_activity,
                connection_updated: self.presence.connection_updated,
                c2d_count: self.c2d,
            },
            module: self.module,
            twin: self.twin,
            c2d_count: self.c2d,
            model_id: self.presence.model_id,
        }
    }

    /// Bytes of the twin's JSON, about; metadata is larger than what it is about.
    pub(super) fn twin_bytes(&self) -> usize {
        const REST: usize = 1024;
        use ironhub_domain::twin::size::json_bytes;
        let properties =
            json_bytes(&self.twin.desired.values) + json_bytes(&self.twin.reported.values);
        REST + json_bytes(&self.twin.tags) + 3 * properties
    }
}
