use std::ops::ControlFlow;

use ironhub_cluster::testing::MemoryStore;
use ironhub_domain::HubError;
use ironhub_domain::ids::{IdentityId, ModuleId};
use ironhub_domain::job::{
    DeviceJob, DeviceJobError, DeviceJobStatus, JobId, JobStatistics, JobType,
};
use ironhub_domain::limits::{JOB_ROWS_AT_ONCE, TwinLimits};
use ironhub_domain::method::MethodAnswer;
use ironhub_domain::partition::{Command, DeviceJobNote, JobCommand, JobTending, UpdateTwin};
use ironhub_domain::registry::IfMatch;
use ironhub_domain::twin::{Twin, TwinUpdate};

use super::devices::create;
use super::*;
use crate::partition::{encode, records};

fn job(id: &str) -> JobId {
    JobId::new(id).unwrap()
}

fn device(id: &str) -> IdentityId {
    IdentityId::device(DeviceId::new(id).unwrap())
}

fn target(id: &str, job_type: JobType, devices: &[&str]) -> Bytes {
    let identities = devices.iter().map(|id| device(id)).collect();
    commands::encode(&Command::Job(JobCommand::Target {
        job: job(id),
        job_type,
        identities,
        now: UnixMs(5),
    }))
}

fn update(id: &str, of: &str) -> Bytes {
    let update = Box::new(UpdateTwin {
        identity: device(of),
        update: TwinUpdate::parse_patch(br#"{"tags":{"a":1}}"#).unwrap(),
        assigned: None,
        precondition: IfMatch::Any,
        limits: TwinLimits::DEFAULT,
        now: UnixMs(6),
    });
    commands::encode(&Command::Job(JobCommand::UpdateTwin { job: job(id), update }))
}

fn note(id: &str, of: &str, note: DeviceJobNote) -> Bytes {
    let identity = device(of);
    commands::encode(&Command::Job(JobCommand::Note {
        job: job(id),
        identity,
        note,
        now: UnixMs(7),
    }))
}

fn tend(id: &str, how: JobTending) -> Bytes {
    commands::encode(&Command::Job(JobCommand::Tend {
        job: job(id),
        how,
        after: None,
        now: UnixMs(8),
    }))
}

fn rows(store: &MemoryStore, id: &str, after: Option<&str>) -> Vec<DeviceJob> {
    let mut rows = Vec::new();
    let after = after.map(device);
    records::visit_device_jobs(store, GROUP, &job(id), after.as_ref(), &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    })
    .unwrap();
    rows
}

/// What the counts say, which is what the rows say.
#[track_caller]
fn counts(store: &MemoryStore, id: &str) -> JobStatistics {
    let counts = records::job_counts(store, GROUP, &job(id)).unwrap();
    let of_rows = rows(store, id, None);
    assert_eq!(counts, JobStatistics::of_rows(of_rows.iter().map(|row| row.status)));
    counts
}

#[test]
fn every_command_of_a_job_is_read_as_it_was_written() {
    let module = IdentityId::module(DeviceId::new("d").unwrap(), ModuleId::new("m").unwrap());
    let answer = MethodAnswer { status: -7, payload: Bytes::from_static(b"{}") };
    let failure = DeviceJobError::new(&HubError::DeviceWentAway);
    let note = |note| {
        let identity = module.clone();
        Command::Job(JobCommand::Note { job: job("j"), identity, note, now: UnixMs(1) })
    };
    let tend =
        |how, after| Command::Job(JobCommand::Tend { job: job("j"), how, after, now: UnixMs(2) });
    for command in [
        note(DeviceJobNote::Start),
        note(DeviceJobNote::Finish(Ok(answer))),
        note(DeviceJobNote::Finish(Err(failure))),
        tend(JobTending::Cancel, None),
        tend(JobTending::Expire, Some(module.clone())),
        tend(JobTending::Resume, Some(device("d"))),
        tend(JobTending::Forget, None),
    ] {
        let bytes = commands::encode(&command);
        assert_eq!(encode::command::decode(&bytes), Ok(command));
    }
}

#[test]
fn counts_follow_the_rows_and_a_replay_changes_nothing() {
    let mut rig = Rig::new();
    rig.apply(&[create("a", 1), create("b", 1), create("c", 1)]);
    let first = target("j", JobType::UpdateTwin, &["a", "b", "c", "gone"]);
    assert_eq!(rig.apply_one(first.clone()), Outcome::Affected(4));
    assert_eq!(counts(&rig.store, "j"), JobStatistics::of_targets(4));
    rig.apply(&[update("j", "a"), update("j", "a"), update("j", "gone")]);
    let expected =
        JobStatistics { devices: 4, succeeded: 1, failed: 1, pending: 2, ..Default::default() };
    assert_eq!(counts(&rig.store, "j"), expected);

    // A restart, and everything is asked for again.
    let mut rig = Rig::over(rig.store.clone());
    rig.apply(&[first, tend("j", JobTending::Resume)]);
    rig.apply(&["a", "b", "c", "gone", "a"].map(|of| update("j", of)));
    let expected = JobStatistics { devices: 4, succeeded: 3, failed: 1, ..Default::default() };
    assert_eq!(counts(&rig.store, "j"), expected);
    for of in ["a", "b", "c"] {
        let twin = records::twin(&*rig.store, GROUP, &device(of)).unwrap().unwrap();
        assert_eq!(twin.version, Twin::new(UnixMs(1)).version + 1, "{of}");
    }
}

#[test]
fn jobs_have_rows_of_their_own() {
    let mut rig = Rig::new();
    rig.apply_one(create("a", 1));
    rig.apply(&[
        target("j", JobType::DeviceMethod, &["a", "b"]),
        target("j2", JobType::UpdateTwin, &["a"]),
    ]);
    let answer = MethodAnswer { status: 200, payload: Bytes::from_static(b"[1]") };
    rig.apply(&[
        note("j", "a", DeviceJobNote::Start),
        note("j", "a", DeviceJobNote::Finish(Ok(answer.clone()))),
        note("j", "b", DeviceJobNote::Start),
    ]);
    let expected = JobStatistics { devices: 2, succeeded: 1, running: 1, ..Default::default() };
    assert_eq!(counts(&rig.store, "j"), expected);
    let row = records::device_job(&*rig.store, GROUP, &job("j"), &device("a")).unwrap().unwrap();
    assert_eq!((row.outcome, row.start, row.end), (Some(answer), Some(UnixMs(7)), Some(UnixMs(7))));
    assert_eq!(rows(&rig.store, "j", Some("a")).len(), 1);
    rig.apply_one(tend("j", JobTending::Resume));
    let lost = records::device_job(&*rig.store, GROUP, &job("j"), &device("b")).unwrap().unwrap();
    assert_eq!(lost.status, DeviceJobStatus::Failed);
    assert_eq!(lost.error.unwrap().code, "OutcomeUnknown");

    let mut all = Vec::new();
    let after = device("a");
    records::visit_all_device_jobs(&*rig.store, GROUP, Some((&job("j"), &after)), &mut |row| {
        all.push((row.job, row.identity));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(all, [(job("j"), device("b")), (job("j2"), device("a"))]);
}

#[test]
fn a_forgotten_job_leaves_nothing() {
    let mut rig = Rig::new();
    rig.apply_one(create("a", 1));
    let before = rig.digest();
    let names: Vec<String> = (0..JOB_ROWS_AT_ONCE).map(|n| format!("d{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    rig.apply(&[
        target("j", JobType::UpdateTwin, &names),
        target("j", JobType::UpdateTwin, &["a"]),
    ]);
    let Outcome::JobRows { changed, last: Some(last) } =
        rig.apply_one(tend("j", JobTending::Forget))
    else {
        panic!("one row is left");
    };
    assert_eq!(changed as usize, JOB_ROWS_AT_ONCE);
    let rest = JobCommand::Tend {
        job: job("j"),
        how: JobTending::Forget,
        after: Some(last),
        now: UnixMs(9),
    };
    let outcome = rig.apply_one(commands::encode(&Command::Job(rest)));
    assert_eq!(outcome, Outcome::JobRows { changed: 1, last: None });
    assert_eq!(rig.digest(), before);
}
