//! Devices and services at work: messages, twins, sessions, and devices that come and go.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use ironhub::partition::{PartitionMachine, Watermarks, commands, records};
use ironhub_cluster::GroupId;
use ironhub_cluster::partition::Defects;
use ironhub_cluster::storage::StateStore;
use ironhub_cluster::testing::workload::Workload;
use ironhub_domain::c2d::{Holder, LockToken};
use ironhub_domain::device::SessionTable;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::notice::NoticeKind;
use ironhub_domain::partition::{Command, Outcome};
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;

use crate::audit::{Audited, History, Mistake};
use crate::ledger::identity_of;
use crate::orders::{Orders, modules};

/// Devices of each group: few, so that queues fill up.
const DEVICES: u32 = 2;
/// More groups than the simulator has.
const GROUPS_MAX: u32 = 64;

/// One device as those see it who send to it and from it.
#[derive(Default)]
struct Known {
    /// Who speaks for it, as its owner knows.
    table: SessionTable<u64>,
    /// All sessions that ever connected: the last one is the only live one, the others may not have heard of it yet.
    sessions: Vec<u64>,
    /// Deliveries that were answered, and whose: what a client may settle.
    tokens: VecDeque<(IdentityId, LockToken)>,
    /// Whether services send a lot just now.
    flooded: bool,
}

/// What an answer promised.
enum Promise {
    Enqueued { generation: String, id: IdentityId, sequence: u64 },
    Twin { generation: String, id: IdentityId, version: u64 },
}

/// Clients of all groups.
pub struct Clients {
    history: Arc<Mutex<History>>,
    mistake: Option<Mistake>,
    known: HashMap<(GroupId, u32), Known>,
    numbers: HashMap<u64, Bytes>,
    promises: HashMap<u64, Promise>,
    refused: HashSet<u64>,
    orders: Orders,
    last_session: u64,
}

impl Clients {
    pub fn new(mistake: Option<Mistake>) -> (Self, Arc<Mutex<History>>) {
        let history = Arc::new(Mutex::new(History::default()));
        let clients = Self {
            history: history.clone(),
            mistake,
            known: HashMap::new(),
            numbers: HashMap::new(),
            promises: HashMap::new(),
            refused: HashSet::new(),
            orders: Orders::default(),
            last_session: 0,
        };
        (clients, history)
    }

    fn make(&mut self, group: GroupId, number: u64, rng: &mut StdRng) -> Command {
        self.orders.tick(rng);
        let place = rng.random_range(0..DEVICES);
        let device = DeviceId::new(&format!("device-{place}")).expect("a good id");
        let mut history = self.history.lock();
        let ledger = &mut history.groups.entry(group).or_default().ledger;
        let known = self.known.entry((group, place)).or_default();
        if rng.random_bool(0.01) {
            known.flooded = !known.flooded;
        }
        let orders = &mut self.orders;
        let Some(registered) = ledger.devices.get(&device) else {
            known.tokens.clear();
            return orders.put(device, number, true);
        };
        let module = modules()[rng.random_range(0..2)].clone();
        let id = match rng.random_bool(0.2) {
            true => IdentityId::module(device.clone(), module.clone()),
            false => IdentityId::device(device.clone()),
        };
        let twin = ledger.identities.get(&id).map(|known| &known.twin);
        match rng.random_range(0..1000) {
            0..3 => orders.delete(device),
            3..10 => orders.put(device, number, false),
            10..40 => orders.put(device, number, true),
            40..60 => {
                let kinds = [NoticeKind::Feedback, NoticeKind::FileUpload];
                let kind = kinds[rng.random_range(0..2)];
                orders.drop_notices(kind, ledger.notices.oldest(kind, rng.random_range(0..8)))
            }
            60..63 => orders.purge(id),
            63..90 => orders.sweep(id),
            90..150 => orders.update_twin(id, twin.map_or("", |twin| twin.etag()), rng),
            150..160 => orders.see_desired(id, twin.map_or(1, |twin| twin.desired_version()), rng),
            850..910 => orders.open_upload(device, number, rng),
            910..922 => {
                let open = registered.uploads.nth(rng.random_range(0..4));
                orders.close_upload(device, open.unwrap_or("none"), rng)
            }
            922..942 => orders.put_module(device, module, number),
            942..945 => orders.delete_module(device, module),
            160..200 => {
                // A device connects. It takes over whatever was there, and what that held is free again.
                self.last_session += 1;
                known.table.connect(None, self.last_session, self.last_session);
                known.sessions.push(self.last_session);
                orders.release(id)
            }
            200..230 => orders.lock(id, Holder::Request, rng),
            230..600 if !known.flooded => {
                let held = known.tokens.get(rng.random_range(0..8)).cloned();
                let (id, token) = held.map_or((id, None), |(id, token)| (id, Some(token)));
                let version = ledger.identities.get(&id).map(|known| known.twin.reported_version());
                orders.speak(id, token, version.unwrap_or(1), rng)
            }
            600..720 if !known.flooded => orders.lock(id, Holder::Session, rng),
            720..850 if !known.flooded => orders.lock(id, Holder::StoredSession, rng),
            _ => orders.send(id, number, rng),
        }
    }

    /// Whether a device's command is let in: some session sends it, maybe one that was taken over and does not know.
    fn let_in(&mut self, group: GroupId, command: &Command, rng: &mut StdRng) -> bool {
        let spoken = matches!(
            command,
            Command::SettleC2d { .. } | Command::PatchReported(_) | Command::PutSession { .. }
        );
        let place = (0..DEVICES).find(|place| {
            identity_of(command).is_some_and(|id| id.device.as_str() == format!("device-{place}"))
        });
        let Some(known) = place.and_then(|place| self.known.get(&(group, place))) else {
            return true;
        };
        let Some(newest) = known.sessions.last().copied().filter(|_| spoken) else {
            return !spoken;
        };
        let stale = rng.random_bool(0.3);
        let back = if stale { rng.random_range(0..known.sessions.len().min(3)) } else { 0 };
        let session = known.sessions[known.sessions.len() - 1 - back];
        let fenced = !known.table.is_live(None, session);
        if fenced && self.mistake != Some(Mistake::NotFenced) {
            return false;
        }
        if session != newest {
            self.history.lock().broken.get_or_insert(format!(
                "session {session} was heard though {newest} took over: {command:?}"
            ));
        }
        true
    }
}

impl Workload for Clients {
    type Machine = Audited;

    fn machine(&self, group: GroupId, _defects: Defects) -> Audited {
        let machine = PartitionMachine::new(group, Watermarks::new(GROUPS_MAX));
        Audited { machine, history: self.history.clone(), mistake: self.mistake }
    }

    fn command(&mut self, group: GroupId, number: u64, rng: &mut StdRng) -> Bytes {
        let mut command = self.make(group, number, rng);
        while !self.let_in(group, &command, rng) {
            command = self.make(group, number, rng);
        }
        let bytes = commands::encode(&command);
        self.history.lock().sent.insert(bytes.clone(), command);
        self.numbers.insert(number, bytes.clone());
        bytes
    }

    fn acknowledged(
        &mut self,
        group: GroupId,
        number: u64,
        outcome: Outcome,
    ) -> Result<(), String> {
        let history = self.history.lock();
        if let Some(broken) = &history.broken {
            return Err(broken.clone());
        }
        let known = history.groups.get(&group).ok_or("an answer out of nothing")?;
        let bytes = self.numbers.get(&number).ok_or("an answer to nothing")?;
        let effect = known
            .effects
            .get(bytes)
            .and_then(|effects| effects.iter().find(|effect| effect.outcome == outcome));
        let Some(effect) = effect else {
            return Err(format!("command {number} was answered {outcome:?}, which never happened"));
        };
        let id = identity_of(&history.sent[bytes]);
        let Some((id, generation)) = id.zip(effect.generation.clone()) else {
            return Ok(());
        };
        match outcome {
            Outcome::Enqueued(sequence) => {
                self.promises.insert(number, Promise::Enqueued { generation, id, sequence });
            }
            Outcome::Twin(change) => {
                let version = change.twin.version;
                self.promises.insert(number, Promise::Twin { generation, id, version });
            }
            Outcome::Locked(deliveries) => {
                let place = id.device.as_str().trim_start_matches("device-").parse().unwrap_or(0);
                let tokens = &mut self.known.entry((group, place)).or_default().tokens;
                for delivery in deliveries {
                    tokens.push_front((id.clone(), delivery.lock));
                }
                tokens.truncate(20);
            }
            _ => {}
        }
        Ok(())
    }

    fn refused(&mut self, _group: GroupId, number: u64) {
        self.refused.insert(number);
    }

    fn check(
        &mut self,
        group: GroupId,
        store: &dyn StateStore,
        acknowledged: &[u64],
    ) -> Result<(), String> {
        let history = self.history.lock();
        if let Some(broken) = &history.broken {
            return Err(broken.clone());
        }
        let Some(known) = history.groups.get(&group) else { return Ok(()) };
        let mut stored = HashMap::new();
        for promise in acknowledged.iter().filter_map(|number| self.promises.get(number)) {
            let (Promise::Enqueued { generation, id, .. } | Promise::Twin { generation, id, .. }) =
                promise;
            // What was deleted, or is deleted in this replica's state already, keeps nothing.
            let Some(registered) = known.ledger.identities.get(id) else { continue };
            if registered.generation != *generation {
                continue;
            }
            if !stored.contains_key(id) {
                let queue = records::c2d_queue(store, group, id);
                let twin = records::twin(store, group, id);
                let queue = queue.map_err(|error| error.to_string())?;
                let twin = twin.map_err(|error| error.to_string())?;
                stored.insert(id.clone(), (queue, twin));
            }
            let (queue, twin) = &stored[id];
            match promise {
                Promise::Enqueued { sequence, .. } => {
                    let here = queue.entries.iter().any(|entry| entry.sequence == *sequence);
                    if !here && registered.queue.is_live(*sequence) {
                        return Err(format!("message {sequence} of {id} was accepted and is lost"));
                    }
                }
                Promise::Twin { version, .. } => {
                    let found = twin.as_ref().map_or(0, |twin| twin.version);
                    if found < *version {
                        return Err(format!(
                            "version {version} of {id} was accepted, {found} is there"
                        ));
                    }
                }
            }
        }
        if acknowledged.is_empty() {
            return Ok(());
        }
        // What was refused for good has no effect: its command is in no entry, unless it was sent more than once.
        let mut sent: HashMap<&Bytes, usize> = HashMap::new();
        for (number, bytes) in &self.numbers {
            *sent.entry(bytes).or_default() += usize::from(!self.refused.contains(number));
        }
        match known
            .effects
            .iter()
            .find(|(bytes, effects)| effects.len() > sent.get(bytes).copied().unwrap_or(0))
        {
            Some((bytes, _)) => Err(format!("{:?} took effect too often", history.sent[bytes])),
            None => Ok(()),
        }
    }
}
