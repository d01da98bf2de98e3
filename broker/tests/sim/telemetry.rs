//! Senders of telemetry, and devices being registered.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use ironhub::partition::{EventReader, PartitionMachine, Watermarks, commands, records};
use ironhub_cluster::partition::Defects;
use ironhub_cluster::storage::{Area, Change, StateStore};
use ironhub_cluster::testing::memory_store::MemoryStore;
use ironhub_cluster::testing::workload::Workload;
use ironhub_cluster::{GroupId, StateMachine};
use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::event::{
    AppProperty, AuthMethod, AuthScope, AuthType, D2cMessage, Event, Origin,
};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::partition::{Command, Outcome, Stream};
use ironhub_domain::registry::{DeviceRequest, Fresh, PutDevice, PutMode};
use ironhub_domain::time::UnixMs;
use rand::Rng;
use rand::rngs::StdRng;

/// More groups than the simulator has.
const GROUPS_MAX: u32 = 64;

/// What a command was, to know what its acknowledgement promises.
enum Sent {
    Events(u32),
    Device(DeviceId),
}

/// Where an acknowledged command's effect must be.
enum Promise {
    Events { first: u64, count: u32 },
    Device { id: DeviceId, etag: String },
}

/// Clients that send batches of events and make new devices.
#[derive(Default)]
pub struct Telemetry {
    sent: HashMap<u64, Sent>,
    promises: HashMap<u64, Promise>,
    refused: HashSet<u64>,
    seen: HashMap<(GroupId, u64), Event>,
}

impl Telemetry {
    fn batch(&mut self, number: u64, rng: &mut StdRng) -> Bytes {
        let count = rng.random_range(1..6);
        let origin = Origin {
            device: DeviceId::new(&format!("device-{}", rng.random_range(0..5)))
                .expect("a good id"),
            module: None,
            generation: "1".into(),
            auth: AuthMethod { scope: AuthScope::Device, kind: AuthType::SymmetricKey },
            model_id: None,
            source: Default::default(),
        };
        let message = |place: u32, rng: &mut StdRng| D2cMessage {
            properties: vec![AppProperty {
                name: "n".into(),
                value: Some(format!("{number}/{place}")),
            }],
            body: vec![place as u8; rng.random_range(0..200)].into(),
            ..D2cMessage::default()
        };
        let messages: Vec<_> = (0..count).map(|place| message(place, rng)).collect();
        self.sent.insert(number, Sent::Events(count));
        // A clock that jumps about: time in the log must not.
        commands::append_events(&origin, UnixMs(rng.random_range(0..1_000_000)), &messages)
    }

    fn device(&mut self, number: u64) -> Bytes {
        let id = DeviceId::new(&format!("new-{number}")).expect("a good id");
        self.sent.insert(number, Sent::Device(id.clone()));
        let fresh = Fresh {
            generation: number.to_string(),
            etag: format!("etag-{number}"),
            keys: SymmetricKeys::default(),
            now: UnixMs(number),
        };
        let put = PutDevice { mode: PutMode::Create, request: DeviceRequest::new(id), fresh };
        commands::encode(&Command::PutDevice(Box::new(put)))
    }
}

impl Workload for Telemetry {
    type Machine = PartitionMachine;

    fn machine(&self, group: GroupId, _defects: Defects) -> PartitionMachine {
        PartitionMachine::new(group, Watermarks::new(GROUPS_MAX))
    }

    fn command(&mut self, _group: GroupId, number: u64, rng: &mut StdRng) -> Bytes {
        if rng.random_bool(0.8) { self.batch(number, rng) } else { self.device(number) }
    }

    fn acknowledged(
        &mut self,
        _group: GroupId,
        number: u64,
        outcome: Outcome,
    ) -> Result<(), String> {
        let promise = match (self.sent.get(&number), outcome) {
            (Some(Sent::Events(count)), Outcome::Events(at)) => {
                let count = *count;
                if at.last_sequence + 1 - at.first_sequence != u64::from(count) {
                    return Err(format!("batch {number} of {count} events got {at:?}"));
                }
                Promise::Events { first: at.first_sequence, count }
            }
            (Some(Sent::Device(id)), Outcome::Device(identity)) if identity.id == *id => {
                Promise::Device { id: id.clone(), etag: identity.etag }
            }
            (_, outcome) => return Err(format!("command {number} ended as {outcome:?}")),
        };
        match self.promises.insert(number, promise) {
            None => Ok(()),
            Some(_) => Err(format!("command {number} was answered twice")),
        }
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
        let events = events(group, store)?;
        let mut places: HashMap<u64, Vec<u64>> = HashMap::new();
        let mut before = (UnixMs(0), None);
        for (place, event) in events.iter().enumerate() {
            if event.sequence != place as u64 {
                return Err(format!("sequence {} at place {place}", event.sequence));
            }
            if before.0 > event.enqueued || before.1.is_some_and(|offset| offset >= event.offset) {
                return Err(format!("time or offset goes back at sequence {place}"));
            }
            before = (event.enqueued, Some(event.offset));
            let number = number_of(event)?;
            if self.refused.contains(&number) {
                return Err(format!("batch {number} took effect though it was refused"));
            }
            places.entry(number).or_default().push(event.sequence);
            let seen = self.seen.entry((group, event.sequence)).or_insert_with(|| event.clone());
            if seen != event {
                return Err(format!("sequence {} has changed its content", event.sequence));
            }
        }
        for number in acknowledged {
            match self.promises.get(number) {
                Some(Promise::Events { first, count }) => {
                    let promised: Vec<u64> = (*first..first + u64::from(*count)).collect();
                    if places.get(number) != Some(&promised) {
                        let found = places.get(number);
                        return Err(format!(
                            "batch {number}: promised {promised:?}, found {found:?}"
                        ));
                    }
                }
                Some(Promise::Device { id, etag }) => {
                    let found =
                        records::device(store, group, id).map_err(|error| error.to_string())?;
                    if found.is_none_or(|identity| identity.etag != *etag) {
                        return Err(format!("device {id} was acknowledged and is not there"));
                    }
                }
                None => {
                    return Err(format!(
                        "command {number} counts as acknowledged without an answer"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn number_of(event: &Event) -> Result<u64, String> {
    let text = event.message.properties.first().and_then(|property| property.value.as_deref());
    let number = text.and_then(|text| text.split('/').next()?.parse().ok());
    number.ok_or_else(|| format!("event {} has lost its properties", event.sequence))
}

/// All events of a group, read as consumers read them, from a copy of the replica's state.
fn events(group: GroupId, store: &dyn StateStore) -> Result<Vec<Event>, String> {
    let copy = MemoryStore::new();
    let (from, to) = (group.0.to_be_bytes(), (group.0 + 1).to_be_bytes());
    let mut rows = Vec::new();
    for area in [Area::Records, Area::Events] {
        store
            .scan(area, &from, &to, &mut |key, value| {
                rows.push(Change::Put(area, key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            })
            .map_err(|error| error.to_string())?;
    }
    copy.write(&rows).map_err(|error| error.to_string())?;
    let watermarks = Watermarks::new(GROUPS_MAX);
    let mut machine = PartitionMachine::new(group, watermarks.clone());
    machine.reload(group, &copy).map_err(|error| error.to_string())?;
    let watermark = watermarks.subscribe(group, Stream::BUILT_IN).ok_or("no such group")?;
    let reader = EventReader::new(Arc::new(copy), group, Stream::BUILT_IN, watermark);
    reader.read(0, usize::MAX, usize::MAX).map_err(|error| error.to_string())
}
