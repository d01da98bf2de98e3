//! A small state machine for tests: an event log per group, numbered without gaps, and a count per client.
//!
//! Commands are `client (u32 BE) | request (u64 BE) | payload`, the outcome is the sequence number of the event.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::machine::{ApplyContext, GroupId, StateMachine};
use crate::partition::{Defect, Defects};
use crate::storage::{Area, StateStore, StateTx, StorageError};

const HEAD_BYTES: usize = 12;
const NEXT: u8 = 1;
const CLIENT: u8 = 2;

/// The machine of one group.
pub struct EventLog {
    /// Number of the next event; from 1.
    next: u64,
    defects: Defects,
}

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; from 1, without gaps.
    pub sequence: u64,
    /// Which request made it.
    pub request: u64,
    /// The whole command.
    pub command: Vec<u8>,
}

impl EventLog {
    /// An empty log; `reload` fills it.
    pub fn new(defects: Defects) -> Self {
        Self { next: 1, defects }
    }

    /// The bytes of a command.
    pub fn command(client: u32, request: u64, payload: &[u8]) -> Bytes {
        let mut command = Vec::with_capacity(HEAD_BYTES + payload.len());
        command.extend_from_slice(&client.to_be_bytes());
        command.extend_from_slice(&request.to_be_bytes());
        command.extend_from_slice(payload);
        command.into()
    }

    /// All events of a group, in order.
    pub fn events(group: GroupId, store: &dyn StateStore) -> Result<Vec<Event>, StorageError> {
        let (from, to) = (group.0.to_be_bytes(), (group.0 + 1).to_be_bytes());
        let mut events = Vec::new();
        store.scan(Area::Events, &from, &to, &mut |key, value| {
            let sequence = key[4..].try_into().map_or(0, u64::from_be_bytes);
            let request = value
                .get(4..HEAD_BYTES)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u64::from_be_bytes);
            events.push(Event { sequence, request, command: value.to_vec() });
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }
}

fn record_key(group: GroupId, kind: u8, id: &[u8]) -> Vec<u8> {
    [&group.0.to_be_bytes(), &[kind][..], id].concat()
}

fn number(value: Option<Vec<u8>>) -> Result<u64, StorageError> {
    match value.as_deref().map(<[u8; 8]>::try_from) {
        None => Ok(0),
        Some(Ok(bytes)) => Ok(u64::from_be_bytes(bytes)),
        Some(Err(_)) => Err(StorageError::Damaged("a counter has not 8 bytes".into())),
    }
}

impl StateMachine for EventLog {
    type Outcome = u64;

    fn apply(
        &mut self,
        context: ApplyContext,
        commands: &[Bytes],
        tx: &mut StateTx<'_>,
    ) -> Result<Vec<u64>, StorageError> {
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            let key = [&context.group.0.to_be_bytes()[..], &self.next.to_be_bytes()].concat();
            tx.put_event(key, command.to_vec());
            let client = record_key(context.group, CLIENT, command.get(..4).unwrap_or_default());
            let count = number(tx.get(&client)?)? + 1;
            tx.put(client, count.to_be_bytes().to_vec());
            outcomes.push(self.next);
            self.next += 1;
        }
        tx.put(record_key(context.group, NEXT, b""), self.next.to_be_bytes().to_vec());
        Ok(outcomes)
    }

    fn reload(&mut self, group: GroupId, store: &dyn StateStore) -> Result<(), StorageError> {
        self.next = number(store.get(Area::Records, &record_key(group, NEXT, b""))?)?.max(1);
        if self.defects.has(Defect::ReuseSequence) && self.next > 1 {
            self.next -= 1;
        }
        Ok(())
    }
}
