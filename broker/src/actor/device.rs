//! The device actor: a thin shell that puts everything about one device and its modules into one order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::fut::wrap_future;
use actix::prelude::*;
use ironhub_domain::HubError;
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity, SessionTable};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::partition::{Command, Outcome};
use ironhub_domain::time::UnixMs;

use super::call::{Call, DeviceAsk, IdentityAsk, SessionAsk, SessionKey};
use super::events::Told;
use super::facts::NodeFacts;
use super::owner::Owner;
use super::presence::Presence;
use super::session::Live;
use crate::metrics::device as meters;
use crate::partition::{commands, records};

pub(super) type Ctx = Context<DeviceActor>;

/// One active device with its modules. Twins and queues are not kept: they are read from the records when they are needed,
/// so that a device that is only connected stays small.
pub(super) struct DeviceActor {
    pub(super) id: DeviceId,
    pub(super) owner: Arc<Owner>,
    pub(super) identity: Option<Box<DeviceIdentity>>,
    pub(super) sessions: SessionTable<Box<Live>>,
    pub(super) presence: Presence,
    /// Of registered modules that were heard of.
    pub(super) modules: BTreeMap<ModuleId, Presence>,
}

impl Actor for DeviceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Ctx) {
        self.recall_device(ctx);
    }
}

impl Handler<Call> for DeviceActor {
    type Result = ();

    fn handle(&mut self, call: Call, ctx: &mut Ctx) {
        // A caller that no longer waits for its answer is not an error, hence the ignored sends, here and below.
        match call {
            Call::Connect { request, handle, reply } => self.connect(request, handle, reply, ctx),
            Call::SendD2c { session, messages, place, reply } => {
                self.send_d2c(&session, &messages, place, reply, ctx);
            }
            Call::Control { session, control } => self.control(&session, *control, ctx),
            Call::Backlog { session, backlog } => {
                let control = backlog.lock().take();
                self.control(&session, control.unwrap_or_default(), ctx);
            }
            Call::FromSession { session, ask } => self.ask_from_session(session, ask, ctx),
            Call::Device(ask) => self.ask_device(ask, ctx),
            Call::Identity { module, ask } => self.ask_identity(module, *ask, ctx),
        }
    }
}

impl DeviceActor {
    pub(super) fn new(id: DeviceId, owner: Arc<Owner>, identity: Option<DeviceIdentity>) -> Self {
        Self {
            id,
            owner,
            identity: identity.map(Box::new),
            sessions: SessionTable::default(),
            presence: Presence::default(),
            modules: BTreeMap::new(),
        }
    }

    fn ask_from_session(&mut self, session: SessionKey, ask: SessionAsk, ctx: &mut Ctx) {
        if !self.sessions.is_live(session.module.as_ref(), session.number) {
            let fenced = HubError::SessionFenced;
            return match ask {
                SessionAsk::Settle { reply, .. } | SessionAsk::Store { reply, .. } => {
                    drop(reply.send(Err(fenced)));
                }
                SessionAsk::Twin { reply } => drop(reply.send(Err(fenced))),
                SessionAsk::PatchReported { reply, .. } => drop(reply.send(Err(fenced))),
                SessionAsk::Renew { reply, .. } => drop(reply.send(Err(fenced))),
            };
        }
        match ask {
            SessionAsk::Settle { lock, how, reply } => {
                self.settle_c2d(session.module, Some(session.number), lock, how, reply, ctx);
            }
            SessionAsk::Twin { reply } => self.device_twin(session.module, reply, ctx),
            SessionAsk::PatchReported { patch, if_version, reply } => {
                self.patch_reported(session.module, &patch, if_version, reply, ctx);
            }
            SessionAsk::Store { stored, reply } => {
                self.store_session(session.module, stored, reply, ctx);
            }
            SessionAsk::Renew { credentials, reply } => {
                let _ = reply.send(self.renew(&session, &credentials));
            }
        }
    }

    fn ask_device(&mut self, ask: DeviceAsk, ctx: &mut Ctx) {
        match ask {
            DeviceAsk::View { reply } => drop(reply.send(self.device_view())),
            DeviceAsk::Put { put, reply } => self.put(put, reply, ctx),
            DeviceAsk::PutWithTwin { put, reply } => self.put_with_twin(put, reply, ctx),
            DeviceAsk::Delete { precondition, reply } => self.delete(precondition, reply, ctx),
            DeviceAsk::CloseSessions { reason } => self.close_sessions(reason, ctx),
            DeviceAsk::Modules { reply } => drop(reply.send(self.module_views())),
            DeviceAsk::PutModule { put, reply } => self.put_module(put, reply, ctx),
            DeviceAsk::OpenUpload { ticket, reply } => self.open_upload(ticket, reply),
            DeviceAsk::Upload { correlation_id, reply } => {
                self.upload(correlation_id, reply, ctx);
            }
            DeviceAsk::CloseUpload { correlation_id, result, notify, reply } => {
                self.close_upload(correlation_id, result, notify, reply);
            }
        }
    }

    fn ask_identity(&mut self, module: Option<ModuleId>, ask: IdentityAsk, ctx: &mut Ctx) {
        match ask {
            IdentityAsk::SendD2c { auth, model_id, messages, reply } => {
                self.store_d2c(module, auth, model_id, &messages, reply, ctx);
            }
            IdentityAsk::Authenticate { credentials, reply } => {
                let _ = reply.send(self.authenticate(module, &credentials));
            }
            IdentityAsk::ReceiveC2d { reply } => self.receive_c2d(module, reply),
            IdentityAsk::SettleC2d { lock, how, reply } => {
                self.settle_c2d(module, None, lock, how, reply, ctx);
            }
            IdentityAsk::EnqueueC2d { message, reply } => {
                self.enqueue_c2d(module, message, reply, ctx);
            }
            IdentityAsk::PurgeC2d { reply } => self.purge_c2d(module, reply),
            IdentityAsk::SweepC2d { reply } => self.sweep_c2d(module, reply, ctx),
            IdentityAsk::Recall { reply } => {
                if let Some(module) = &module {
                    self.recall_module(module, ctx);
                }
                let _ = reply.send(Ok(()));
            }
            IdentityAsk::Twin { reply } => self.twin(module, reply, ctx),
            IdentityAsk::UpdateTwin { update, if_match, reply } => {
                self.update_twin(module, update, if_match, reply, ctx);
            }
            IdentityAsk::UpdateTwinOfJob { job, update, if_match, reply } => {
                self.update_twin_of_job(module, job, update, if_match, reply, ctx);
            }
            IdentityAsk::Configure { reply } => self.configure(module, reply, ctx),
            IdentityAsk::Invoke { call, reply } => self.invoke(module, call, reply, ctx),
            IdentityAsk::Module { reply } => {
                let view = match module {
                    Some(module) => self.load_module(&module).and_then(|m| self.module_view(m)),
                    None => Err(HubError::ModuleNotFound(self.id.to_string())),
                };
                let _ = reply.send(view);
            }
            IdentityAsk::DeleteModule { if_match, reply } => match module {
                Some(module) => self.delete_module(module, if_match, reply, ctx),
                None => drop(reply.send(Err(HubError::ModuleNotFound(self.id.to_string())))),
            },
        }
    }

    pub(super) fn identity_id(&self, module: Option<&ModuleId>) -> IdentityId {
        IdentityId { device: self.id.clone(), module: module.cloned() }
    }

    /// The device, if it is registered.
    pub(super) fn registered(&self) -> Result<&DeviceIdentity, HubError> {
        self.identity.as_deref().ok_or_else(|| HubError::DeviceNotFound(self.id.to_string()))
    }

    /// A module, if it and its device are registered.
    pub(super) fn load_module(&self, module: &ModuleId) -> Result<ModuleIdentity, HubError> {
        self.registered()?;
        self.owner
            .read(|store, group| records::module(store, group, &self.id, module))?
            .ok_or_else(|| HubError::ModuleNotFound(self.identity_id(Some(module)).to_string()))
    }

    /// Whether the identity is registered.
    pub(super) fn check_registered(&self, module: Option<&ModuleId>) -> Result<(), HubError> {
        match module {
            Some(module) => self.load_module(module).map(|_| ()),
            None => self.registered().map(|_| ()),
        }
    }

    /// Proposes a change, and lets the mailbox wait until it is applied: nothing that depends on what changes is ordered
    /// after the change but decided by the state before it (design.md 10, invariants 3 and 6).
    pub(super) fn change(
        &mut self,
        command: &Command,
        ctx: &mut Ctx,
        done: impl FnOnce(&mut Self, Result<Outcome, HubError>, &mut Ctx) + 'static,
    ) {
        self.change_and_tell(command, None, ctx, done);
    }

    /// As [`Self::change`], with an event that tells of it.
    pub(super) fn change_and_tell(
        &mut self,
        command: &Command,
        told: Option<Told>,
        ctx: &mut Ctx,
        done: impl FnOnce(&mut Self, Result<Outcome, HubError>, &mut Ctx) + 'static,
    ) {
        let outcome = self.owner.submit(self.with_event(command, told));
        ctx.wait(wrap_future(outcome).map(move |outcome, actor: &mut Self, ctx| {
            if matches!(outcome, Err(HubError::OutcomeUnknown)) {
                // It may have been applied all the same: what the records say counts from here on.
                actor.reload(ctx);
            }
            done(actor, outcome, ctx);
        }));
    }

    /// Proposes a command, behind all that was proposed before; the mailbox goes on meanwhile. As many are under way as the
    /// partition's queue takes.
    pub(super) fn propose(
        &mut self,
        command: &Command,
        ctx: &mut Ctx,
        done: impl FnOnce(&mut Self, Result<Outcome, HubError>, &mut Ctx) + 'static,
    ) {
        let outcome = self.owner.submit(commands::encode(command));
        ctx.spawn(
            wrap_future(outcome)
                .map(move |outcome, actor: &mut Self, ctx| done(actor, outcome, ctx)),
        );
    }

    /// Does something when the records are as new as everything that was acknowledged before. The mailbox waits, so that
    /// reads and changes that one session asks for keep their order.
    pub(super) fn after_barrier(
        &mut self,
        ctx: &mut Ctx,
        done: impl FnOnce(&mut Self, Result<(), HubError>) + 'static,
    ) {
        let owner = self.owner.clone();
        let passed = async move { owner.partition().read_barrier().await };
        ctx.wait(wrap_future(passed).map(move |passed, actor: &mut Self, _| done(actor, passed)));
    }
}

impl Drop for DeviceActor {
    fn drop(&mut self) {
        // Only at shutdown: a live session holds a handle, so its actor is never passivated.
        if !self.owner.facts().stopping.load(Ordering::Relaxed) {
            self.sessions.end_all().iter().for_each(|_| meters::session_closed());
        }
    }
}

/// Now, in the form that commands carry.
pub(super) fn now() -> UnixMs {
    NodeFacts::now()
}
