//! The hub's own state machine under the cluster simulator: crashes, partitions, lost disks' tails, snapshots.
//!
//! `SEED=42 cargo test --release -p ironhub --test sim` repeats one run of each workload; `SIM_SEEDS=1000` makes so many.

mod audit;
mod clients;
mod coverage;
mod fleet;
mod fleet_audit;
mod ledger;
mod notice_ledger;
mod orders;
mod plans;
mod queue_ledger;
mod stored;
mod telemetry;
mod twin_ledger;
mod upload_ledger;

use std::ops::Range;

use ironhub_cluster::partition::Defects;
use ironhub_cluster::testing::chaos;
use ironhub_cluster::testing::workload::Workload;

use audit::Mistake;
use clients::Clients;
use coverage::Coverage;
use fleet::Fleet;
use fleet_audit::FleetMistake;
use telemetry::Telemetry;

/// Runs of the ordinary test command.
const SEEDS: u64 = 12;
/// Runs within which each deliberate mistake must be noticed.
const MISTAKE_SEEDS: u64 = 5;

fn seeds() -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let (first, count) = match (number("SEED"), number("SIM_SEEDS")) {
        (Some(seed), _) => (seed, 1),
        (None, Some(count)) => (rand::random::<u32>().into(), count),
        (None, None) => (1, SEEDS),
    };
    first..first + count
}

/// One run; the number of acknowledged commands.
fn must_hold<W: Workload>(seed: u64, workload: W) -> usize {
    let report = chaos::run(seed, Defects::seeded(None), workload).unwrap_or_else(|error| {
        panic!("SEED={seed} broke a promise: {error}\nrepeat it: SEED={seed} cargo test --release -p ironhub --test sim")
    });
    report.acknowledged
}

fn enough(seeds: &Range<u64>, acknowledged: usize) {
    let count = seeds.end - seeds.start;
    println!("{count} seeds from {}: {acknowledged} acknowledged", seeds.start);
    // A run in which nothing happens proves nothing.
    assert!(acknowledged as u64 > count * 50, "{acknowledged} acknowledged in {count} runs");
}

#[test]
fn the_hubs_partitions_keep_their_promises_whatever_fails() {
    let seeds = seeds();
    let acknowledged = seeds.clone().map(|seed| must_hold(seed, Telemetry::default())).sum();
    enough(&seeds, acknowledged);
}

#[test]
fn messages_twins_and_sessions_keep_their_promises_whatever_fails() {
    let seeds = seeds();
    let (mut acknowledged, mut coverage) = (0, Coverage::default());
    for seed in seeds.clone() {
        let (clients, history) = Clients::new(None);
        acknowledged += must_hold(seed, clients);
        for group in history.lock().groups.values() {
            coverage += group.ledger.coverage;
        }
    }
    enough(&seeds, acknowledged);
    println!("{coverage:?}");
    if seeds.end - seeds.start >= SEEDS {
        assert!(coverage.all_happened(), "{coverage:?}");
    }
}

#[test]
fn jobs_and_configurations_keep_their_promises_whatever_fails() {
    let seeds = seeds();
    let (mut acknowledged, mut jobs, mut asked_again) = (0, 0, 0);
    for seed in seeds.clone() {
        let (fleet, onlooker) = Fleet::new(None);
        acknowledged += must_hold(seed, fleet);
        for seen in onlooker.lock().groups.values() {
            jobs += seen.rows.len();
            asked_again += seen.asked_again;
        }
    }
    enough(&seeds, acknowledged);
    println!("{jobs} jobs, {asked_again} times asked again for what was done");
    assert!(jobs as u64 > seeds.end - seeds.start && asked_again > 0);
}

fn is_noticed(mistake: Mistake, words: &str) {
    for seed in 1..=MISTAKE_SEEDS {
        let (clients, _) = Clients::new(Some(mistake));
        if let Err(error) = chaos::run(seed, Defects::seeded(None), clients) {
            println!("{mistake:?} noticed with seed {seed}: {error}");
            assert!(error.contains(words), "not for the reason that was meant: {error}");
            return;
        }
    }
    panic!("{mistake:?} was not noticed in {MISTAKE_SEEDS} runs");
}

#[test]
fn a_fifty_first_message_is_noticed() {
    is_noticed(Mistake::FiftyFirst, "accepted with 50 live");
}

#[test]
fn a_message_given_to_two_holders_is_noticed() {
    is_noticed(Mistake::LockedTwice, "is given to two holders");
}

#[test]
fn a_skipped_version_of_a_twin_is_noticed() {
    is_noticed(Mistake::VersionSkipped, "versions are");
}

#[test]
fn a_lost_report_is_noticed() {
    is_noticed(Mistake::ReportLost, "versions are");
}

#[test]
fn lost_feedback_is_noticed() {
    is_noticed(Mistake::FeedbackLost, "feedback records are due");
}

#[test]
fn a_file_that_nobody_is_told_of_is_noticed() {
    is_noticed(Mistake::FileLost, "files are due");
}

#[test]
fn a_session_that_is_not_fenced_is_noticed() {
    is_noticed(Mistake::NotFenced, "was heard though");
}

fn is_noticed_in_a_fleet(mistake: FleetMistake, words: &str) {
    for seed in 1..=MISTAKE_SEEDS {
        let (fleet, _) = Fleet::new(Some(mistake));
        if let Err(error) = chaos::run(seed, Defects::seeded(None), fleet) {
            println!("{mistake:?} noticed with seed {seed}: {error}");
            assert!(error.contains(words), "not for the reason that was meant: {error}");
            return;
        }
    }
    panic!("{mistake:?} was not noticed in {MISTAKE_SEEDS} runs");
}

#[test]
fn a_job_that_changes_a_twin_twice_is_noticed() {
    is_noticed_in_a_fleet(FleetMistake::ChangedAgain, "twice");
}

#[test]
fn a_target_that_is_not_counted_is_noticed() {
    is_noticed_in_a_fleet(FleetMistake::NotCounted, "counted are");
}

#[test]
fn values_of_a_configuration_that_are_not_written_are_noticed() {
    is_noticed_in_a_fleet(FleetMistake::ValuesLost, "never come to rest");
}

#[test]
fn a_twin_that_is_left_behind_by_a_roll_out_is_noticed() {
    is_noticed_in_a_fleet(FleetMistake::LeaversKept, "by its configurations");
}
