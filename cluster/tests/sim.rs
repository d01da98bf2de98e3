//! The partition engine under every fault we can think of, one seed at a time.
//!
//! ```text
//! cargo test --release -p ironhub-cluster --test sim                 # a fixed set of seeds
//! SEED=42 cargo test --release -p ironhub-cluster --test sim         # one run again, exactly
//! SIM_SEEDS=1000 cargo test --release -p ironhub-cluster --test sim  # so many runs from a random start
//! SIM_FOREVER=1 cargo test --release -p ironhub-cluster --test sim   # until one fails
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};

use ironhub_cluster::partition::{Defect, Defects};
use ironhub_cluster::testing::chaos::{self, Report};
use ironhub_cluster::testing::workload::EventLogWorkload;

/// Runs of the ordinary test command.
const SEEDS: u64 = 40;
/// Runs within which each deliberate mistake must be noticed.
const DEFECT_SEEDS: u64 = 40;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One run; a panic counts as a failure too.
fn run(seed: u64, defect: Option<Defect>) -> Result<Report, String> {
    let work = || chaos::run(seed, Defects::seeded(defect), EventLogWorkload::default());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panic: {}", words.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
    })
}

fn must_hold(seed: u64) -> Report {
    run(seed, None).unwrap_or_else(|error| {
        panic!(
            "SEED={seed} broke a promise: {error}\n\
             repeat it: SEED={seed} cargo test --release -p ironhub-cluster --test sim"
        )
    })
}

#[test]
fn no_promise_is_broken_whatever_fails() {
    if let Some(seed) = number("SEED") {
        println!("SEED={seed}: {:?}", must_hold(seed));
        return;
    }
    let forever = number("SIM_FOREVER").is_some();
    let (first, count): (u64, u64) = match number("SIM_SEEDS") {
        Some(count) => (rand::random::<u32>().into(), count),
        None if forever => (rand::random::<u32>().into(), u64::MAX),
        None => (1, SEEDS),
    };
    let (mut acknowledged, mut snapshots) = (0, 0);
    for seed in first..first.saturating_add(count) {
        let report = must_hold(seed);
        acknowledged += report.acknowledged;
        snapshots += report.snapshots;
        if forever {
            println!("SEED={seed}: {report:?}");
        }
    }
    println!("{count} seeds from {first}: {acknowledged} acknowledged, {snapshots} snapshots");
    // A run in which nothing happens proves nothing.
    assert!(acknowledged as u64 > count * 100, "{acknowledged} acknowledged in {count} runs");
    assert!(count < 10 || snapshots > 0, "no replica was ever brought in by a snapshot");
}

#[test]
fn one_seed_is_one_run() {
    let first = must_hold(7);
    assert_eq!(must_hold(7), first);
    assert_ne!(must_hold(8).trace, first.trace);
}

fn is_noticed(defect: Defect) {
    for seed in 1..=DEFECT_SEEDS {
        if let Err(error) = run(seed, Some(defect)) {
            println!("{defect:?} noticed with seed {seed}: {error}");
            return;
        }
    }
    panic!("{defect:?} was not noticed in {DEFECT_SEEDS} runs");
}

#[test]
fn ack_before_sync_is_noticed() {
    is_noticed(Defect::AckBeforeSync);
}

#[test]
fn applying_twice_is_noticed() {
    is_noticed(Defect::ApplyTwice);
}

#[test]
fn ignoring_the_term_of_an_answer_is_noticed() {
    is_noticed(Defect::IgnoreTerm);
}

#[test]
fn dropping_what_a_finished_write_commits_is_noticed() {
    is_noticed(Defect::DropAfterPersist);
}

#[test]
fn handing_out_a_sequence_number_again_is_noticed() {
    is_noticed(Defect::ReuseSequence);
}
