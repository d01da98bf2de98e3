//! Twins: read and changed in one order, and the device told of what changed, once and without gaps
//! (device-protocols.md 7.3).
//!
//! All changes of a twin come through its actor, and while one is under way the mailbox waits. So whenever anything else is
//! decided, the record is what the newest change left, and every notice is of the version after the last.

use ironhub_domain::HubError;
use ironhub_domain::ids::ModuleId;
use ironhub_domain::job::JobId;
use ironhub_domain::partition::{Command, JobCommand, Outcome, PatchReported, UpdateTwin};
use ironhub_domain::registry::IfMatch;
use ironhub_domain::twin::parse::parse_reported;
use ironhub_domain::twin::{DesiredNotice, Twin, TwinChange, TwinUpdate};

use super::call::Reply;
use super::device::{Ctx, DeviceActor, now};
use super::owner::unexpected;
use crate::partition::records;
use crate::router::request::{CloseReason, DeviceTwin, Push, TwinView};

impl DeviceActor {
    /// The twin as its own identity reads it.
    pub(super) fn device_twin(
        &mut self,
        module: Option<ModuleId>,
        reply: Reply<DeviceTwin>,
        ctx: &mut Ctx,
    ) {
        self.after_barrier(ctx, move |actor, passed| {
            let twin = passed.and_then(|()| actor.load_twin(module.as_ref())).map(|twin| {
                DeviceTwin { desired_version: twin.desired.version, body: twin.device_view() }
            });
            let _ = reply.send(twin);
        });
    }

    pub(super) fn patch_reported(
        &mut self,
        module: Option<ModuleId>,
        patch: &[u8],
        if_version: Option<u64>,
        reply: Reply<u64>,
        ctx: &mut Ctx,
    ) {
        let patch = match parse_reported(patch) {
            Ok(patch) => patch,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let now = now();
        let told = self.told_reported(module.as_ref(), &patch, if_version, now);
        let command = Command::PatchReported(Box::new(PatchReported {
            identity: self.identity_id(module.as_ref()),
            patch,
            if_version,
            limits: self.owner.facts().settings.twin_limits,
            now,
        }));
        self.change_and_tell(&command, told, ctx, move |actor, outcome, ctx| {
            let version = changed(outcome).map(|TwinChange { twin, .. }| {
                actor.keep_configured(module.as_ref(), Some(&twin.assigned), ctx);
                twin.reported.version
            });
            let _ = reply.send(version);
        });
    }

    /// The twin as services see it.
    pub(super) fn twin(&mut self, module: Option<ModuleId>, reply: Reply<TwinView>, ctx: &mut Ctx) {
        self.after_barrier(ctx, move |actor, passed| {
            let view = passed
                .and_then(|()| actor.load_twin(module.as_ref()))
                .and_then(|twin| actor.twin_view(module.as_ref(), twin));
            let _ = reply.send(view);
        });
    }

    pub(super) fn update_twin(
        &mut self,
        module: Option<ModuleId>,
        update: TwinUpdate,
        precondition: IfMatch,
        reply: Reply<TwinView>,
        ctx: &mut Ctx,
    ) {
        let now = now();
        let told = self.told_update(module.as_ref(), &update, &precondition, now);
        let command = Command::UpdateTwin(Box::new(UpdateTwin {
            identity: self.identity_id(module.as_ref()),
            update,
            assigned: None,
            precondition,
            limits: self.owner.facts().settings.twin_limits,
            now,
        }));
        self.change_and_tell(&command, told, ctx, move |actor, outcome, ctx| {
            let view = changed(outcome).and_then(|TwinChange { twin, notice }| {
                if let Some(notice) = notice {
                    actor.tell_changed(module.as_ref(), &twin, notice, ctx);
                }
                actor.keep_configured(module.as_ref(), Some(&twin.assigned), ctx);
                actor.twin_view(module.as_ref(), twin)
            });
            let _ = reply.send(view);
        });
    }

    /// The change and the job's row are one command, so this can be asked for again and again.
    pub(super) fn update_twin_of_job(
        &mut self,
        module: Option<ModuleId>,
        job: JobId,
        update: TwinUpdate,
        precondition: IfMatch,
        reply: Reply<()>,
        ctx: &mut Ctx,
    ) {
        let now = now();
        let told = self.told_update(module.as_ref(), &update, &precondition, now);
        let update = Box::new(UpdateTwin {
            identity: self.identity_id(module.as_ref()),
            update,
            assigned: None,
            precondition,
            limits: self.owner.facts().settings.twin_limits,
            now,
        });
        let command = Command::Job(JobCommand::UpdateTwin { job, update });
        self.change_and_tell(&command, told, ctx, move |actor, outcome, ctx| {
            let done = match outcome {
                Ok(Outcome::Twin(change)) => {
                    if let Some(notice) = change.notice {
                        actor.tell_changed(module.as_ref(), &change.twin, notice, ctx);
                    }
                    let assigned = &change.twin.assigned;
                    actor.keep_configured(module.as_ref(), Some(assigned), ctx);
                    Ok(())
                }
                // The update is refused and the row says so; or the row was done with before.
                Ok(Outcome::Done) | Err(HubError::JobFinished(_)) => Ok(()),
                Ok(other) => Err(unexpected(&other)),
                Err(error) => Err(error),
            };
            let _ = reply.send(done);
        });
    }

    pub(super) fn load_twin(&self, module: Option<&ModuleId>) -> Result<Twin, HubError> {
        let created = match module {
            Some(module) => self.load_module(module)?.created,
            None => self.registered()?.created,
        };
        let identity = self.identity_id(module);
        let twin = self.owner.read(|store, group| records::twin(store, group, &identity))?;
        Ok(twin.unwrap_or_else(|| Twin::new(created)))
    }

    fn twin_view(&self, module: Option<&ModuleId>, twin: Twin) -> Result<TwinView, HubError> {
        let mut device = self.device_view()?;
        let live = self.sessions.current(module).map(|(_, live)| live);
        device.connected = live.is_some();
        (device.last_activity, device.connection_updated) = self.times(module);
        Ok(TwinView {
            c2d_count: self.owner.c2d_count(&self.identity_id(module))?,
            model_id: self.model_id(module),
            module: module.map(|module| self.load_module(module)).transpose()?,
            device,
            twin,
        })
    }

    /// The session wants to hear of changes from now on: first of those that the identity has missed.
    pub(super) fn tell_missed(&mut self, module: Option<&ModuleId>, ctx: &mut Ctx) {
        let mut twin = match self.load_twin(module) {
            Ok(twin) => twin,
            Err(error) => {
                return tracing::error!(%error, "a twin cannot be read");
            }
        };
        twin.see_desired(self.presence_mut(module).desired_seen);
        let Some((_, live)) = self.sessions.current_mut(module) else { return };
        // What this session was told is on its way.
        twin.see_desired(live.desired_told);
        live.desired_told = twin.desired.version;
        if let Some(notice) = twin.missed()
            && self.owner.facts().settings.notify_at_reconnect
        {
            self.tell(module, notice, ctx);
        }
    }

    /// The desired properties have changed.
    pub(super) fn tell_changed(
        &mut self,
        module: Option<&ModuleId>,
        twin: &Twin,
        notice: DesiredNotice,
        ctx: &mut Ctx,
    ) {
        let Some((_, live)) = self.sessions.current_mut(module) else { return };
        if !live.features.desired || notice.version <= live.desired_told {
            return;
        }
        let is_next = notice.version == live.desired_told + 1;
        // A change whose outcome was not known was not told; the whole section makes up for it.
        let whole = || Twin { desired_seen: 0, ..twin.clone() }.missed();
        let notice = if is_next { notice } else { whole().unwrap_or(notice) };
        live.desired_told = notice.version;
        self.tell(module, notice, ctx);
    }

    fn tell(&mut self, module: Option<&ModuleId>, notice: DesiredNotice, ctx: &mut Ctx) {
        let Some((_, live)) = self.sessions.current_mut(module) else { return };
        if !live.sink.push(Push::Desired(notice)) {
            self.close_session(module, CloseReason::Slow, ctx);
        }
    }

    /// Notes what has reached the identity. Nobody waits for it: if it gets lost, the identity is sent what it has once
    /// more.
    pub(super) fn see_desired(&mut self, module: Option<&ModuleId>, version: u64) {
        let Ok(twin) = self.load_twin(module) else { return };
        // Of another life of this identity's name there may be higher ones.
        let version = version.min(twin.desired.version);
        let presence = self.presence_mut(module);
        presence.desired_seen = presence.desired_seen.min(twin.desired.version).max(version);
        if version > twin.desired_seen {
            let identity = self.identity_id(module);
            self.owner.propose(&Command::SeeDesired { identity, version }, |outcome| {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "what a device has seen was not noted");
                }
            });
        }
    }
}

pub(super) fn changed(outcome: Result<Outcome, HubError>) -> Result<TwinChange, HubError> {
    match outcome? {
        Outcome::Twin(change) => Ok(*change),
        other => Err(unexpected(&other)),
    }
}
