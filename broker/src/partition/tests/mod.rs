//! A machine over a store in memory, driven as the engine drives it.

mod c2d;
mod devices;
mod events;
mod jobs;
mod notices;
mod positions;
mod registry;
mod twins;

use std::sync::Arc;

use bytes::Bytes;
use ironhub_cluster::storage::{StateStore, StateTx};
use ironhub_cluster::testing::MemoryStore;
use ironhub_cluster::{ApplyContext, GroupId, StateMachine};
use ironhub_domain::event::{
    AppProperty, AuthMethod, AuthScope, AuthType, D2cMessage, Event, Origin,
};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::partition::{Outcome, Stream};
use ironhub_domain::time::UnixMs;

use super::{EventReader, PartitionMachine, Watermarks, commands};

pub(crate) fn origin(device: &str) -> Origin {
    Origin {
        device: DeviceId::new(device).unwrap(),
        module: None,
        generation: "generation".into(),
        auth: AuthMethod { scope: AuthScope::Device, kind: AuthType::SymmetricKey },
        model_id: None,
        source: Default::default(),
    }
}

pub(crate) fn message(body: &str) -> D2cMessage {
    D2cMessage {
        properties: vec![AppProperty { name: "p".into(), value: Some(body.len().to_string()) }],
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..D2cMessage::default()
    }
}

/// A batch of messages with these bodies, stamped with this time.
pub(crate) fn batch(device: &str, now: u64, bodies: &[&str]) -> Bytes {
    let messages: Vec<_> = bodies.iter().map(|body| message(body)).collect();
    commands::append_events(&origin(device), UnixMs(now), &messages)
}

pub(crate) const GROUP: GroupId = GroupId(1);

pub(crate) struct Rig {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) machine: PartitionMachine,
    watermarks: Watermarks,
    index: u64,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new()))
    }

    /// What a node does at start with what it finds.
    pub(crate) fn over(store: Arc<MemoryStore>) -> Self {
        let watermarks = Watermarks::new(1);
        let mut machine = PartitionMachine::new(GROUP, watermarks.clone());
        machine.reload(GROUP, &*store).unwrap();
        Self { store, machine, watermarks, index: 0 }
    }

    /// One committed entry.
    pub(crate) fn apply(&mut self, commands: &[Bytes]) -> Vec<Outcome> {
        self.index += 1;
        let context = ApplyContext { group: GROUP, index: self.index, term: 1 };
        let mut tx = StateTx::new(&*self.store, GROUP);
        let outcomes = self.machine.apply(context, commands, &mut tx).unwrap();
        assert_eq!(outcomes.len(), commands.len());
        self.store.write(&tx.into_changes()).unwrap();
        self.machine.committed();
        outcomes
    }

    pub(crate) fn apply_one(&mut self, command: Bytes) -> Outcome {
        self.apply(&[command]).remove(0)
    }

    pub(crate) fn reader(&self) -> EventReader {
        self.reader_of(Stream::BUILT_IN)
    }

    pub(crate) fn reader_of(&self, stream: Stream) -> EventReader {
        let watermark = self.watermarks.subscribe(GROUP, stream).unwrap();
        EventReader::new(self.store.clone(), GROUP, stream, watermark)
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.reader().read(0, usize::MAX, usize::MAX).unwrap()
    }

    pub(crate) fn digest(&self) -> u64 {
        ironhub_cluster::testing::digest(&*self.store, &[]).unwrap()
    }
}

pub(crate) fn bodies(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| String::from_utf8_lossy(&event.message.body).into_owned()).collect()
}
