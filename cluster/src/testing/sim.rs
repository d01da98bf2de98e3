//! A cluster in one thread: real engines, logs and state machines; time, network and disks are simulated.
//!
//! Everything that happens follows from one seed. [`Sim`] is the cluster and its clients, with the checks that run after
//! every step; [`chaos`](super::chaos) lets it suffer; scenario tests drive it by hand.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::checkers::Checkers;
use super::network::Network;
use super::sim_node::SimNode;
use super::workload::Workload;
use crate::log::{LogError, LogStore};
use crate::machine::{GroupId, NodeId};
use crate::partition::{Defects, EngineConfig, WriteRequest};
use crate::storage::StateStore;

/// Longest time between an input and the engine's turn, in microseconds.
const TURN_DELAY_MAX: u64 = 200;

/// When a node that had no room to start is started again, in microseconds.
const START_AGAIN: u64 = 500_000;

/// What a simulated cluster looks like.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Voters at the start; nodes 1..=voters.
    pub voters: u64,
    /// Further nodes, that start without state.
    pub spares: u64,
    /// Groups 0..groups.
    pub groups: u32,
    /// Deliberate mistakes.
    pub defects: Defects,
    /// Log bytes after which state is flushed and the log cut.
    pub flush_bytes: u64,
    /// Entries kept for laggards.
    pub laggard_entries_kept: u64,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            voters: 3,
            spares: 0,
            groups: 2,
            defects: Defects::default(),
            flush_bytes: 64 << 10,
            laggard_entries_kept: 64,
        }
    }
}

/// What is due at a time.
pub(super) enum Due {
    Tick(usize),
    Poll(usize),
    Deliver { to: usize, from: NodeId, group: GroupId, message: Vec<u8> },
    Written(usize, WriteRequest),
    Flushed(usize),
    Compact(usize, Vec<(GroupId, u64)>),
    Restart(usize),
}

/// A command that was not answered yet.
pub(super) struct Pending {
    pub(super) group: GroupId,
    pub(super) node: usize,
    pub(super) life: u64,
}

/// A read barrier that was not answered yet.
pub(super) struct PendingBarrier {
    pub(super) group: GroupId,
    pub(super) node: usize,
    /// So many commands were acknowledged when it was asked for.
    pub(super) acknowledged: usize,
}

/// The cluster.
pub struct Sim<W: Workload> {
    pub(super) options: SimOptions,
    /// The source of everything.
    pub rng: StdRng,
    /// Microseconds since the start.
    pub now: u64,
    /// The links between the nodes.
    pub network: Network,
    pub(super) nodes: Vec<SimNode<W::Machine>>,
    pub(super) workload: W,
    due: BTreeMap<(u64, u64), (u64, Due)>,
    next_due: u64,
    pub(super) checkers: Checkers,
    pub(super) pending: HashMap<u64, Pending>,
    pub(super) barriers: HashMap<u64, PendingBarrier>,
    pub(super) changes: HashMap<u64, GroupId>,
    pub(super) acknowledged: BTreeMap<GroupId, Vec<u64>>,
    pub(super) next_number: u64,
    /// Grows with every event: equal for equal seeds.
    pub(super) trace: DefaultHasher,
    /// Snapshots that replicas have installed.
    pub snapshots: u64,
}

impl<W: Workload> Sim<W> {
    /// A cluster whose nodes have just started.
    pub fn new(seed: u64, options: SimOptions, workload: W) -> Result<Self, String> {
        let mut rng = StdRng::seed_from_u64(seed);
        let voters: Vec<NodeId> = (1..=options.voters).map(NodeId).collect();
        let nodes = (1..=options.voters + options.spares)
            .map(|id| {
                let bootstrap = (id <= options.voters).then(|| voters.clone());
                let mut config = EngineConfig::new(NodeId(id), bootstrap);
                config.seed = rng.random();
                config.flush_bytes = options.flush_bytes;
                config.flush_ticks = 40;
                config.laggard_entries_kept = options.laggard_entries_kept;
                config.defects = options.defects;
                SimNode::new(config, &mut rng)
            })
            .collect::<Vec<_>>();
        let mut sim = Self {
            options,
            rng,
            now: 0,
            network: Network::default(),
            nodes,
            workload,
            due: BTreeMap::new(),
            next_due: 0,
            checkers: Checkers::default(),
            pending: HashMap::new(),
            barriers: HashMap::new(),
            changes: HashMap::new(),
            acknowledged: BTreeMap::new(),
            next_number: 1,
            trace: DefaultHasher::new(),
            snapshots: 0,
        };
        for node in 0..sim.nodes.len() {
            sim.start(node)?;
        }
        Ok(sim)
    }

    /// Lets time pass until `done`, at most `for_us` microseconds. `Ok(false)` if the time was not enough.
    pub fn run_until(
        &mut self,
        for_us: u64,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, String> {
        let end = self.now + for_us;
        while !done(self) {
            if self.due.first_key_value().is_none_or(|((at, _), _)| *at > end) {
                self.now = end;
                return Ok(done(self));
            }
            self.step()?;
        }
        Ok(true)
    }

    /// Lets time pass.
    pub fn run_for(&mut self, us: u64) -> Result<(), String> {
        self.run_until(us, |_| false).map(|_| ())
    }

    pub(super) fn plan(&mut self, delay: u64, node: usize, due: Due) {
        let life = self.nodes[node].life;
        self.due.insert((self.now + delay, self.next_due), (life, due));
        self.next_due += 1;
    }

    pub(super) fn plan_poll(&mut self, node: usize) {
        if !self.nodes[node].poll_planned {
            self.nodes[node].poll_planned = true;
            let delay = self.rng.random_range(0..TURN_DELAY_MAX);
            self.plan(delay, node, Due::Poll(node));
        }
    }

    pub(super) fn start(&mut self, node: usize) -> Result<(), String> {
        let machines = self
            .groups()
            .map(|group| (group, self.workload.machine(group, self.options.defects)))
            .collect();
        if !self.nodes[node].start(machines)? {
            // Whoever runs it tries again.
            self.plan(START_AGAIN, node, Due::Restart(node));
            return Ok(());
        }
        let first = self.rng.random_range(1..self.nodes[node].tick);
        self.plan(first, node, Due::Tick(node));
        self.plan_poll(node);
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        let Some(((at, _), (life, due))) = self.due.pop_first() else { return Ok(()) };
        self.now = at;
        match due {
            Due::Deliver { to, from, group, message } => {
                (2, to, from, group, &message, at).hash(&mut self.trace);
                if let Some(engine) = self.nodes[to].engine.as_mut() {
                    engine.step(from, group, &message);
                    self.plan_poll(to);
                }
            }
            Due::Restart(node) => self.restart(NodeId(node as u64 + 1))?,
            Due::Tick(node) if self.nodes[node].life == life => {
                if let Some(engine) = self.nodes[node].engine.as_mut() {
                    engine.tick();
                }
                self.plan(self.nodes[node].tick, node, Due::Tick(node));
                self.plan_poll(node);
            }
            Due::Poll(node) if self.nodes[node].life == life => {
                (1, node, at).hash(&mut self.trace);
                self.nodes[node].poll_planned = false;
                self.turn(node)?;
            }
            Due::Written(node, request) if self.nodes[node].life == life => {
                self.written(node, request)?;
            }
            Due::Flushed(node) if self.nodes[node].life == life => {
                let node_state = &mut self.nodes[node];
                let result = node_state.store.flush();
                if let Some(engine) = node_state.engine.as_mut() {
                    engine.flushed(result).map_err(|error| error.to_string())?;
                }
                self.plan_poll(node);
            }
            Due::Compact(node, groups) if self.nodes[node].life == life => {
                if let Some(log) = &self.nodes[node].log {
                    for (group, index) in groups {
                        log.compact(group, index).map_err(|error| error.to_string())?;
                    }
                }
            }
            // Set in motion in an earlier life.
            Due::Tick(_) | Due::Poll(_) | Due::Written(..) | Due::Flushed(_) | Due::Compact(..) => {
            }
        }
        Ok(())
    }

    fn written(&mut self, node: usize, request: WriteRequest) -> Result<(), String> {
        let state = &mut self.nodes[node];
        let (Some(engine), Some(log)) = (state.engine.as_mut(), &state.log) else { return Ok(()) };
        state.writing = None;
        if request.flush_state_first && state.store.flush().is_err() {
            engine.write_refused(request.token);
            return Ok(());
        }
        match log.write(&request.write) {
            Ok(()) => {
                self.checkers.logged(&request.write, state.id)?;
                self.snapshots += request.flush_state_first as u64;
                engine.persisted(request.token);
                self.plan_poll(node);
            }
            Err(LogError::Full { .. }) => engine.write_refused(request.token),
            Err(error) => return Err(format!("node {}: {error}", state.id.0)),
        }
        Ok(())
    }

    /// Lets a node's engine work until it has nothing more to do at once.
    fn turn(&mut self, node: usize) -> Result<(), String> {
        loop {
            let id = self.nodes[node].id;
            let Some(engine) = self.nodes[node].engine.as_mut() else { return Ok(()) };
            let out = engine.poll().map_err(|error| format!("node {}: {error}", id.0))?;
            let more = out.more;
            self.carry_out(node, out)?;
            if !more {
                return self.check_node(node);
            }
        }
    }
}

/// Where a node is in the list of nodes.
pub(super) fn place(node: NodeId) -> usize {
    node.0 as usize - 1
}
