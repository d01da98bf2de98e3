//! Lets a simulated cluster suffer for a while, then asks it to recover.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::sim::{Sim, SimOptions, place};
use super::sim_node::Death;
use super::workload::Workload;
use crate::machine::{GroupId, NodeId};
use crate::partition::{Defects, MemberChange};

const MS: u64 = 1_000;
const SECOND: u64 = 1_000 * MS;
/// How long faults go on.
const CHAOS: u64 = 25 * SECOND;
/// How long recovery may take after the last fault. Elections take two seconds at the worst, lost snapshots five.
const RECOVERY: u64 = 60 * SECOND;
/// How long clients may have work left when nothing fails any more.
const REST: u64 = 10 * SECOND;

/// What a run saw, so that a test can tell that it was worth running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Acknowledged commands.
    pub acknowledged: usize,
    /// Snapshots that replicas installed.
    pub snapshots: u64,
    /// Equal for equal seeds.
    pub trace: u64,
}

/// One run: three voters and a spare node, faults and clients for 25 simulated seconds, then recovery and a last look at
/// everything. `Err` says which promise was broken, and when.
pub fn run<W: Workload>(seed: u64, defects: Defects, workload: W) -> Result<Report, String> {
    let options = SimOptions {
        spares: 1,
        defects,
        flush_bytes: 8 << 10,
        laggard_entries_kept: 16,
        ..SimOptions::default()
    };
    let mut sim = Sim::new(seed, options, workload)?;
    let result = suffer(&mut sim).and_then(|()| recover(&mut sim));
    result.map_err(|error| format!("after {} ms: {error}", sim.now / MS))?;
    Ok(Report {
        acknowledged: sim.groups().map(|group| sim.acknowledged(group).len()).sum(),
        snapshots: sim.snapshots,
        trace: sim.trace(),
    })
}

fn suffer<W: Workload>(sim: &mut Sim<W>) -> Result<(), String> {
    let mut next_fault = sim.now + SECOND;
    while sim.now < CHAOS {
        let pause = sim.rng.random_range(MS..40 * MS);
        sim.run_for(pause)?;
        use_it(sim);
        if sim.now >= next_fault {
            next_fault = sim.now + sim.rng.random_range(100 * MS..1_500 * MS);
            fault(sim);
        }
    }
    Ok(())
}

/// Clients at work: mostly at the leader, sometimes at the wrong node.
fn use_it<W: Workload>(sim: &mut Sim<W>) {
    let group = GroupId(sim.rng.random_range(0..sim.options.groups));
    let any = any_node(sim);
    let leader = sim.leader(group).filter(|_| sim.rng.random_bool(0.9)).unwrap_or(any);
    for _ in 0..sim.rng.random_range(1..5) {
        sim.propose(leader, group);
    }
    if sim.rng.random_bool(0.1) {
        sim.read_barrier(leader, group);
    }
}

fn any_node<W: Workload>(sim: &mut Sim<W>) -> NodeId {
    NodeId(sim.rng.random_range(1..=sim.options.voters + sim.options.spares))
}

fn fault<W: Workload>(sim: &mut Sim<W>) {
    let node = any_node(sim);
    let group = GroupId(sim.rng.random_range(0..sim.options.groups));
    let others: Vec<NodeId> = sim.node_ids().collect();
    let death = if sim.rng.random_bool(0.6) { Death::PowerCut } else { Death::Kill };
    match sim.rng.random_range(0..16) {
        0..3 => {
            sim.crash(node, death);
            let delay = sim.rng.random_range(MS..4 * SECOND);
            sim.plan_restart(node, delay);
        }
        3 => {
            // All nodes lose power at once.
            for node in others {
                sim.crash(node, Death::PowerCut);
                let delay = sim.rng.random_range(MS..SECOND);
                sim.plan_restart(node, delay);
            }
        }
        4 => {
            let leader = sim.leader(group).unwrap_or(node);
            sim.network.isolate(leader, others.into_iter(), false);
        }
        5 => sim.network.isolate(node, others.into_iter(), false),
        6 => sim.network.isolate(node, others.into_iter(), true),
        7 | 8 => sim.network.heal(),
        9 => {
            sim.network.loss = sim.rng.random_range(0.0..0.15);
            sim.network.double = sim.rng.random_range(0.0..0.1);
            sim.network.late = sim.rng.random_range(0.0..0.1);
        }
        10 => {
            if let Some(leader) = sim.leader(group) {
                sim.transfer_leader(leader, group, node);
            }
        }
        11 | 12 => change_members(sim, group),
        13 => {
            let (log, state) = (sim.rng.random_bool(0.7), sim.rng.random_bool(0.5));
            sim.set_full(node, log, state);
        }
        14 => {
            for node in others {
                sim.set_full(node, false, false);
            }
        }
        _ => {
            let slow = if sim.rng.random_bool(0.5) { 400 * MS } else { 2 * MS };
            sim.set_write_delay(node, slow);
        }
    }
}

/// Moves a group to three of the nodes; the fourth is a learner or nothing.
fn change_members<W: Workload>(sim: &mut Sim<W>, group: GroupId) {
    let Some(leader) = sim.leader(group) else { return };
    let Some(status) = sim.status(leader, group) else { return };
    let nodes: Vec<NodeId> = sim.node_ids().collect();
    let out = nodes.choose(&mut sim.rng).copied().unwrap_or(leader);
    let learner = sim.rng.random_bool(0.5);
    let mut changes: Vec<MemberChange> = nodes
        .iter()
        .filter(|node| **node != out && !status.members.voters.contains(node))
        .map(|node| MemberChange::AddVoter(*node))
        .collect();
    let known = status.members.voters.contains(&out) || status.members.learners.contains(&out);
    if learner && out != leader {
        changes.push(MemberChange::AddLearner(out));
    } else if known && out != leader {
        changes.push(MemberChange::Remove(out));
    }
    sim.change_membership(leader, group, &changes);
}

/// Ends all faults; then every group must find a leader, drain what is queued and bring all replicas to one state.
fn recover<W: Workload>(sim: &mut Sim<W>) -> Result<(), String> {
    sim.network.calm();
    for node in sim.node_ids() {
        sim.set_full(node, false, false);
        sim.set_write_delay(node, 2 * MS);
        sim.restart(node)?;
    }
    for group in sim.groups() {
        led_and_serving(sim, group)?;
    }
    if !sim.run_until(RECOVERY, |sim| sim.unanswered() == 0)? {
        return Err(format!("{} commands are never answered", sim.unanswered()));
    }
    for group in sim.groups() {
        come_to_rest(sim, group)?;
    }
    for group in sim.groups() {
        if !sim.run_until(RECOVERY, |sim| is_level(sim, group))? {
            let all: Vec<_> = sim.node_ids().map(|node| sim.status(node, group)).collect();
            return Err(format!("replicas of group {} never agree: {all:#?}", group.0));
        }
        let Some(leader) = sim.leader(group) else { return Err("a leader was lost".into()) };
        let Some(status) = sim.status(leader, group) else { return Err("a leader died".into()) };
        let count = sim.acknowledged(group).len();
        for member in status.members.voters.iter().chain(&status.members.learners) {
            sim.check_holds(place(*member), group, count)?;
        }
    }
    Ok(())
}

/// The clients of a group have their way until they want nothing more.
fn come_to_rest<W: Workload>(sim: &mut Sim<W>, group: GroupId) -> Result<(), String> {
    let end = sim.now + REST;
    while sim.workload.is_at_work(group) {
        if sim.now > end {
            return Err(format!("the clients of group {} never come to rest", group.0));
        }
        if let Some(leader) = sim.leader(group) {
            sim.propose(leader, group);
        }
        sim.run_until(SECOND, |sim| sim.unanswered() == 0)?;
        // Time goes on in any case.
        sim.run_for(MS)?;
    }
    Ok(())
}

/// A leader is found and acknowledges a command, within bounded time.
fn led_and_serving<W: Workload>(sim: &mut Sim<W>, group: GroupId) -> Result<(), String> {
    let end = sim.now + RECOVERY;
    while sim.now < end {
        if !sim.run_until(RECOVERY, |sim| sim.leader(group).is_some())? {
            break;
        }
        let Some(leader) = sim.leader(group) else { continue };
        let before = sim.acknowledged(group).len();
        sim.propose(leader, group);
        if sim.run_until(2 * SECOND, |sim| sim.acknowledged(group).len() > before)? {
            return Ok(());
        }
    }
    let all: Vec<_> = sim.node_ids().map(|node| sim.status(node, group)).collect();
    Err(format!("group {} serves nobody after all faults have ended: {all:#?}", group.0))
}

/// All members of a group have applied everything, and no change of members is half done.
fn is_level<W: Workload>(sim: &Sim<W>, group: GroupId) -> bool {
    let Some(leader) = sim.leader(group) else { return false };
    let Some(status) = sim.status(leader, group) else { return false };
    status.members.outgoing.is_empty()
        && status.applied == status.last_index
        && status.members.voters.iter().chain(&status.members.learners).all(|member| {
            sim.status(*member, group).is_some_and(|other| {
                other.applied == status.applied && other.last_index == status.last_index
            })
        })
}
