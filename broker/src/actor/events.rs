//! Events that the hub makes of what happens to a device (service-protocols.md 4.10): stored with the change they tell of, in
//! one command. Nothing is made if no route wants it.

use ironhub_domain::HubError;
use ironhub_domain::event::{
    AuthMethod, AuthScope, AuthType, D2cMessage, Happening, MessageSource, Origin,
};
use ironhub_domain::ids::{IdentityId, ModuleId};
use ironhub_domain::job::Job;
use ironhub_domain::partition::{Command, IdentityPut, PutWithTwin};
use ironhub_domain::registry::IfMatch;
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::{Object, Twin, TwinUpdate};

use super::device::{DeviceActor, now};
use super::owner::Owner;
use crate::router::request::CloseReason;

/// An event about one identity of a device.
pub(super) struct Told {
    pub(super) origin: Origin,
    pub(super) message: D2cMessage,
    pub(super) now: UnixMs,
    /// The identity's twin as the change leaves it, which is what routes and enrichments see; `None` leaves it as it is.
    pub(super) after: Option<Twin>,
}

/// Why an identity connected or disconnected, in an event.
pub(super) fn reason(close: Option<CloseReason>) -> &'static str {
    match close {
        None => "closed",
        Some(CloseReason::TakenOver) => "takenOver",
        Some(CloseReason::Disabled) => "disabled",
        Some(CloseReason::Deleted) => "deleted",
        Some(CloseReason::Rekeyed) => "rekeyed",
        Some(CloseReason::Slow) => "slow",
        Some(CloseReason::ShuttingDown) => "nodeStopping",
    }
}

/// An event of the hub's own is nobody's who proved himself.
fn origin(identity: &IdentityId, source: MessageSource) -> Origin {
    Origin {
        device: identity.device.clone(),
        module: identity.module.clone(),
        generation: String::new(),
        auth: AuthMethod { scope: AuthScope::Hub, kind: AuthType::Sas },
        model_id: None,
        source,
    }
}

impl Owner {
    /// Whether a route wants to know of jobs.
    pub(crate) fn tells_jobs(&self) -> bool {
        self.facts().routes.load().table().is_routed(MessageSource::JobLifecycle)
    }

    /// Stores the event that tells of a job's status, wherever it is routed, and returns when it is durable.
    pub(crate) async fn tell_job(
        &self,
        identity: &IdentityId,
        job: &Job,
        correlation_id: &str,
    ) -> Result<(), HubError> {
        let hub = self.facts().hub_name();
        let happening = Happening { hub, identity, now: now(), correlation_id };
        let (reply, stored) = tokio::sync::oneshot::channel();
        let origin = origin(identity, MessageSource::JobLifecycle);
        self.append(&origin, &[happening.job(job)], None, reply);
        stored.await.map_err(|_| HubError::ShuttingDown)?
    }
}

impl DeviceActor {
    fn is_routed(&self, source: MessageSource) -> bool {
        self.owner.facts().routes.load().table().is_routed(source)
    }

    /// An event, if it is routed anywhere.
    fn told(
        &self,
        source: MessageSource,
        module: Option<&ModuleId>,
        now: UnixMs,
        make: impl FnOnce(&Happening<'_>) -> Option<(D2cMessage, Option<Twin>)>,
    ) -> Option<Told> {
        if !self.is_routed(source) {
            return None;
        }
        let facts = self.owner.facts();
        let identity = self.identity_id(module);
        let correlation_id = format!("{:032x}", rand::random::<u128>());
        let happening = Happening {
            hub: facts.hub_name(),
            identity: &identity,
            now,
            correlation_id: &correlation_id,
        };
        let (message, after) = make(&happening)?;
        let origin = origin(&identity, source);
        Some(Told { origin, message, now, after })
    }

    /// An identity connected or disconnected.
    pub(super) fn told_connection(
        &self,
        module: Option<&ModuleId>,
        (connected, sequence): (bool, u64),
        reason: &str,
        now: UnixMs,
    ) -> Option<Told> {
        self.told(MessageSource::ConnectionState, module, now, |happening| {
            Some((happening.connection(connected, sequence, reason), None))
        })
    }

    /// An identity that is deleted already was connected until now.
    pub(super) fn tell_disconnected(&mut self, module: Option<&ModuleId>) {
        let now = now();
        let sequence = self.presence_mut(module).next_sequence(now);
        let reason = reason(Some(CloseReason::Deleted));
        let told = self.told_connection(module, (false, sequence), reason, now);
        if let Some(Told { origin, message, .. }) = told {
            let (unasked, _) = tokio::sync::oneshot::channel();
            self.owner.append(&origin, &[message], None, unasked);
        }
    }

    /// An identity is about to be created, or deleted.
    pub(super) fn told_life(
        &self,
        module: Option<&ModuleId>,
        created: bool,
        now: UnixMs,
    ) -> Option<Told> {
        self.told(MessageSource::DeviceLifecycle, module, now, |happening| {
            let twin = if created { Some(Twin::new(now)) } else { self.load_twin(module).ok() };
            twin.map(|twin| (happening.life_cycle(created, &twin), None))
        })
    }

    /// An identity is about to be put together with its twin: it comes to be, or its twin changes.
    pub(super) fn told_put(&self, put: &PutWithTwin) -> Option<Told> {
        let (module, now, is_new) = match &put.identity {
            IdentityPut::Device(put) => (None, put.fresh.now, self.identity.is_none()),
            IdentityPut::Module(put) => {
                let id = &put.request.id;
                (Some(id), put.fresh.now, self.load_module(id).is_err())
            }
        };
        let twin = put.twin.clone();
        if is_new {
            return self.told(MessageSource::DeviceLifecycle, module, now, |happening| {
                let after = twin.create(now, &put.limits).ok()?.twin;
                Some((happening.life_cycle(true, &after), Some(after)))
            });
        }
        self.told(MessageSource::TwinChange, module, now, |happening| {
            let before = self.load_twin(module).ok()?;
            let version = before.version;
            let after = twin.update(before, &put.limits, now).ok()?.twin;
            (after.version != version)
                .then(|| (happening.twin_update(&put.twin.update, &after), Some(after)))
        })
    }

    /// A service is about to change a twin. The mailbox waits while a change is under way, so what comes of it now comes of
    /// it when it is applied.
    pub(super) fn told_update(
        &self,
        module: Option<&ModuleId>,
        update: &TwinUpdate,
        precondition: &IfMatch,
        now: UnixMs,
    ) -> Option<Told> {
        self.told(MessageSource::TwinChange, module, now, |happening| {
            let before = self.load_twin(module).ok()?;
            let version = before.version;
            let limits = self.owner.facts().settings.twin_limits;
            let after = before.update(update.clone(), precondition, &limits, now).ok()?.twin;
            (after.version != version).then(|| (happening.twin_update(update, &after), Some(after)))
        })
    }

    /// A device is about to change its reported properties.
    pub(super) fn told_reported(
        &self,
        module: Option<&ModuleId>,
        patch: &Object,
        if_version: Option<u64>,
        now: UnixMs,
    ) -> Option<Told> {
        self.told(MessageSource::TwinChange, module, now, |happening| {
            let before = self.load_twin(module).ok()?;
            let limits = self.owner.facts().settings.twin_limits;
            let after = before.patch_reported(patch.clone(), if_version, &limits, now).ok()?.twin;
            Some((happening.reported(patch, &after), Some(after)))
        })
    }

    /// A command and the event that tells of it, as one.
    pub(super) fn with_event(&self, command: &Command, told: Option<Told>) -> bytes::Bytes {
        let change = crate::partition::commands::encode(command);
        match told {
            Some(told) => self.owner.bundle(change, told),
            None => change,
        }
    }
}
