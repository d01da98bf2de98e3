//! What is acknowledged, and what survives.

// Helpers of tests fail like tests.
#![allow(clippy::unwrap_used)]

mod scenario;

use ironhub_cluster::testing::sim::SimOptions;
use ironhub_cluster::testing::sim_node::Death;
use scenario::{GROUP, SECOND, acknowledge, cluster, followers, leader, level, until};

#[test]
fn all_replicas_reach_the_same_state() {
    let mut sim = cluster(1, SimOptions::default());
    acknowledge(&mut sim, 20);
    let all: Vec<_> = sim.node_ids().collect();
    level(&mut sim, &all);
}

#[test]
fn nothing_acknowledged_is_lost_when_all_nodes_lose_power() {
    for seed in 1..10 {
        let mut sim = cluster(seed, SimOptions::default());
        acknowledge(&mut sim, 10);
        let all: Vec<_> = sim.node_ids().collect();
        for node in &all {
            sim.crash(*node, Death::PowerCut);
        }
        for node in &all {
            sim.restart(*node).unwrap();
        }
        // Whoever leads next is checked against everything acknowledged so far.
        until(&mut sim, "a leader", |sim| sim.leader(GROUP).is_some());
        acknowledge(&mut sim, 1);
        level(&mut sim, &all);
    }
}

#[test]
fn minority_decides_nothing() {
    let mut sim = cluster(2, SimOptions::default());
    for node in followers(&sim) {
        sim.crash(node, Death::Kill);
    }
    let last = leader(&sim);
    let before = sim.acknowledged(GROUP).len();
    sim.propose(last, GROUP);
    sim.run_for(30 * SECOND).unwrap();
    assert_eq!(sim.acknowledged(GROUP).len(), before);
    assert_eq!(sim.unanswered(), 0, "the proposer is told that the outcome is unknown");
}

#[test]
fn commands_that_wait_for_the_disk_share_one_entry() {
    let mut sim = cluster(3, SimOptions { voters: 1, ..SimOptions::default() });
    let node = leader(&sim);
    sim.set_write_delay(node, 50_000);
    let before = sim.status(node, GROUP).unwrap().last_index;
    for _ in 0..100 {
        sim.propose(node, GROUP);
        sim.run_for(500).unwrap();
    }
    until(&mut sim, "all acknowledged", |sim| sim.acknowledged(GROUP).len() == 100);
    let entries = sim.status(node, GROUP).unwrap().last_index - before;
    assert!(entries < 20, "{entries} entries for 100 commands");
}

#[test]
fn full_disk_refuses_new_commands_and_loses_none() {
    let mut sim = cluster(4, SimOptions { voters: 1, ..SimOptions::default() });
    let node = leader(&sim);
    acknowledge(&mut sim, 5);
    sim.set_full(node, true, true);
    // More than the open segment has room for.
    for _ in 0..400 {
        sim.propose(node, GROUP);
        sim.run_for(5_000).unwrap();
    }
    let during = sim.acknowledged(GROUP).len();
    assert!(during < 405, "nothing was refused");
    // Nobody waits for a disk to be cleaned up, not even for a command that is committed.
    assert_eq!(sim.unanswered(), 0);
    sim.set_full(node, false, false);
    until(&mut sim, "everything is answered", |sim| sim.unanswered() == 0);
    // Written state is tried again with the next ticks.
    sim.run_for(1_000_000).unwrap();
    acknowledge(&mut sim, 5);
    sim.crash(node, Death::PowerCut);
    sim.restart(node).unwrap();
    until(&mut sim, "it leads again", |sim| sim.leader(GROUP).is_some());
}

#[test]
fn read_barrier_sees_what_was_acknowledged_before_it() {
    let mut sim = cluster(5, SimOptions::default());
    for _ in 0..20 {
        acknowledge(&mut sim, 1);
        let node = leader(&sim);
        // The simulator looks at the state when the barrier is passed.
        sim.read_barrier(node, GROUP);
        until(&mut sim, "the barrier is passed", |sim| sim.open_barriers() == 0);
    }
}
