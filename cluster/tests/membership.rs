//! Replicas that come and go.

// Helpers of tests fail like tests.
#![allow(clippy::unwrap_used)]

mod scenario;

use ironhub_cluster::NodeId;
use ironhub_cluster::partition::MemberChange;
use ironhub_cluster::testing::sim::SimOptions;
use ironhub_cluster::testing::sim_node::Death;
use scenario::{Cluster, GROUP, acknowledge, cluster, followers, leader, level, until};

const NEW: NodeId = NodeId(4);

fn with_spare(seed: u64) -> Cluster {
    cluster(seed, SimOptions { spares: 1, ..SimOptions::default() })
}

fn change(sim: &mut Cluster, changes: &[MemberChange]) {
    let leader = leader(sim);
    sim.change_membership(leader, GROUP, changes);
}

fn voters(sim: &Cluster) -> Vec<NodeId> {
    let status = sim.leader(GROUP).and_then(|leader| sim.status(leader, GROUP));
    status
        .filter(|status| status.members.outgoing.is_empty())
        .map_or(Vec::new(), |status| status.members.voters.clone())
}

#[test]
fn newcomer_learns_everything_and_then_votes() {
    let mut sim = with_spare(1);
    acknowledge(&mut sim, 10);
    change(&mut sim, &[MemberChange::AddLearner(NEW)]);
    level(&mut sim, &[NEW]);
    change(&mut sim, &[MemberChange::AddVoter(NEW)]);
    until(&mut sim, "four voters", |sim| voters(sim).len() == 4);
    acknowledge(&mut sim, 3);
    level(&mut sim, &[NEW]);
}

#[test]
fn voter_is_swapped_in_one_joint_step() {
    let mut sim = with_spare(2);
    acknowledge(&mut sim, 5);
    let gone = followers(&sim).into_iter().find(|node| *node != NEW).unwrap();
    change(&mut sim, &[MemberChange::AddVoter(NEW), MemberChange::Remove(gone)]);
    until(&mut sim, "the new voters", |sim| {
        let voters = voters(sim);
        voters.len() == 3 && voters.contains(&NEW) && !voters.contains(&gone)
    });
    sim.crash(gone, Death::PowerCut);
    acknowledge(&mut sim, 5);
    level(&mut sim, &[NEW]);
}

#[test]
fn joint_step_survives_the_death_of_its_leader() {
    for seed in 10..25 {
        let mut sim = with_spare(seed);
        acknowledge(&mut sim, 2);
        let old = leader(&sim);
        let gone = followers(&sim).into_iter().find(|node| *node != NEW).unwrap();
        change(&mut sim, &[MemberChange::AddVoter(NEW), MemberChange::Remove(gone)]);
        let wait = (seed - 10) * 1_000;
        sim.run_for(wait).unwrap();
        sim.crash(old, Death::PowerCut);
        sim.run_for(2 * scenario::SECOND).unwrap();
        sim.restart(old).unwrap();
        // Done or undone, never half: somebody leads and no joint state remains.
        until(&mut sim, "whole again", |sim| voters(sim).len() == 3);
        acknowledge(&mut sim, 3);
    }
}

#[test]
fn leader_may_not_take_itself_out() {
    let mut sim = with_spare(3);
    let itself = leader(&sim);
    change(&mut sim, &[MemberChange::Remove(itself)]);
    sim.run_for(scenario::SECOND).unwrap();
    assert_eq!(voters(&sim).len(), 3);
    assert_eq!(leader(&sim), itself);
}
