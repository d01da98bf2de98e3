//! What a simulated engine's output sets in motion, and the checks on it.

use std::hash::Hash;

use rand::Rng;

use super::sim::{Due, Pending, Sim, place};
use super::workload::Workload;
use crate::machine::{GroupId, StateMachine};
use crate::partition::{Output, ProposeError};

type OutputOf<W> = Output<<<W as Workload>::Machine as StateMachine>::Outcome, u64, u64>;

impl<W: Workload> Sim<W> {
    pub(super) fn carry_out(&mut self, node: usize, out: OutputOf<W>) -> Result<(), String> {
        let id = self.nodes[node].id;
        if let Some(request) = out.write {
            let delay = self.rng.random_range(50..=self.nodes[node].write_delay_max);
            self.nodes[node].writing = Some(request.clone());
            self.plan(delay, node, Due::Written(node, request));
        }
        for (to, group, message) in out.messages {
            for delay in self.network.deliveries(id, to, &mut self.rng) {
                let due = Due::Deliver { to: place(to), from: id, group, message: message.clone() };
                self.plan(delay, place(to), due);
            }
        }
        if out.flush {
            let delay = self.rng.random_range(100..50_000);
            self.plan(delay, node, Due::Flushed(node));
        }
        if !out.compact.is_empty() {
            let delay = self.rng.random_range(100..50_000);
            self.plan(delay, node, Due::Compact(node, out.compact));
        }
        for (number, result) in out.completions {
            let Some(Pending { group, .. }) = self.pending.remove(&number) else {
                return Err(format!("command {number} answered twice"));
            };
            match result {
                Ok(outcome) => {
                    (3, number, self.now).hash(&mut self.trace);
                    self.workload.acknowledged(group, number, outcome)?;
                    self.acknowledged.entry(group).or_default().push(number);
                }
                Err(ProposeError::OutcomeUnknown | ProposeError::Stopped) => {}
                Err(
                    ProposeError::Busy
                    | ProposeError::NotLeader { .. }
                    | ProposeError::StorageFull
                    | ProposeError::TooLarge { .. }
                    | ProposeError::Dropped
                    | ProposeError::UnknownGroup
                    | ProposeError::MembershipBusy,
                ) => self.workload.refused(group, number),
            }
        }
        for (number, result) in out.done {
            if self.changes.remove(&number).is_some() || result.is_err() {
                self.barriers.remove(&number);
                continue;
            }
            let Some(barrier) = self.barriers.remove(&number) else {
                return Err(format!("barrier {number} answered twice"));
            };
            self.check_holds(barrier.node, barrier.group, barrier.acknowledged)?;
        }
        for (group, leadership) in out.leadership {
            if leadership.leading {
                // A leader knows everything that was ever acknowledged.
                let count = self.acknowledged(group).len();
                self.check_holds(node, group, count)?;
            }
        }
        Ok(())
    }

    /// The state of a node must hold the first `count` acknowledged commands of a group.
    pub(super) fn check_holds(
        &mut self,
        node: usize,
        group: GroupId,
        count: usize,
    ) -> Result<(), String> {
        let acknowledged = self.acknowledged.get(&group).map_or(&[][..], Vec::as_slice);
        let node = &self.nodes[node];
        self.workload
            .check(group, &node.store, &acknowledged[..count])
            .map_err(|error| format!("group {} on node {}: {error}", group.0, node.id.0))
    }

    /// What must hold for a node after each of its turns.
    pub(super) fn check_node(&mut self, node: usize) -> Result<(), String> {
        let id = self.nodes[node].id;
        for group in self.groups() {
            let Some(engine) = &self.nodes[node].engine else { return Ok(()) };
            let Some(status) = engine.status(group) else { continue };
            if engine.leads(group) {
                self.checkers.leads(group, status.leadership.term, id)?;
            }
            if !self.checkers.applied(id, group, status.applied)? {
                continue;
            }
            let digest = super::digest(&self.nodes[node].store, &group.0.to_be_bytes())
                .map_err(|error| error.to_string())?;
            self.checkers.digest(id, group, status.applied, digest)?;
            (4, node, group, status.applied, digest).hash(&mut self.trace);
            if status.applied.is_multiple_of(16) {
                self.check_holds(node, group, 0)?;
            }
        }
        Ok(())
    }
}
