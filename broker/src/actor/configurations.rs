//! Twins are kept as the hub's configurations want them (service-protocols.md 2.11).
//!
//! After every change of an identity or its twin, and when it is asked to, the actor looks which configurations target the
//! identity now, and makes of the twin what [`resolve`] says. The mailbox waits from the change on until that is done, so
//! nothing is decided by a twin that is about to change.

use std::collections::VecDeque;

use ironhub_domain::HubError;
use ironhub_domain::configuration::{
    Application, Assigned, Configuration, Contender, Prepared, TargetCondition, TargetSource,
    resolve,
};
use ironhub_domain::ids::{IdentityId, ModuleId};
use ironhub_domain::partition::{Command, UpdateTwin};
use ironhub_domain::query::{Condition, Dialect, QueryError, Row, Source, Target};
use ironhub_domain::registry::IfMatch;
use ironhub_domain::twin::{SectionChange, TwinChange, TwinUpdate};

use super::call::Reply;
use super::device::{Ctx, DeviceActor, now};
use super::owner::Owner;
use super::routes::Sender;
use super::twin::changed;
use crate::partition::records;

/// The configurations of the hub, made ready for many twins.
#[derive(Default)]
pub(crate) struct Configurations {
    all: Vec<Ready>,
    /// A condition looks at presence.
    read_presence: bool,
}

struct Ready {
    prepared: Prepared,
    target: Target,
}

impl Configurations {
    /// Makes them ready. One whose condition cannot be read, which its put would have refused, targets nothing.
    pub(crate) fn new<'a>(all: impl IntoIterator<Item = &'a Configuration>) -> Self {
        let ready = |configuration: &Configuration| {
            let target = target(configuration).unwrap_or_else(|error| {
                tracing::error!(id = %configuration.id, %error, "a configuration's condition");
                Target::Nothing
            });
            Ready { prepared: configuration.prepare(), target }
        };
        let all: Vec<_> = all.into_iter().map(ready).collect();
        Self { read_presence: all.iter().any(|ready| ready.target.reads_presence()), all }
    }

    /// Whether who is targeted can change when somebody connects, disconnects or is heard of.
    pub(super) fn read_presence(&self) -> bool {
        self.read_presence
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether twins of modules can depend on what is in their device's.
    fn concern_modules(&self) -> bool {
        self.all.iter().any(|ready| ready.prepared.modules().next().is_some())
    }

    /// Those that target the identity. `own` is its row, `device` its device's.
    fn contenders(&self, id: &IdentityId, own: &dyn Row, device: &dyn Row) -> Vec<Contender<'_>> {
        let contender = |ready: &'_ Ready| match &ready.target {
            Target::Nothing => false,
            Target::All(source) | Target::Where(source, _) => match source {
                Source::Devices => ready.target.is_met(device),
                Source::Modules => id.module.is_some() && ready.target.is_met(own),
                Source::Jobs => false,
            },
        };
        let targeting = self.all.iter().filter(|ready| contender(ready));
        targeting.filter_map(|ready| ready.prepared.contender(id)).collect()
    }
}

/// Which twins a configuration is for, as queries find them; refused if its condition is none.
pub(crate) fn target(configuration: &Configuration) -> Result<Target, QueryError> {
    let target = configuration.target();
    let source = match target.source {
        TargetSource::Devices => Source::Devices,
        TargetSource::Modules => Source::Modules,
    };
    Ok(match &target.condition {
        TargetCondition::Nothing => Target::Nothing,
        TargetCondition::All => Target::All(source),
        TargetCondition::Where(text) => {
            Target::Where(source, Condition::parse(text, Dialect::Rows(source))?)
        }
    })
}

/// Twins that are still to be looked at, and who waits for that.
pub(super) struct Round {
    left: VecDeque<Option<ModuleId>>,
    reply: Option<Reply<()>>,
}

impl DeviceActor {
    /// Something of the identity has changed; `assigned` is what configurations had made of its twin. Costs nothing while
    /// there are no configurations.
    pub(super) fn keep_configured(
        &mut self,
        module: Option<&ModuleId>,
        assigned: Option<&Assigned>,
        ctx: &mut Ctx,
    ) {
        let configurations = self.owner.facts().configurations.load();
        if configurations.is_empty() && assigned.is_none_or(Assigned::is_empty) {
            return;
        }
        let mut left = VecDeque::from([module.cloned()]);
        if module.is_none() && configurations.concern_modules() {
            left.extend(self.module_ids());
        }
        self.configure_next(Round { left, reply: None }, ctx);
    }

    /// Makes the twin what configurations want, and those of a device's modules.
    pub(super) fn configure(&mut self, module: Option<ModuleId>, reply: Reply<()>, ctx: &mut Ctx) {
        let mut left = VecDeque::new();
        if module.is_none() {
            // First, so that as long as something is left of a configuration the device shows it.
            left.extend(self.module_ids());
        }
        left.push_back(module);
        self.configure_next(Round { left, reply: Some(reply) }, ctx);
    }

    fn module_ids(&self) -> Vec<Option<ModuleId>> {
        let modules = self.module_views().unwrap_or_default();
        modules.into_iter().map(|module| Some(module.identity.id)).collect()
    }

    fn configure_next(&mut self, mut round: Round, ctx: &mut Ctx) {
        while let Some(module) = round.left.pop_front() {
            match self.owner.application(&self.identity_id(module.as_ref())) {
                Ok(None) => {}
                Ok(Some(application)) => return self.apply(module, application, round, ctx),
                Err(error) => return self.not_configured(error, round),
            }
        }
        if let Some(reply) = round.reply {
            let _ = reply.send(Ok(()));
        }
    }

    fn not_configured(&self, error: HubError, round: Round) {
        tracing::warn!(device = %self.id, %error, "configurations could not be applied");
        if let Some(reply) = round.reply {
            let _ = reply.send(Err(error));
        }
    }

    fn apply(
        &mut self,
        module: Option<ModuleId>,
        application: Application,
        round: Round,
        ctx: &mut Ctx,
    ) {
        let (now, update) = (now(), update(&application));
        let told = self.told_update(module.as_ref(), &update, &IfMatch::Any, now);
        let command = Command::UpdateTwin(Box::new(UpdateTwin {
            identity: self.identity_id(module.as_ref()),
            update,
            assigned: Some(application.assigned),
            precondition: IfMatch::Any,
            limits: self.owner.facts().settings.twin_limits,
            now,
        }));
        self.change_and_tell(&command, told, ctx, move |actor, outcome, ctx| {
            match changed(outcome) {
                Ok(TwinChange { twin, notice }) => {
                    if let Some(notice) = notice {
                        actor.tell_changed(module.as_ref(), &twin, notice, ctx);
                    }
                    actor.configure_next(round, ctx);
                }
                Err(error) => actor.not_configured(error, round),
            }
        });
    }
}

impl Owner {
    /// Whether the twin is as configurations want it, and those of a device's modules; so is one that does not exist.
    pub(crate) fn is_configured(&self, id: &IdentityId) -> Result<bool, HubError> {
        if self.application(id)?.is_some() {
            return Ok(false);
        }
        if id.module.is_none() {
            let modules = self.read(|store, group| records::modules(store, group, &id.device))?;
            for module in modules {
                let id = IdentityId { device: id.device.clone(), module: Some(module.id) };
                if self.application(&id)?.is_some() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What is to be done with a twin, if anything.
    fn application(&self, id: &IdentityId) -> Result<Option<Application>, HubError> {
        let configurations = self.facts().configurations.load();
        let Some(own) = self.load_sender(id)? else { return Ok(None) };
        if id.module.is_some() && !own.is_module() {
            return Ok(None);
        }
        let device = match id.module {
            Some(_) if !configurations.is_empty() => {
                self.load_sender(&IdentityId::device(id.device.clone()))?
            }
            Some(_) | None => None,
        };
        let row = own.row();
        let device_row = device.as_ref().map(Sender::row);
        let contenders = configurations.contenders(id, &row, device_row.as_ref().unwrap_or(&row));
        let twin = own.twin();
        let Some(application) = resolve(&contenders, &twin.assigned, &twin.desired.values) else {
            return Ok(None);
        };
        let limits = self.facts().settings.twin_limits;
        match twin.clone().update(update(&application), &IfMatch::Any, &limits, now()) {
            Ok(_) => Ok(Some(application)),
            Err(error) => {
                let assigned = twin.assigned.not_changed_to(&application.assigned);
                if assigned == twin.assigned {
                    return Ok(None);
                }
                tracing::warn!(identity = %id, %error, "configurations do not fit into a twin");
                Ok(Some(Application { patch: Default::default(), assigned }))
            }
        }
    }
}

fn update(application: &Application) -> TwinUpdate {
    let patch = &application.patch;
    let desired = (!patch.is_empty()).then(|| SectionChange::Patch(patch.clone()));
    TwinUpdate { tags: None, desired }
}
