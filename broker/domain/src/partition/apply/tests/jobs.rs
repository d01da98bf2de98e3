use bytes::Bytes;

use super::modules::{create, device, module, put_device};
use super::*;
use crate::ids::IdentityId;
use crate::job::{DeviceJobError, DeviceJobStatus, JobId, JobStatistics, JobType};
use crate::limits::{JOB_ROWS_AT_ONCE, TwinLimits};
use crate::method::MethodAnswer;
use crate::partition::command::UpdateTwin;
use crate::partition::job_command::{DeviceJobNote, JobCommand, JobTending};
use crate::twin::TwinUpdate;

fn job() -> JobId {
    JobId::new("j").unwrap()
}

fn target(job_type: JobType, identities: &[IdentityId]) -> Command {
    Command::Job(JobCommand::Target {
        job: job(),
        job_type,
        identities: identities.to_vec(),
        now: UnixMs(5),
    })
}

fn update(identity: &IdentityId, if_match: &str) -> Command {
    let body = br#"{"tags":{"a":1},"properties":{"desired":{"b":2}}}"#;
    let update = Box::new(UpdateTwin {
        identity: identity.clone(),
        update: TwinUpdate::parse_patch(body).unwrap(),
        assigned: None,
        precondition: IfMatch::parse(if_match),
        limits: TwinLimits::DEFAULT,
        now: UnixMs(6),
    });
    Command::Job(JobCommand::UpdateTwin { job: job(), update })
}

fn note(identity: &IdentityId, note: DeviceJobNote) -> Command {
    Command::Job(JobCommand::Note { job: job(), identity: identity.clone(), note, now: UnixMs(7) })
}

fn tend(how: JobTending, after: Option<IdentityId>) -> Command {
    Command::Job(JobCommand::Tend { job: job(), how, after, now: UnixMs(8) })
}

fn status(identity: &IdentityId, records: &Memory) -> DeviceJobStatus {
    records.jobs[&(job(), identity.clone())].status
}

/// What an update is told that comes too late.
fn done_with() -> Outcome {
    Outcome::Refused(HubError::JobFinished("j".into()))
}

fn identities() -> [IdentityId; 2] {
    [IdentityId::device(device("d")), IdentityId::module(device("d"), module("m"))]
}

fn records(job_type: JobType) -> Memory {
    let mut records = Memory::default();
    run(put_device("d", 3), &mut records);
    run(create("d", "m", 4), &mut records);
    assert_eq!(run(target(job_type, &identities()), &mut records), Outcome::Affected(2));
    records
}

#[test]
fn a_target_is_one_once() {
    let mut records = records(JobType::UpdateTwin);
    let before = records.jobs.clone();
    assert_eq!(run(target(JobType::UpdateTwin, &identities()), &mut records), Outcome::Affected(0));
    assert_eq!(records.jobs, before);
    let too_many = vec![identities()[0].clone(); JOB_ROWS_AT_ONCE + 1];
    let refused = run(target(JobType::UpdateTwin, &too_many), &mut records);
    assert!(matches!(refused, Outcome::Refused(_)));
}

#[test]
fn however_often_a_job_asks_a_twin_is_changed_once() {
    for identity in identities() {
        let mut records = records(JobType::UpdateTwin);
        let first = run(update(&identity, "*"), &mut records);
        assert!(matches!(first, Outcome::Twin(_)), "{first:?}");
        let after = (records.twins.clone(), records.jobs.clone());
        assert_eq!(status(&identity, &records), DeviceJobStatus::Completed);
        for again in [
            target(JobType::UpdateTwin, &identities()),
            tend(JobTending::Resume, None),
            update(&identity, "*"),
        ] {
            run(again, &mut records);
            assert_eq!((&records.twins, &records.jobs), (&after.0, &after.1));
        }
        assert_eq!(records.twins[&identity].desired.version, 2);
    }
}

#[test]
fn a_twin_that_is_no_target_or_whose_row_is_done_with_stays() {
    let [the_device, its_module] = identities();
    let mut records = records(JobType::UpdateTwin);
    let stranger = IdentityId::device(device("x"));
    assert_eq!(run(update(&stranger, "*"), &mut records), done_with());
    run(tend(JobTending::Cancel, None), &mut records);
    for identity in [&the_device, &its_module] {
        assert_eq!(run(update(identity, "*"), &mut records), done_with());
        assert_eq!(status(identity, &records), DeviceJobStatus::Canceled);
    }
    assert!(records.twins.is_empty());
}

#[test]
fn what_the_twins_rules_refuse_is_the_rows_failure() {
    let [the_device, its_module] = identities();
    let mut records = records(JobType::UpdateTwin);
    let delete = Command::DeleteModule {
        device: device("d"),
        module: module("m"),
        precondition: IfMatch::Any,
    };
    run(delete, &mut records);
    for (identity, if_match, code) in [
        (&the_device, "\"AAAAAAAAAAI=\"", "PreconditionFailed"),
        (&its_module, "*", "ModuleNotFound"),
    ] {
        assert_eq!(run(update(identity, if_match), &mut records), Outcome::Done);
        let row = &records.jobs[&(job(), identity.clone())];
        assert_eq!(row.status, DeviceJobStatus::Failed);
        assert_eq!(row.error.as_ref().unwrap().code, code);
        assert_eq!(run(update(identity, "*"), &mut records), done_with());
    }
    assert!(records.twins.is_empty());
}

#[test]
fn a_method_starts_once_and_its_first_end_counts() {
    let [the_device, its_module] = identities();
    let mut records = records(JobType::DeviceMethod);
    let answer = MethodAnswer { status: 200, payload: Bytes::from_static(b"1") };
    let failed = || DeviceJobNote::Finish(Err(DeviceJobError::new(&HubError::DeviceWentAway)));
    let stranger = IdentityId::device(device("x"));
    for (identity, what, changed) in [
        (&the_device, DeviceJobNote::Start, 1),
        (&the_device, DeviceJobNote::Start, 0),
        (&the_device, DeviceJobNote::Finish(Ok(answer.clone())), 1),
        (&the_device, failed(), 0),
        (&the_device, DeviceJobNote::Start, 0),
        (&its_module, failed(), 1),
        (&stranger, DeviceJobNote::Start, 0),
    ] {
        let outcome = run(note(identity, what.clone()), &mut records);
        assert_eq!(outcome, Outcome::Affected(changed), "{identity} {what:?}");
    }
    assert_eq!(records.jobs[&(job(), the_device)].outcome, Some(answer));
    assert_eq!(status(&its_module, &records), DeviceJobStatus::Failed);
}

#[test]
fn rows_are_tended_chunk_by_chunk_to_the_last() {
    let many: Vec<IdentityId> = (0..2 * JOB_ROWS_AT_ONCE + 3)
        .map(|n| IdentityId::device(device(&format!("d{n:05}"))))
        .collect();
    for (how, left) in [
        (JobTending::Cancel, JobStatistics { devices: many.len() as u64, ..Default::default() }),
        (
            JobTending::Expire,
            JobStatistics {
                devices: many.len() as u64,
                failed: many.len() as u64,
                ..Default::default()
            },
        ),
        (JobTending::Resume, JobStatistics::of_targets(many.len() as u64)),
        (JobTending::Forget, JobStatistics::default()),
    ] {
        let mut records = Memory::default();
        for chunk in many.chunks(JOB_ROWS_AT_ONCE) {
            run(target(JobType::UpdateTwin, chunk), &mut records);
        }
        let (mut after, mut rounds) = (None, 0);
        loop {
            let Outcome::JobRows { last, .. } = run(tend(how, after), &mut records) else {
                panic!("{how:?}");
            };
            rounds += 1;
            after = last;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(rounds, 3, "{how:?}");
        let rows = records.jobs.values().map(|row| row.status);
        assert_eq!(JobStatistics::of_rows(rows), left, "{how:?}");
    }
}
