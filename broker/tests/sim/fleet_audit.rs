//! The hub's machine with an onlooker who follows jobs and twins, and with mistakes that he must notice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use ironhub::partition::{PartitionMachine, commands};
use ironhub_cluster::storage::{StateStore, StateTx, StorageError};
use ironhub_cluster::{ApplyContext, GroupId, StateMachine};
use ironhub_domain::HubError;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::job::{DeviceJobStatus, JobId, JobStatistics};
use ironhub_domain::partition::{Command, JobCommand, JobTending, Outcome, UpdateTwin};
use ironhub_domain::twin::{Twin, TwinUpdate};
use ironhub_proto as proto;
use parking_lot::Mutex;

use crate::stored::Stored;

/// A mistake that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetMistake {
    /// A target that is done with is changed when a job asks again.
    ChangedAgain,
    /// What becomes of a target is not counted.
    NotCounted,
    /// What configurations set is noted with the twin and not written into it.
    ValuesLost,
    /// Twins that a configuration does not target any more are not looked at.
    LeaversKept,
}

/// All that was applied, by any replica, and what was sent.
#[derive(Default)]
pub struct Onlooker {
    pub groups: BTreeMap<GroupId, Seen>,
    /// Every command that was ever made.
    pub sent: HashMap<Bytes, Command>,
    /// The first thing that was wrong.
    pub broken: Option<String>,
}

/// One group's committed entries, and what they come to.
#[derive(Default)]
pub struct Seen {
    entries: BTreeMap<u64, Vec<Outcome>>,
    /// The twin of each device that is there.
    pub twins: BTreeMap<DeviceId, Twin>,
    /// What became of each job on each of its targets.
    pub rows: BTreeMap<JobId, BTreeMap<DeviceId, DeviceJobStatus>>,
    /// Jobs asked so often again for what was done.
    pub asked_again: u64,
}

impl Onlooker {
    /// The first replica to apply an entry teaches the onlooker; the others must come to the same answers.
    fn applied(
        &mut self,
        context: ApplyContext,
        bytes: &[Bytes],
        outcomes: &[Outcome],
        tx: &StateTx<'_>,
    ) -> Result<(), String> {
        let ApplyContext { group, index, .. } = context;
        let seen = self.groups.entry(group).or_default();
        if let Some(known) = seen.entries.get(&index) {
            return match known == outcomes {
                true => Ok(()),
                false => Err(format!("entry {index} gave {known:?}, now {outcomes:?}")),
            };
        }
        seen.entries.insert(index, outcomes.to_vec());
        let mut jobs = BTreeSet::new();
        for (bytes, outcome) in bytes.iter().zip(outcomes) {
            let command = self.sent.get(bytes).ok_or("a command that nobody sent")?;
            let saw = seen.saw(command, outcome);
            saw.map_err(|error| format!("entry {index}, {command:?}: {error}"))?;
            jobs.extend(job_of(command));
        }
        let stored = Stored { group, tx };
        for job in jobs {
            seen.check_counts(&job, &stored)?;
        }
        seen.check_versions(&stored)
    }
}

fn job_of(command: &Command) -> Option<JobId> {
    match command {
        Command::Job(
            JobCommand::Target { job, .. }
            | JobCommand::UpdateTwin { job, .. }
            | JobCommand::Note { job, .. }
            | JobCommand::Tend { job, .. },
        ) => Some(job.clone()),
        _ => None,
    }
}

impl Seen {
    fn saw(&mut self, command: &Command, outcome: &Outcome) -> Result<(), String> {
        let unexpected = || Err(format!("answered {outcome:?}"));
        match (command, outcome) {
            (Command::PutDevice(put), Outcome::Device(_)) => {
                let new = || Twin::new(put.fresh.now);
                self.twins.entry(put.request.id.clone()).or_insert_with(new);
                Ok(())
            }
            (Command::SeeDesired { .. }, Outcome::Done) => Ok(()),
            (Command::UpdateTwin(update), Outcome::Twin(change)) => {
                self.changed(&update.identity.device, &change.twin)
            }
            (Command::UpdateTwin(_), Outcome::Refused(HubError::PreconditionFailed { .. })) => {
                Ok(())
            }
            (Command::Job(command), outcome) => self.saw_job(command, outcome),
            _ => unexpected(),
        }
    }

    fn changed(&mut self, device: &DeviceId, twin: &Twin) -> Result<(), String> {
        let before = self.twins.insert(device.clone(), twin.clone());
        let before = before.map_or(0, |before| before.version);
        match twin.version.checked_sub(before) {
            // What configurations note beside a twin is no version of its own.
            Some(0 | 1) => Ok(()),
            _ => Err(format!("version {before} became {}", twin.version)),
        }
    }

    fn saw_job(&mut self, command: &JobCommand, outcome: &Outcome) -> Result<(), String> {
        let unexpected = || Err(format!("answered {outcome:?}"));
        match (command, outcome) {
            (JobCommand::Target { job, identities, .. }, Outcome::Affected(made)) => {
                let rows = self.rows.entry(job.clone()).or_default();
                let before = rows.len();
                for identity in identities {
                    rows.entry(identity.device.clone()).or_insert(DeviceJobStatus::Pending);
                }
                if rows.len() - before == *made as usize { Ok(()) } else { unexpected() }
            }
            (JobCommand::UpdateTwin { job, update }, outcome) => {
                let device = &update.identity.device;
                let row = self.rows.get_mut(job).and_then(|rows| rows.get_mut(device));
                match (row.filter(|row| !row.is_final()), outcome) {
                    (Some(row), Outcome::Twin(change)) => {
                        *row = DeviceJobStatus::Completed;
                        let twin = change.twin.clone();
                        self.changed(device, &twin)
                    }
                    (None, Outcome::Refused(HubError::JobFinished(_))) => {
                        self.asked_again += 1;
                        Ok(())
                    }
                    (None, Outcome::Twin(_)) => {
                        Err(format!("the job changes the twin of {device} twice"))
                    }
                    _ => unexpected(),
                }
            }
            (JobCommand::Tend { job, how, .. }, Outcome::JobRows { changed, last: None }) => {
                let rows = self.rows.entry(job.clone()).or_default();
                let open = rows.values_mut().filter(|row| !row.is_final());
                let expected = match how {
                    JobTending::Expire => open.map(|row| *row = DeviceJobStatus::Failed).count(),
                    // No twin is changed halfway, so there is nothing to resume.
                    JobTending::Resume => 0,
                    JobTending::Cancel | JobTending::Forget => return unexpected(),
                };
                if *changed as usize == expected { Ok(()) } else { unexpected() }
            }
            _ => unexpected(),
        }
    }

    /// What is counted of a job is what its rows come to, after every entry.
    fn check_counts(&self, job: &JobId, stored: &Stored<'_, '_>) -> Result<(), String> {
        let rows = self.rows.get(job).into_iter().flat_map(BTreeMap::values).copied();
        let known = JobStatistics::of_rows(rows);
        let record: proto::JobCountsRecord =
            stored.get(&[&[0x51], job.as_str().as_bytes()].concat())?.unwrap_or_default();
        let counted = JobStatistics {
            devices: record.devices,
            failed: record.failed,
            succeeded: record.succeeded,
            running: record.running,
            pending: record.pending,
        };
        match counted == known {
            true => Ok(()),
            false => Err(format!("{job}: rows come to {known:?}, counted are {counted:?}")),
        }
    }

    fn check_versions(&self, stored: &Stored<'_, '_>) -> Result<(), String> {
        for (device, twin) in &self.twins {
            let record: Option<proto::TwinRecord> =
                stored.of(0x20, &IdentityId::device(device.clone()))?;
            if let Some(record) = record
                && record.version != twin.version
            {
                let (known, found) = (twin.version, record.version);
                return Err(format!("{device}: version {known}, stored is {found}"));
            }
        }
        Ok(())
    }
}

/// A replica.
pub struct Watched {
    pub machine: PartitionMachine,
    pub onlooker: Arc<Mutex<Onlooker>>,
    pub mistake: Option<FleetMistake>,
}

impl StateMachine for Watched {
    type Outcome = Outcome;

    fn apply(
        &mut self,
        context: ApplyContext,
        bytes: &[Bytes],
        tx: &mut StateTx<'_>,
    ) -> Result<Vec<Outcome>, StorageError> {
        let outcomes = match self.mistake {
            Some(mistake) => {
                let mut outcomes = Vec::with_capacity(bytes.len());
                for command in bytes {
                    outcomes.push(self.apply_badly(mistake, context, command, tx)?);
                }
                outcomes
            }
            None => self.machine.apply(context, bytes, tx)?,
        };
        let mut onlooker = self.onlooker.lock();
        if let Err(error) = onlooker.applied(context, bytes, &outcomes, tx) {
            let group = context.group.0;
            onlooker.broken.get_or_insert(format!("group {group}: {error}"));
        }
        Ok(outcomes)
    }

    fn committed(&mut self) {
        self.machine.committed();
    }

    fn reload(&mut self, group: GroupId, store: &dyn StateStore) -> Result<(), StorageError> {
        self.machine.reload(group, store)
    }
}

impl Watched {
    fn one(
        &mut self,
        context: ApplyContext,
        command: &Bytes,
        tx: &mut StateTx<'_>,
    ) -> Result<Outcome, StorageError> {
        let outcomes = self.machine.apply(context, std::slice::from_ref(command), tx)?;
        outcomes.into_iter().next().ok_or_else(|| StorageError::Damaged("no outcome".into()))
    }

    fn apply_badly(
        &mut self,
        mistake: FleetMistake,
        context: ApplyContext,
        bytes: &Bytes,
        tx: &mut StateTx<'_>,
    ) -> Result<Outcome, StorageError> {
        let command = self.onlooker.lock().sent.get(bytes).cloned();
        match (mistake, command) {
            (
                FleetMistake::ChangedAgain,
                Some(Command::Job(JobCommand::UpdateTwin { update, .. })),
            ) => {
                let outcome = self.one(context, bytes, tx)?;
                if !matches!(outcome, Outcome::Refused(HubError::JobFinished(_))) {
                    return Ok(outcome);
                }
                self.one(context, &commands::encode(&Command::UpdateTwin(update)), tx)
            }
            (FleetMistake::NotCounted, Some(Command::Job(JobCommand::UpdateTwin { job, .. }))) => {
                let group = context.group.0.to_be_bytes();
                let key = [&group[..], &[0x51], job.as_str().as_bytes()].concat();
                let before = tx.get(&key)?;
                let outcome = self.one(context, bytes, tx)?;
                if let Some(before) = before {
                    tx.put(key, before);
                }
                Ok(outcome)
            }
            (FleetMistake::ValuesLost, Some(Command::UpdateTwin(update)))
                if update.assigned.is_some() =>
            {
                let bad = UpdateTwin { update: TwinUpdate::default(), ..*update };
                self.one(context, &commands::encode(&Command::UpdateTwin(Box::new(bad))), tx)
            }
            (_, _) => self.one(context, bytes, tx),
        }
    }
}
