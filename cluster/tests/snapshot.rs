//! Replicas that are too far behind for the log.

// Helpers of tests fail like tests.
#![allow(clippy::unwrap_used)]

mod scenario;

use ironhub_cluster::testing::sim::SimOptions;
use ironhub_cluster::testing::sim_node::Death;
use scenario::{Cluster, GROUP, acknowledge, cluster, followers, leader, level, until};

fn short_log() -> SimOptions {
    SimOptions { flush_bytes: 1 << 10, laggard_entries_kept: 4, ..SimOptions::default() }
}

/// Lets the leader cut its log beyond what `node` has.
fn leave_behind(sim: &mut Cluster, node: ironhub_cluster::NodeId, reached: u64) {
    for _ in 0..20 {
        acknowledge(sim, 20);
        let leader = leader(sim);
        assert_ne!(leader, node);
        if sim.status(leader, GROUP).unwrap().first_index > reached + 1 {
            return;
        }
    }
    panic!("the log was not cut");
}

#[test]
fn follower_behind_the_log_is_brought_in_by_a_snapshot() {
    let mut sim = cluster(1, short_log());
    let away = followers(&sim)[0];
    let reached = sim.status(away, GROUP).unwrap().last_index;
    sim.crash(away, Death::PowerCut);
    leave_behind(&mut sim, away, reached);
    sim.restart(away).unwrap();
    let all: Vec<_> = sim.node_ids().collect();
    level(&mut sim, &all);
    until(&mut sim, "the snapshot is durable", |sim| sim.snapshots > 0);
}

#[test]
fn snapshot_interrupted_by_a_power_cut_is_installed_whole_or_not_at_all() {
    for seed in 1..15 {
        let mut sim = cluster(seed, short_log());
        let away = followers(&sim)[0];
        let reached = sim.status(away, GROUP).unwrap().last_index;
        sim.crash(away, Death::PowerCut);
        leave_behind(&mut sim, away, reached);
        sim.set_write_delay(away, 300_000);
        for _ in 0..5 {
            sim.restart(away).unwrap();
            until(&mut sim, "its state is replaced", |sim| {
                sim.status(away, GROUP).is_some_and(|status| status.applied > reached)
            });
            sim.crash(away, Death::PowerCut);
        }
        sim.restart(away).unwrap();
        let all: Vec<_> = sim.node_ids().collect();
        level(&mut sim, &all);
    }
}

#[test]
fn lost_snapshot_is_sent_again() {
    let mut sim = cluster(2, short_log());
    let away = followers(&sim)[0];
    let reached = sim.status(away, GROUP).unwrap().last_index;
    sim.crash(away, Death::PowerCut);
    leave_behind(&mut sim, away, reached);
    sim.network.loss = 0.5;
    sim.restart(away).unwrap();
    sim.run_for(10 * scenario::SECOND).unwrap();
    sim.network.loss = 0.0;
    let all: Vec<_> = sim.node_ids().collect();
    level(&mut sim, &all);
}
