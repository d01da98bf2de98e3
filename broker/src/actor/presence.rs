//! Presence: whether an identity is connected and when it was last heard of. The actor knows it at once; the record, which
//! outlives the node, follows: in order at every connect and disconnect, and while messages come within
//! [`FLUSH_CONNECTED`], or within [`FLUSH_ALONE`] after those that came without a session. Until then queries know of them
//! from [`Heard`](super::heard::Heard).

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext};
use ironhub_domain::HubError;
use ironhub_domain::device::Presence as PresenceRecord;
use ironhub_domain::ids::ModuleId;
use ironhub_domain::partition::Command;
use ironhub_domain::time::UnixMs;
use tokio::sync::oneshot;

use super::device::{Ctx, DeviceActor, now};
use super::events::Told;
use super::heard::Place;
use super::method::Waiters;

/// How far the record of a connected identity's last activity may be behind.
const FLUSH_CONNECTED: Duration = Duration::from_secs(60);
/// The same without a session; the actor outlives it.
const FLUSH_ALONE: Duration = Duration::from_secs(1);

/// Resolves when a presence is applied; to an error if it never will be.
type Noted = oneshot::Receiver<()>;

/// What a node knows of an identity beside its session.
#[derive(Default)]
pub(super) struct Presence {
    /// Last message or connect.
    pub(super) last_activity: UnixMs,
    /// Last connect or disconnect.
    pub(super) connection_updated: UnixMs,
    /// Number of the last transition.
    sequence: u64,
    /// Held while the record does not know of the last activity; it will learn of it.
    behind: Option<Place>,
    /// The newest desired `$version` that the identity is known to have got, if this actor saw it: the record learns it
    /// a moment later.
    pub(super) desired_seen: u64,
    /// Methods that wait for a session.
    pub(super) waiters: Option<Box<Waiters>>,
}

impl Presence {
    /// The number of a transition now.
    pub(super) fn next_sequence(&mut self, now: UnixMs) -> u64 {
        let record = PresenceRecord { sequence: self.sequence, ..PresenceRecord::default() };
        self.sequence = record.next_sequence(now);
        self.sequence
    }
}

impl DeviceActor {
    /// Of an identity that is registered.
    pub(super) fn presence_mut(&mut self, module: Option<&ModuleId>) -> &mut Presence {
        let Some(module) = module else { return &mut self.presence };
        if !self.modules.contains_key(module) {
            let (recalled, _) = self.recall(Some(module));
            self.modules.insert(module.clone(), recalled);
        }
        self.modules.entry(module.clone()).or_default()
    }

    /// Last activity and last change of connection.
    pub(super) fn times(&self, module: Option<&ModuleId>) -> (UnixMs, UnixMs) {
        let presence = match module {
            None => Some(&self.presence),
            Some(module) => self.modules.get(module),
        };
        match presence {
            Some(presence) => (presence.last_activity, presence.connection_updated),
            None => {
                let record = self.presence_record(module).unwrap_or_default();
                (record.last_activity, record.connection_updated)
            }
        }
    }

    /// The model id that an identity announced at its last connect.
    pub(super) fn model_id(&self, module: Option<&ModuleId>) -> Option<String> {
        match self.sessions.current(module) {
            Some((_, live)) => live.origin.model_id.clone(),
            None => self.presence_record(module).unwrap_or_default().model_id,
        }
    }

    fn presence_record(&self, module: Option<&ModuleId>) -> Result<PresenceRecord, HubError> {
        let identity = self.identity_id(module);
        self.owner.presence(&identity)
    }

    /// The device as the records know it; the first that this actor does.
    pub(super) fn recall_device(&mut self, ctx: &mut Ctx) {
        let (recalled, noted) = self.recall(None);
        self.presence = recalled;
        self.follow(None, noted, ctx);
    }

    /// After a start: a module that was connected before is not any more.
    pub(super) fn recall_module(&mut self, module: &ModuleId, ctx: &mut Ctx) {
        if !self.modules.contains_key(module) {
            let (recalled, noted) = self.recall(Some(module));
            self.modules.insert(module.clone(), recalled);
            self.follow(Some(module), noted, ctx);
        }
    }

    /// What the record says of an identity that this actor has not heard of. If that was connected, its node died: it is
    /// disconnected now, and that is being noted.
    fn recall(&self, module: Option<&ModuleId>) -> (Presence, Option<Noted>) {
        let record = match self.presence_record(module) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(%error, "a presence cannot be read");
                return (Presence::default(), None);
            }
        };
        let mut presence = Presence {
            last_activity: record.last_activity,
            connection_updated: record.connection_updated,
            sequence: record.sequence,
            ..Presence::default()
        };
        let mut noted = None;
        if record.connected {
            let at = now();
            presence.sequence = record.next_sequence(at);
            presence.connection_updated = at;
            let record = PresenceRecord {
                connected: false,
                connection_updated: at,
                sequence: presence.sequence,
                ..record
            };
            let transition = (false, presence.sequence);
            let told = self.told_connection(module, transition, "nodeStopped", at);
            noted = Some(self.note(module, record, told, None));
        }
        (presence, noted)
    }

    /// An identity has connected, or disconnected.
    pub(super) fn note_connection(
        &mut self,
        module: Option<&ModuleId>,
        connected: bool,
        reason: &str,
        model_id: Option<String>,
        ctx: &mut Ctx,
    ) {
        let now = now();
        let presence = self.presence_mut(module);
        if connected {
            presence.last_activity = now;
        }
        presence.connection_updated = now;
        let record = PresenceRecord {
            connected,
            connection_updated: now,
            last_activity: presence.last_activity,
            sequence: presence.next_sequence(now),
            model_id,
        };
        // With this note the record knows it all.
        let behind = presence.behind.take();
        let told = self.told_connection(module, (connected, record.sequence), reason, now);
        let noted = self.note(module, record, told, behind);
        self.follow(module, Some(noted), ctx);
    }

    /// An identity was heard of.
    pub(super) fn note_activity(&mut self, module: Option<&ModuleId>, ctx: &mut Ctx) {
        let is_connected = self.sessions.current(module).is_some();
        let now = now();
        let presence = self.presence_mut(module);
        presence.last_activity = now;
        if let Some(behind) = &presence.behind {
            return behind.set(now);
        }
        let behind = self.owner.heard().enter(self.identity_id(module), now);
        self.presence_mut(module).behind = Some(behind);
        let module = module.cloned();
        let after = if is_connected { FLUSH_CONNECTED } else { FLUSH_ALONE };
        ctx.run_later(after, move |actor, ctx| actor.flush_activity(module.as_ref(), ctx));
    }

    fn flush_activity(&mut self, module: Option<&ModuleId>, ctx: &mut Ctx) {
        let presence = self.presence_mut(module);
        let last_activity = presence.last_activity;
        // A connect or disconnect has noted it.
        let Some(behind) = presence.behind.take() else { return };
        match self.presence_record(module) {
            Ok(record) if record.last_activity < last_activity => {
                let record = PresenceRecord { last_activity, ..record };
                let noted = self.note(module, record, None, Some(behind));
                self.follow(module, Some(noted), ctx);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "a presence cannot be read"),
        }
    }

    /// The identity is no more; one that gets its id begins with nothing but a higher number.
    pub(super) fn forget_presence(&mut self) {
        let sequence = self.presence.sequence;
        self.presence = Presence { sequence, ..Presence::default() };
    }

    /// Proposes a presence. Nobody need wait for it. `behind` is kept until the record knows.
    fn note(
        &self,
        module: Option<&ModuleId>,
        presence: PresenceRecord,
        told: Option<Told>,
        behind: Option<Place>,
    ) -> Noted {
        let identity = self.identity_id(module);
        let device = self.id.clone();
        let note = self.with_event(&Command::NotePresence { identity, presence }, told);
        let (applied, noted) = oneshot::channel();
        self.owner.propose_encoded(note, move |outcome| {
            drop(behind);
            match outcome {
                Ok(_) => drop(applied.send(())),
                Err(error) => tracing::warn!(%device, %error, "a presence could not be noted"),
            }
        });
        noted
    }

    /// When the presence is noted the twin is made what configurations want now, if one of them asks for presence.
    fn follow(&self, module: Option<&ModuleId>, noted: Option<Noted>, ctx: &mut Ctx) {
        let Some(noted) = noted else { return };
        if !self.owner.facts().configurations.load().read_presence() {
            return;
        }
        let module = module.cloned();
        ctx.spawn(wrap_future(noted).map(move |noted, actor: &mut Self, ctx| {
            if noted.is_ok() {
                actor.keep_configured(module.as_ref(), None, ctx);
            }
        }));
    }
}
