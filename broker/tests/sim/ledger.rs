//! What an onlooker knows of one group's devices and their modules, and what of it must be stored.

use std::collections::BTreeMap;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::StateTx;
use ironhub_domain::HubError;
use ironhub_domain::device::StoredSession;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::partition::{Command, Outcome};
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;

use crate::coverage::Coverage;
use crate::notice_ledger::NoticeLedger;
use crate::orders::modules;
use crate::queue_ledger::QueueLedger;
use crate::stored::Stored;
use crate::twin_ledger::TwinLedger;
use crate::upload_ledger::UploadLedger;

/// One registered device.
pub struct DeviceLedger {
    pub enabled: bool,
    pub uploads: UploadLedger,
}

/// A registered device, or a module of one, as it connects.
pub struct IdentityLedger {
    pub generation: String,
    pub queue: QueueLedger,
    pub twin: TwinLedger,
    session: Option<StoredSession>,
}

impl IdentityLedger {
    fn new(generation: &str, created: UnixMs) -> Self {
        Self {
            generation: generation.to_owned(),
            queue: QueueLedger::default(),
            twin: TwinLedger::new(created),
            session: None,
        }
    }
}

/// One group, as all its committed commands leave it.
#[derive(Default)]
pub struct Ledger {
    pub devices: BTreeMap<DeviceId, DeviceLedger>,
    pub identities: BTreeMap<IdentityId, IdentityLedger>,
    pub notices: NoticeLedger,
    pub coverage: Coverage,
}

/// The device or module that a command is about.
pub fn identity_of(command: &Command) -> Option<IdentityId> {
    match command {
        Command::PutDevice(put) => Some(put.request.id.clone().into()),
        Command::DeleteDevice { id: device, .. }
        | Command::OpenUpload { device, .. }
        | Command::CloseUpload { device, .. } => Some(device.clone().into()),
        Command::PutModule(put) => {
            Some(IdentityId::module(put.request.device.clone(), put.request.id.clone()))
        }
        Command::DeleteModule { device, module, .. } => {
            Some(IdentityId::module(device.clone(), module.clone()))
        }
        Command::EnqueueC2d(enqueue) => Some(enqueue.identity.clone()),
        Command::UpdateTwin(update) => Some(update.identity.clone()),
        Command::PatchReported(patch) => Some(patch.identity.clone()),
        Command::SeeDesired { identity, .. }
        | Command::LockC2d { identity, .. }
        | Command::SettleC2d { identity, .. }
        | Command::ReleaseC2d { identity, .. }
        | Command::SweepC2d { identity, .. }
        | Command::PurgeC2d { identity, .. }
        | Command::PutSession { identity, .. } => Some(identity.clone()),
        _ => None,
    }
}

impl Ledger {
    /// Checks the answer to the next committed command.
    pub fn saw(&mut self, command: &Command, outcome: &Outcome) -> Result<(), String> {
        self.coverage.answered(outcome);
        let Some(id) = identity_of(command) else {
            if let Command::DropNotices { kind, sequences } = command {
                self.notices.dropped(*kind, sequences);
            }
            return Ok(());
        };
        let Some(device) = self.devices.get_mut(&id.device) else {
            return self.saw_unknown(&id, command, outcome);
        };
        let disabled = || Outcome::Refused(HubError::DeviceDisabled(id.device.to_string()));
        match command {
            Command::PutDevice(_) => {
                let Outcome::Device(identity) = outcome else {
                    return Err(format!("a put was answered {outcome:?}"));
                };
                device.enabled = identity.is_enabled();
                self.registered(&id, &identity.generation, UnixMs(0))
            }
            Command::DeleteDevice { .. } => {
                self.devices.remove(&id.device);
                self.identities.retain(|identity, _| identity.device != id.device);
                self.notices.deleted(&id.device);
                expect(outcome, &Outcome::Deleted)
            }
            Command::PutModule(put) => match outcome {
                Outcome::Module(module) => self.registered(&id, &module.generation, put.fresh.now),
                other => Err(format!("a put of a module was answered {other:?}")),
            },
            Command::DeleteModule { .. } => match self.identities.remove(&id) {
                Some(_) => expect(outcome, &Outcome::Deleted),
                None => expect(outcome, &unknown_module(&id)),
            },
            Command::OpenUpload { .. } | Command::CloseUpload { .. } if !device.enabled => {
                expect(outcome, &disabled())
            }
            Command::OpenUpload { .. } | Command::CloseUpload { .. } => {
                if let Some(blob) = device.uploads.saw(command, outcome)? {
                    self.coverage.told_of_file();
                    self.notices.file(blob);
                }
                Ok(())
            }
            Command::LockC2d { .. }
            | Command::SettleC2d { .. }
            | Command::PatchReported(_)
            | Command::PutSession { session: Some(_), .. }
                if !device.enabled && self.identities.contains_key(&id) =>
            {
                expect(outcome, &disabled())
            }
            command => self.saw_identity(&id, command, outcome),
        }
    }

    /// A put of what is there keeps its generation.
    fn registered(
        &mut self,
        id: &IdentityId,
        generation: &str,
        created: UnixMs,
    ) -> Result<(), String> {
        let new = || IdentityLedger::new(generation, created);
        let known = self.identities.entry(id.clone()).or_insert_with(new);
        match known.generation == generation {
            true => Ok(()),
            false => Err(format!("{id}: generation {} became {generation}", known.generation)),
        }
    }

    fn saw_unknown(
        &mut self,
        id: &IdentityId,
        command: &Command,
        outcome: &Outcome,
    ) -> Result<(), String> {
        match (command, outcome) {
            (Command::PutDevice(put), Outcome::Device(identity)) => {
                let enabled = identity.is_enabled();
                let new = DeviceLedger { enabled, uploads: UploadLedger::default() };
                self.devices.insert(id.device.clone(), new);
                self.registered(id, &identity.generation, put.fresh.now)
            }
            (command, outcome) => {
                let unknown = HubError::DeviceNotFound(id.device.to_string());
                expect(outcome, &nobodys(command).unwrap_or(Outcome::Refused(unknown)))
            }
        }
    }

    fn saw_identity(
        &mut self,
        id: &IdentityId,
        command: &Command,
        outcome: &Outcome,
    ) -> Result<(), String> {
        let Some(known) = self.identities.get_mut(id) else {
            return expect(outcome, &nobodys(command).unwrap_or_else(|| unknown_module(id)));
        };
        match command {
            Command::PutSession { session, .. } => {
                known.session.clone_from(session);
                if session.is_none() {
                    known.queue.forget_sent();
                }
                expect(outcome, &Outcome::Done)
            }
            Command::UpdateTwin(update) => known.twin.updated(update, outcome),
            Command::PatchReported(patch) => known.twin.reported(patch, outcome),
            Command::SeeDesired { version, .. } => {
                known.twin.seen(*version);
                expect(outcome, &Outcome::Done)
            }
            command => {
                for feedback in known.queue.saw(command, outcome)? {
                    self.coverage.told(&feedback);
                    self.notices.feedback(&id.device, feedback);
                }
                Ok(())
            }
        }
    }

    /// Compares what is known of a device and its modules, and of notices, with what an entry leaves.
    pub fn check(&self, group: GroupId, id: &DeviceId, tx: &StateTx<'_>) -> Result<(), String> {
        let stored = Stored { group, tx };
        let own = IdentityId::device(id.clone());
        let modules = modules().map(|module| IdentityId::module(id.clone(), module));
        for identity in modules.into_iter().chain([own]) {
            let checked = self.check_identity(&identity, &stored);
            checked.map_err(|error| format!("{identity}: {error}"))?;
        }
        let uploads: proto::UploadsRecord =
            stored.get(&[&[0x34], id.as_str().as_bytes()].concat())?.unwrap_or_default();
        match self.devices.get(id) {
            Some(device) => device.uploads.check(&uploads),
            None => UploadLedger::default().check(&uploads),
        }
        .map_err(|error| format!("{id}: {error}"))?;
        self.notices.check(&stored)
    }

    fn check_identity(&self, id: &IdentityId, stored: &Stored<'_, '_>) -> Result<(), String> {
        let queue: proto::C2dQueueRecord = stored.of(0x30, id)?.unwrap_or_default();
        let session: Option<proto::SessionRecord> = stored.of(0x33, id)?;
        let filters = session.map(|session| session.subscriptions.len());
        let twin: Option<proto::TwinRecord> = stored.of(0x20, id)?;
        let known = self.identities.get(id);
        if id.module.is_some() {
            let record: Option<proto::ModuleRecord> = stored.of(0x40, id)?;
            let stored = record.map(|record| record.generation);
            let known = known.map(|known| known.generation.clone());
            if stored != known {
                return Err(format!("generation {known:?}, stored {stored:?}"));
            }
        }
        let Some(known) = known else {
            return if queue.entries.is_empty() && filters.is_none() && twin.is_none() {
                Ok(())
            } else {
                Err(format!("is gone, {queue:?}, {filters:?} and {twin:?} are not"))
            };
        };
        known.queue.check(&queue)?;
        let session = known.session.as_ref().map(|session| session.subscriptions.len());
        if session != filters {
            return Err(format!("session {session:?}, stored {filters:?}"));
        }
        twin.map_or(Ok(()), |twin| known.twin.check(&twin))
    }
}

/// The answer to what may be said of an identity that is not there: a queue that is not there has nothing to release, a
/// session nobody has is forgotten.
fn nobodys(command: &Command) -> Option<Outcome> {
    match command {
        Command::ReleaseC2d { .. } | Command::SweepC2d { .. } | Command::PurgeC2d { .. } => {
            Some(Outcome::Affected(0))
        }
        Command::PutSession { session: None, .. } | Command::SeeDesired { .. } => {
            Some(Outcome::Done)
        }
        _ => None,
    }
}

fn unknown_module(id: &IdentityId) -> Outcome {
    Outcome::Refused(HubError::ModuleNotFound(id.to_string()))
}

fn expect(outcome: &Outcome, expected: &Outcome) -> Result<(), String> {
    if outcome == expected {
        return Ok(());
    }
    Err(format!("answered {outcome:?}, not {expected:?}"))
}
