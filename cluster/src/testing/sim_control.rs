//! What tests do to a simulated cluster, and what they may ask it.

use std::hash::Hasher;

use super::sim::{Due, Pending, PendingBarrier, Sim, place};
use super::sim_node::Death;
use super::workload::Workload;
use crate::machine::{GroupId, NodeId};
use crate::partition::{GroupStatus, MemberChange};
use crate::storage::StateStore;

impl<W: Workload> Sim<W> {
    /// All groups.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + use<W> {
        (0..self.options.groups).map(GroupId)
    }

    /// Places of all nodes, for the other methods.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<W> {
        (1..=self.options.voters + self.options.spares).map(NodeId)
    }

    /// A number that two runs of one seed have in common.
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// Starts a dead node; nothing happens if it runs.
    pub fn restart(&mut self, node: NodeId) -> Result<(), String> {
        let place = place(node);
        if self.nodes[place].is_up() { Ok(()) } else { self.start(place) }
    }

    /// Ends a node; nothing happens if it is dead.
    pub fn crash(&mut self, node: NodeId, death: Death) {
        let node = &mut self.nodes[place(node)];
        if node.is_up() {
            node.die(death, &mut self.rng);
            self.checkers.died(node.id);
        }
    }

    /// Proposes one command at a node. Returns its number; `None` if the node is dead.
    pub fn propose(&mut self, node: NodeId, group: GroupId) -> Option<u64> {
        let place = place(node);
        let number = self.next_number;
        let command = self.workload.command(group, number, &mut self.rng);
        let life = self.nodes[place].life;
        self.nodes[place].engine.as_mut()?.propose(group, command, number);
        self.next_number += 1;
        self.pending.insert(number, Pending { group, node: place, life });
        self.plan_poll(place);
        Some(number)
    }

    /// Asks for a read barrier at a node, which is checked when it is answered.
    pub fn read_barrier(&mut self, node: NodeId, group: GroupId) {
        let place = place(node);
        let number = self.next_number;
        let acknowledged = self.acknowledged(group).len();
        if let Some(engine) = self.nodes[place].engine.as_mut() {
            engine.read_barrier(group, number);
            self.next_number += 1;
            self.barriers.insert(number, PendingBarrier { group, node: place, acknowledged });
            self.plan_poll(place);
        }
    }

    /// Proposes a membership change at a node.
    pub fn change_membership(&mut self, node: NodeId, group: GroupId, changes: &[MemberChange]) {
        let place = place(node);
        let number = self.next_number;
        if let Some(engine) = self.nodes[place].engine.as_mut() {
            engine.change_membership(group, changes, number);
            self.next_number += 1;
            self.changes.insert(number, group);
            self.plan_poll(place);
        }
    }

    /// Asks the leader of a group to hand over.
    pub fn transfer_leader(&mut self, node: NodeId, group: GroupId, to: NodeId) {
        if let Some(engine) = self.nodes[place(node)].engine.as_mut() {
            engine.transfer_leader(group, to);
            self.plan_poll(place(node));
        }
    }

    /// Lets a node's disks have no room, or room again.
    pub fn set_full(&mut self, node: NodeId, log: bool, state: bool) {
        let node = &self.nodes[place(node)];
        node.disk.set_capacity(log.then(|| node.disk.used()));
        node.store.set_full(state);
    }

    /// Longest log write of a node, in microseconds.
    pub fn set_write_delay(&mut self, node: NodeId, max: u64) {
        self.nodes[place(node)].write_delay_max = max;
    }

    /// The node that leads a group and says so; of several the one with the newest term.
    pub fn leader(&self, group: GroupId) -> Option<NodeId> {
        self.nodes
            .iter()
            .filter_map(|node| Some((node.id, node.engine.as_ref()?.status(group)?.leadership)))
            .filter(|(_, leadership)| leadership.leading)
            .max_by_key(|(_, leadership)| leadership.term)
            .map(|(node, _)| node)
    }

    /// Figures of a group on a running node.
    pub fn status(&self, node: NodeId, group: GroupId) -> Option<GroupStatus> {
        self.nodes[place(node)].engine.as_ref()?.status(group)
    }

    /// Whether a node runs.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes[place(node)].is_up()
    }

    /// The state of a node.
    pub fn store(&self, node: NodeId) -> &dyn StateStore {
        &self.nodes[place(node)].store
    }

    /// Numbers of the acknowledged commands of a group, in the order of acknowledgement.
    pub fn acknowledged(&self, group: GroupId) -> &[u64] {
        self.acknowledged.get(&group).map_or(&[], Vec::as_slice)
    }

    /// Commands without an answer whose node has lived since.
    pub fn unanswered(&self) -> usize {
        let alive = |pending: &&Pending| {
            let node = &self.nodes[pending.node];
            node.is_up() && node.life == pending.life
        };
        self.pending.values().filter(alive).count()
    }

    /// Read barriers without an answer whose node runs.
    pub fn open_barriers(&self) -> usize {
        self.barriers.values().filter(|barrier| self.nodes[barrier.node].is_up()).count()
    }

    /// Starts a node again after a while.
    pub fn plan_restart(&mut self, node: NodeId, delay: u64) {
        self.plan(delay, place(node), Due::Restart(place(node)));
    }
}
