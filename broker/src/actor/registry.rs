//! The identities of a device and its modules: changed through their actor, which closes sessions that the change no
//! longer allows.

use ironhub_domain::HubError;
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity};
use ironhub_domain::ids::ModuleId;
use ironhub_domain::partition::{Command, Outcome, PutWithTwin};
use ironhub_domain::registry::{IfMatch, PutDevice, PutModule};
use ironhub_domain::twin::TwinChange;

use super::call::Reply;
use super::device::{Ctx, DeviceActor, now};
use super::owner::unexpected;
use super::proof::still_counts;
use crate::partition::records;
use crate::router::request::{CloseReason, DeviceView, ModuleView};

impl DeviceActor {
    pub(super) fn device_view(&self) -> Result<DeviceView, HubError> {
        let identity = self.registered()?.clone();
        let (last_activity, connection_updated) = self.times(None);
        Ok(DeviceView {
            identity,
            connected: self.sessions.current(None).is_some(),
            last_activity,
            connection_updated,
            c2d_count: self.owner.c2d_count(&self.identity_id(None))?,
        })
    }

    pub(super) fn module_view(&self, identity: ModuleIdentity) -> Result<ModuleView, HubError> {
        let module = Some(&identity.id);
        let (last_activity, connection_updated) = self.times(module);
        Ok(ModuleView {
            connected: self.sessions.current(module).is_some(),
            last_activity,
            connection_updated,
            c2d_count: self.owner.c2d_count(&self.identity_id(module))?,
            identity,
        })
    }

    pub(super) fn module_views(&self) -> Result<Vec<ModuleView>, HubError> {
        self.registered()?;
        let modules = self.owner.read(|store, group| records::modules(store, group, &self.id))?;
        modules.into_iter().map(|module| self.module_view(module)).collect()
    }

    pub(super) fn put(&mut self, put: Box<PutDevice>, reply: Reply<DeviceView>, ctx: &mut Ctx) {
        // A put of a device that is there creates nothing, and one that is refused is not told of.
        let now = put.fresh.now;
        let told = self.identity.is_none().then(|| self.told_life(None, true, now)).flatten();
        self.change_and_tell(&Command::PutDevice(put), told, ctx, move |actor, outcome, ctx| {
            let view = outcome.and_then(|outcome| match outcome {
                Outcome::Device(identity) => {
                    actor.adopt(identity, ctx);
                    actor.keep_configured(None, None, ctx);
                    actor.device_view()
                }
                other => Err(unexpected(&other)),
            });
            let _ = reply.send(view);
        });
    }

    /// A session whose identity was rekeyed by it is closed, and is told nothing of the twin.
    pub(super) fn put_with_twin(&mut self, put: Box<PutWithTwin>, reply: Reply<()>, ctx: &mut Ctx) {
        let told = self.told_put(&put);
        let command = Command::PutWithTwin(put);
        self.change_and_tell(&command, told, ctx, move |actor, outcome, ctx| {
            let done = outcome.and_then(|outcome| {
                let (module, change) = match outcome {
                    Outcome::DeviceWithTwin(identity, change) => {
                        actor.adopt(identity, ctx);
                        (None, change)
                    }
                    Outcome::ModuleWithTwin(identity, change) => {
                        actor.adopt_module(&identity, ctx);
                        (Some(identity.id), change)
                    }
                    other => return Err(unexpected(&other)),
                };
                let TwinChange { twin, notice } = *change;
                if let Some(notice) = notice {
                    actor.tell_changed(module.as_ref(), &twin, notice, ctx);
                }
                actor.keep_configured(module.as_ref(), Some(&twin.assigned), ctx);
                Ok(())
            });
            let _ = reply.send(done);
        });
    }

    pub(super) fn delete(&mut self, precondition: IfMatch, reply: Reply<()>, ctx: &mut Ctx) {
        let command = Command::DeleteDevice { id: self.id.clone(), precondition };
        let told = self.told_life(None, false, now());
        self.change_and_tell(&command, told, ctx, move |actor, outcome, ctx| {
            let _ = reply.send(outcome.map(|_| actor.forget(ctx)));
        });
    }

    /// The device is no more.
    fn forget(&mut self, ctx: &mut Ctx) {
        self.identity = None;
        self.close_sessions(CloseReason::Deleted, ctx);
        let gone = HubError::DeviceNotFound(self.id.to_string());
        self.refuse_waiting(None, &gone);
        self.forget_presence();
        let modules = std::mem::take(&mut self.modules);
        for waiter in modules.into_values().flat_map(|presence| presence.waiters).flat_map(|w| *w) {
            waiter.refuse(gone.clone());
        }
    }

    /// Takes the applied identity and closes sessions that it no longer allows. Modules may do nothing while their device
    /// is disabled.
    fn adopt(&mut self, identity: Box<DeviceIdentity>, ctx: &mut Ctx) {
        let enabled = identity.is_enabled();
        let proof = self.sessions.current(None).map(|(_, live)| live.proof);
        let stale = proof.is_some_and(|proof| !still_counts(proof, &identity.authentication));
        self.identity = Some(identity);
        if !enabled {
            self.close_sessions(CloseReason::Disabled, ctx);
        } else if stale {
            self.close_session(None, CloseReason::Rekeyed, ctx);
        }
    }

    pub(super) fn put_module(
        &mut self,
        put: Box<PutModule>,
        reply: Reply<ModuleView>,
        ctx: &mut Ctx,
    ) {
        let (now, id) = (put.fresh.now, put.request.id.clone());
        let is_new = self.load_module(&id).is_err();
        let told = is_new.then(|| self.told_life(Some(&id), true, now)).flatten();
        self.change_and_tell(&Command::PutModule(put), told, ctx, move |actor, outcome, ctx| {
            let view = outcome.and_then(|outcome| match outcome {
                Outcome::Module(identity) => {
                    actor.adopt_module(&identity, ctx);
                    actor.keep_configured(Some(&identity.id), None, ctx);
                    actor.module_view(*identity)
                }
                other => Err(unexpected(&other)),
            });
            let _ = reply.send(view);
        });
    }

    fn adopt_module(&mut self, identity: &ModuleIdentity, ctx: &mut Ctx) {
        let module = Some(&identity.id);
        let proof = self.sessions.current(module).map(|(_, live)| live.proof);
        if proof.is_some_and(|proof| !still_counts(proof, &identity.authentication)) {
            self.close_session(module, CloseReason::Rekeyed, ctx);
        }
    }

    pub(super) fn delete_module(
        &mut self,
        module: ModuleId,
        precondition: IfMatch,
        reply: Reply<()>,
        ctx: &mut Ctx,
    ) {
        let command =
            Command::DeleteModule { device: self.id.clone(), module: module.clone(), precondition };
        let told = self.told_life(Some(&module), false, now());
        self.change_and_tell(&command, told, ctx, move |actor, outcome, ctx| {
            let _ = reply.send(outcome.map(|_| actor.forget_module(&module, ctx)));
        });
    }

    fn forget_module(&mut self, module: &ModuleId, ctx: &mut Ctx) {
        self.close_session(Some(module), CloseReason::Deleted, ctx);
        let gone = HubError::ModuleNotFound(self.identity_id(Some(module)).to_string());
        let presence = self.modules.remove(module);
        for waiter in presence.and_then(|presence| presence.waiters).into_iter().flat_map(|w| *w) {
            waiter.refuse(gone.clone());
        }
    }

    /// Takes what the records say, after a change whose outcome is not known.
    pub(super) fn reload(&mut self, ctx: &mut Ctx) {
        match self.owner.load_identity(&self.id) {
            Ok(Some(identity)) => self.adopt(Box::new(identity), ctx),
            Ok(None) => self.forget(ctx),
            Err(error) => tracing::error!(%error, "an identity cannot be read"),
        }
        let modules: Vec<_> = self.sessions.identities().flatten().cloned().collect();
        for module in modules {
            match self.load_module(&module) {
                Ok(identity) => self.adopt_module(&identity, ctx),
                Err(HubError::ModuleNotFound(_)) => self.forget_module(&module, ctx),
                Err(error) => tracing::error!(%error, "a module cannot be read"),
            }
        }
    }
}
