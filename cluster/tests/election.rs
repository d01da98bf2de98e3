//! Who leads, and when that changes.

// Helpers of tests fail like tests.
#![allow(clippy::unwrap_used)]

mod scenario;

use ironhub_cluster::testing::sim::SimOptions;
use ironhub_cluster::testing::sim_node::Death;
use scenario::{GROUP, SECOND, acknowledge, cluster, followers, leader, until};

#[test]
fn lone_voter_leads_before_any_tick() {
    let options = SimOptions { voters: 1, groups: 33, ..SimOptions::default() };
    let sim = cluster(1, options);
    assert!(sim.now < 80_000, "it took {} us", sim.now);
}

#[test]
fn dead_leader_is_replaced_within_three_seconds() {
    for seed in 1..20 {
        let mut sim = cluster(seed, SimOptions::default());
        let old = leader(&sim);
        acknowledge(&mut sim, 3);
        sim.crash(old, Death::PowerCut);
        let died = sim.now;
        until(&mut sim, "another leads", |sim| sim.leader(GROUP).is_some_and(|new| new != old));
        assert!(sim.now - died < 3 * SECOND, "seed {seed}: {} us", sim.now - died);
        acknowledge(&mut sim, 3);
    }
}

#[test]
fn leader_without_a_quorum_steps_down_and_refuses() {
    let mut sim = cluster(2, SimOptions::default());
    let old = leader(&sim);
    let all: Vec<_> = sim.node_ids().collect();
    sim.network.isolate(old, all.into_iter(), false);
    until(&mut sim, "it steps down", |sim| {
        sim.status(old, GROUP).is_some_and(|status| !status.leadership.leading)
    });
    let before = sim.acknowledged(GROUP).len();
    sim.propose(old, GROUP);
    sim.run_for(SECOND).unwrap();
    assert_eq!(sim.unanswered(), 0, "a refusal is an answer");
    assert_eq!(sim.acknowledged(GROUP).len(), before);
}

#[test]
fn follower_that_was_cut_off_does_not_disturb_the_leader_when_it_returns() {
    let mut sim = cluster(3, SimOptions::default());
    let old = leader(&sim);
    let away = followers(&sim)[0];
    let all: Vec<_> = sim.node_ids().collect();
    let term = sim.status(old, GROUP).unwrap().leadership.term;
    sim.network.isolate(away, all.into_iter(), false);
    sim.run_for(20 * SECOND).unwrap();
    sim.network.heal();
    sim.run_for(5 * SECOND).unwrap();
    assert_eq!(leader(&sim), old);
    assert_eq!(sim.status(away, GROUP).unwrap().leadership.term, term);
}

#[test]
fn leadership_moves_where_it_is_told_to() {
    let mut sim = cluster(4, SimOptions::default());
    acknowledge(&mut sim, 2);
    let (old, target) = (leader(&sim), followers(&sim)[1]);
    sim.transfer_leader(old, GROUP, target);
    let asked = sim.now;
    until(&mut sim, "the target leads", |sim| sim.leader(GROUP) == Some(target));
    assert!(sim.now - asked < SECOND, "no election timeout was waited for");
    acknowledge(&mut sim, 2);
}
