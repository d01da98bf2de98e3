//! What the simulated clients do, and what they insist on.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;

use super::event_log::EventLog;
use crate::machine::{GroupId, StateMachine};
use crate::partition::Defects;
use crate::storage::StateStore;

/// Commands for a state machine under simulation, and the promises to its clients.
///
/// The simulator proposes each command once, under a number that it never uses again, and tells what became of it.
pub trait Workload {
    /// The state machine under test.
    type Machine: StateMachine;

    /// A machine of one group, as a starting node makes it.
    fn machine(&self, group: GroupId, defects: Defects) -> Self::Machine;

    /// The command with this number.
    fn command(&mut self, group: GroupId, number: u64, rng: &mut StdRng) -> Bytes;

    /// The command took effect. An `Err` is a broken promise and ends the run.
    fn acknowledged(
        &mut self,
        group: GroupId,
        number: u64,
        outcome: <Self::Machine as StateMachine>::Outcome,
    ) -> Result<(), String>;

    /// The command was refused with the promise that it never takes effect.
    fn refused(&mut self, group: GroupId, number: u64);

    /// Looks at the state of one replica, which must hold the effects of these acknowledged commands.
    fn check(
        &mut self,
        group: GroupId,
        store: &dyn StateStore,
        acknowledged: &[u64],
    ) -> Result<(), String>;

    /// Whether the clients of a group have work left when all faults have ended: as long as they have, they are asked for
    /// commands, and must come to rest.
    fn is_at_work(&mut self, _group: GroupId) -> bool {
        false
    }
}

/// Clients of [`EventLog`]: each event exactly once, numbered without gaps, never renumbered or changed, and in the order
/// of acknowledgements.
#[derive(Default)]
pub struct EventLogWorkload {
    /// Highest acknowledged sequence of the group when a command was proposed.
    floors: HashMap<u64, u64>,
    highest: BTreeMap<GroupId, u64>,
    sequences: HashMap<u64, u64>,
    refused: HashSet<u64>,
    /// Which command was ever seen at a place.
    seen: HashMap<(GroupId, u64), Vec<u8>>,
}

impl Workload for EventLogWorkload {
    type Machine = EventLog;

    fn machine(&self, _group: GroupId, defects: Defects) -> EventLog {
        EventLog::new(defects)
    }

    fn command(&mut self, group: GroupId, number: u64, rng: &mut StdRng) -> Bytes {
        self.floors.insert(number, self.highest.get(&group).copied().unwrap_or(0));
        let length = if rng.random_bool(0.05) { 3_000 } else { rng.random_range(0..120) };
        let payload: Vec<u8> = (0..length).map(|place| (number as usize + place) as u8).collect();
        EventLog::command(rng.random_range(0..8), number, &payload)
    }

    fn acknowledged(&mut self, group: GroupId, number: u64, sequence: u64) -> Result<(), String> {
        let floor = self.floors.get(&number).copied().unwrap_or(0);
        if sequence <= floor {
            return Err(format!(
                "command {number} got sequence {sequence}, but {floor} was acknowledged before it was sent"
            ));
        }
        let highest = self.highest.entry(group).or_default();
        *highest = sequence.max(*highest);
        match self.sequences.insert(number, sequence) {
            None => Ok(()),
            Some(before) => Err(format!("command {number} answered twice: {before}, {sequence}")),
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
        let events = EventLog::events(group, store).map_err(|error| error.to_string())?;
        let mut places = HashMap::with_capacity(events.len());
        for (place, event) in events.into_iter().enumerate() {
            if event.sequence != place as u64 + 1 {
                return Err(format!("sequence {} at place {}: a gap", event.sequence, place + 1));
            }
            if self.refused.contains(&event.request) {
                return Err(format!("command {} took effect though it was refused", event.request));
            }
            if let Some(first) = places.insert(event.request, event.sequence) {
                return Err(format!(
                    "command {} took effect twice, at {first} and {}",
                    event.request, event.sequence
                ));
            }
            let seen =
                self.seen.entry((group, event.sequence)).or_insert_with(|| event.command.clone());
            if *seen != event.command {
                return Err(format!("sequence {} has changed its content", event.sequence));
            }
        }
        for number in acknowledged {
            let promised = self.sequences.get(number).copied();
            let found = places.get(number).copied();
            if found != promised {
                return Err(format!(
                    "command {number} was acknowledged as {promised:?} and is at {found:?}"
                ));
            }
        }
        Ok(())
    }
}
