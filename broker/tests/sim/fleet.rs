//! A fleet with jobs and configurations: what runs jobs and rolls configurations out asks again and again, as it does after
//! every crash, while services move devices in and out of scope.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use ironhub::partition::{PartitionMachine, Watermarks, commands, records};
use ironhub_cluster::GroupId;
use ironhub_cluster::partition::Defects;
use ironhub_cluster::storage::StateStore;
use ironhub_cluster::testing::workload::Workload;
use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::job::{JobId, JobStatistics, JobType};
use ironhub_domain::limits::TwinLimits;
use ironhub_domain::partition::{Command, JobCommand, JobTending, Outcome, UpdateTwin};
use ironhub_domain::registry::{DeviceRequest, Fresh, IfMatch, PutDevice, PutMode};
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::TwinUpdate;
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::fleet_audit::{FleetMistake, Onlooker, Seen, Watched};
use crate::plans::{FLOORS, Plans};

/// Devices of each group.
const DEVICES: u32 = 4;
/// More groups than the simulator has.
const GROUPS_MAX: u32 = 64;

/// A job that changes twins.
struct Job {
    id: JobId,
    number: u64,
    targets: Vec<DeviceId>,
}

/// One group as those see it who manage its devices.
#[derive(Default)]
struct Managed {
    plans: Plans,
    jobs: Vec<Job>,
    /// All faults have ended: nothing new is begun.
    winds_up: bool,
    /// All is done, and so many commands were acknowledged by then.
    done: Option<usize>,
    acknowledged: usize,
}

/// The fleets of all groups.
pub struct Fleet {
    onlooker: Arc<Mutex<Onlooker>>,
    mistake: Option<FleetMistake>,
    managed: BTreeMap<GroupId, Managed>,
    numbers: HashMap<u64, Bytes>,
    clock: u64,
}

fn devices() -> impl Iterator<Item = DeviceId> + Clone {
    (0..DEVICES).map(|place| DeviceId::new(&format!("device-{place}")).expect("a good id"))
}

fn update(identity: DeviceId, patch: &Value, precondition: IfMatch, now: UnixMs) -> UpdateTwin {
    UpdateTwin {
        identity: IdentityId::device(identity),
        update: TwinUpdate::parse_patch(patch.to_string().as_bytes()).expect("a good patch"),
        assigned: None,
        precondition,
        limits: TwinLimits::DEFAULT,
        now,
    }
}

impl Fleet {
    pub fn new(mistake: Option<FleetMistake>) -> (Self, Arc<Mutex<Onlooker>>) {
        let onlooker = Arc::new(Mutex::new(Onlooker::default()));
        let fleet = Self {
            onlooker: onlooker.clone(),
            mistake,
            managed: BTreeMap::new(),
            numbers: HashMap::new(),
            clock: 0,
        };
        (fleet, onlooker)
    }

    fn make(&mut self, group: GroupId, number: u64, rng: &mut StdRng) -> Command {
        self.clock += rng.random_range(1..600);
        let now = UnixMs(self.clock);
        let mut onlooker = self.onlooker.lock();
        let seen = onlooker.groups.entry(group).or_default();
        if let Some(id) = devices().find(|id| !seen.twins.contains_key(id)) {
            return put(id, number, now);
        }
        let managed = self.managed.entry(group).or_default();
        if !managed.winds_up {
            managed.plans.tick(now, rng);
            if rng.random_bool(0.2) {
                let id = devices().nth(rng.random_range(0..DEVICES) as usize).expect("one of them");
                let floor = FLOORS.choose(rng).copied();
                let tags = json!({"tags": {"floor": floor}});
                let update = update(id, &tags, IfMatch::Any, now);
                return Command::UpdateTwin(Box::new(update));
            }
        }
        let first = rng.random_range(0..2);
        let found = (0..2).find_map(|turn| match (first + turn) % 2 {
            0 => managed.configure(seen, self.mistake, now, rng),
            _ => managed.advance(seen, number, now, rng),
        });
        found.unwrap_or_else(|| {
            let idle = devices().next().expect("one of them");
            Command::SeeDesired { identity: IdentityId::device(idle), version: 1 }
        })
    }
}

fn put(id: DeviceId, number: u64, now: UnixMs) -> Command {
    Command::PutDevice(Box::new(PutDevice {
        mode: PutMode::CreateOrUpdate(IfMatch::Any),
        request: DeviceRequest::new(id),
        fresh: Fresh {
            generation: number.to_string(),
            etag: format!("etag-{number}"),
            keys: SymmetricKeys::default(),
            now,
        },
    }))
}

impl Managed {
    /// Brings some device into line that is not. The actor's mailbox, which lets nothing in between, is an ETag here.
    fn configure(
        &self,
        seen: &Seen,
        mistake: Option<FleetMistake>,
        now: UnixMs,
        rng: &mut StdRng,
    ) -> Option<Command> {
        let first = rng.random_range(0..DEVICES) as usize;
        let around = devices().cycle().skip(first).take(DEVICES as usize);
        for id in around {
            let twin = &seen.twins[&id];
            if mistake == Some(FleetMistake::LeaversKept) && !self.plans.target(twin) {
                continue;
            }
            if let Some(application) = self.plans.application(&id, twin) {
                let values = json!({"properties": {"desired": application.patch}});
                let precondition = IfMatch::Tags(vec![twin.etag()]);
                let mut update = update(id, &values, precondition, now);
                if application.patch.is_empty() {
                    update.update = TwinUpdate::default();
                }
                update.assigned = Some(application.assigned);
                return Some(Command::UpdateTwin(Box::new(update)));
            }
        }
        None
    }

    fn rows_open(job: &Job, seen: &Seen) -> bool {
        let row = |device| seen.rows.get(&job.id).and_then(|rows| rows.get(device));
        job.targets.iter().any(|device| row(device).is_none_or(|row| !row.is_final()))
    }

    /// What is next for the job that runs, or for one that did: whoever runs jobs may not know what was done already.
    fn advance(
        &mut self,
        seen: &Seen,
        number: u64,
        now: UnixMs,
        rng: &mut StdRng,
    ) -> Option<Command> {
        let runs = self.jobs.last().is_some_and(|job| Self::rows_open(job, seen));
        if !runs && self.winds_up {
            return None;
        }
        if !runs && rng.random_bool(0.3) {
            let mut targets: Vec<_> = devices().filter(|_| rng.random_bool(0.7)).collect();
            if targets.is_empty() {
                targets.extend(devices().next());
            }
            let id = JobId::new(&format!("job-{number}")).expect("a good id");
            self.jobs.push(Job { id, number, targets });
        }
        let stale = !self.winds_up && rng.random_bool(0.1);
        let job = if stale { self.jobs.choose(rng) } else { self.jobs.last() }?;
        let identities = || job.targets.iter().cloned().map(IdentityId::device).collect();
        let is_known = seen.rows.get(&job.id).is_some_and(|rows| rows.len() == job.targets.len());
        let id = job.id.clone();
        let tend = |how| JobCommand::Tend { job: id.clone(), how, after: None, now };
        Some(Command::Job(match rng.random_range(0..100) {
            _ if !is_known => JobCommand::Target {
                job: job.id.clone(),
                job_type: JobType::UpdateTwin,
                identities: identities(),
                now,
            },
            0..5 => tend(JobTending::Resume),
            5..8 if !self.winds_up => tend(JobTending::Expire),
            _ => {
                let device = job.targets.choose(rng)?.clone();
                let values = json!({"properties": {"desired": {"job": job.number}}});
                let update = update(device, &values, IfMatch::Any, now);
                JobCommand::UpdateTwin { job: job.id.clone(), update: Box::new(update) }
            }
        }))
    }

    /// What must be so when all is done.
    fn check_done(&self, group: GroupId, store: &dyn StateStore) -> Result<(), String> {
        for id in devices() {
            let identity = IdentityId::device(id.clone());
            let twin = records::twin(store, group, &identity).map_err(|error| error.to_string())?;
            let Some(twin) = twin else { continue };
            let mut desired = twin.desired.values.clone();
            desired.remove("job");
            let expected = self.plans.expected(&twin);
            if Value::from(desired.clone()) != expected {
                let holds = Value::from(desired);
                return Err(format!("{id} holds {holds}, by its configurations {expected}"));
            }
        }
        for job in &self.jobs {
            let counts = records::job_counts(store, group, &job.id);
            let counts = counts.map_err(|error| error.to_string())?;
            let targets = job.targets.len() as u64;
            let JobStatistics { devices, failed, succeeded, running, pending } = counts;
            let is_whole = devices == targets && failed + succeeded == targets;
            if !is_whole || running + pending > 0 {
                return Err(format!("{}: {targets} targets, counted are {counts:?}", job.id));
            }
        }
        Ok(())
    }
}

impl Workload for Fleet {
    type Machine = Watched;

    fn machine(&self, group: GroupId, _defects: Defects) -> Watched {
        let machine = PartitionMachine::new(group, Watermarks::new(GROUPS_MAX));
        Watched { machine, onlooker: self.onlooker.clone(), mistake: self.mistake }
    }

    fn command(&mut self, group: GroupId, number: u64, rng: &mut StdRng) -> Bytes {
        let command = self.make(group, number, rng);
        let bytes = commands::encode(&command);
        self.onlooker.lock().sent.insert(bytes.clone(), command);
        self.numbers.insert(number, bytes.clone());
        bytes
    }

    fn acknowledged(
        &mut self,
        group: GroupId,
        number: u64,
        _outcome: Outcome,
    ) -> Result<(), String> {
        self.numbers.get(&number).ok_or("an answer to nothing")?;
        self.managed.entry(group).or_default().acknowledged += 1;
        self.onlooker.lock().broken.clone().map_or(Ok(()), Err)
    }

    fn refused(&mut self, _group: GroupId, _number: u64) {}

    fn check(
        &mut self,
        group: GroupId,
        store: &dyn StateStore,
        acknowledged: &[u64],
    ) -> Result<(), String> {
        if let Some(broken) = &self.onlooker.lock().broken {
            return Err(broken.clone());
        }
        let managed = self.managed.entry(group).or_default();
        match managed.done {
            Some(count) if acknowledged.len() >= count => managed.check_done(group, store),
            _ => Ok(()),
        }
    }

    fn is_at_work(&mut self, group: GroupId) -> bool {
        let managed = self.managed.entry(group).or_default();
        managed.winds_up = true;
        let mut onlooker = self.onlooker.lock();
        let seen = onlooker.groups.entry(group).or_default();
        let all_there = devices().all(|id| seen.twins.contains_key(&id));
        let is_at_work = !all_there
            || managed.jobs.iter().any(|job| Managed::rows_open(job, seen))
            || seen.twins.iter().any(|(id, twin)| {
                let looks =
                    self.mistake != Some(FleetMistake::LeaversKept) || managed.plans.target(twin);
                looks && managed.plans.application(id, twin).is_some()
            });
        if !is_at_work {
            managed.done = Some(managed.acknowledged);
        }
        is_at_work
    }
}
