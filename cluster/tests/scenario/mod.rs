//! What the scenario tests share: a calm cluster and its usual requests.

#![allow(dead_code)]

use ironhub_cluster::testing::sim::{Sim, SimOptions};
use ironhub_cluster::testing::workload::EventLogWorkload;
use ironhub_cluster::{GroupId, NodeId};

pub type Cluster = Sim<EventLogWorkload>;

pub const GROUP: GroupId = GroupId(1);
pub const SECOND: u64 = 1_000_000;
/// Long enough for anything that happens at all.
pub const LONG: u64 = 60 * SECOND;

/// A cluster whose groups have leaders.
pub fn cluster(seed: u64, options: SimOptions) -> Cluster {
    let mut sim = Sim::new(seed, options, EventLogWorkload::default()).unwrap();
    until(&mut sim, "every group has a leader", |sim| {
        sim.groups().all(|group| sim.leader(group).is_some())
    });
    sim
}

/// Lets time pass until something holds.
pub fn until(sim: &mut Cluster, what: &str, holds: impl FnMut(&Cluster) -> bool) {
    assert!(sim.run_until(LONG, holds).unwrap(), "never: {what}");
}

pub fn leader(sim: &Cluster) -> NodeId {
    sim.leader(GROUP).expect("a leader")
}

pub fn followers(sim: &Cluster) -> Vec<NodeId> {
    let leader = leader(sim);
    sim.node_ids().filter(|node| *node != leader).collect()
}

/// Proposes at the leader and waits for every acknowledgement.
pub fn acknowledge(sim: &mut Cluster, count: usize) {
    let wanted = sim.acknowledged(GROUP).len() + count;
    for _ in 0..count {
        let leader = leader(sim);
        sim.propose(leader, GROUP).expect("the leader runs");
        let before = sim.acknowledged(GROUP).len();
        until(sim, "acknowledged", |sim| sim.acknowledged(GROUP).len() > before);
    }
    assert_eq!(sim.acknowledged(GROUP).len(), wanted);
}

/// Waits until these nodes have applied what the leader has. The simulator compares their states.
pub fn level(sim: &mut Cluster, nodes: &[NodeId]) {
    until(sim, "all replicas are level", |sim| {
        let Some(leader) = sim.leader(GROUP).and_then(|leader| sim.status(leader, GROUP)) else {
            return false;
        };
        leader.applied == leader.last_index
            && nodes.iter().all(|node| {
                sim.status(*node, GROUP).is_some_and(|status| status.applied == leader.applied)
            })
    });
}
