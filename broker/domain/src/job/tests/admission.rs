use super::*;
use crate::limits::{JOB_HISTORY_MS, JOBS_MAX, JOBS_RUNNING_MAX};

fn named(name: &str, status: JobStatus, at: u64) -> Job {
    let end = status.is_final().then_some(UnixMs(at));
    let start = UnixMs(at);
    Job { id: id(name), status, end, start, ..job(METHOD, 1) }
}

#[test]
fn an_id_is_taken_until_its_job_is_forgotten() {
    let now = UnixMs(JOB_HISTORY_MS + 5);
    for (job, expected) in [
        (named("a", JobStatus::Scheduled, 9), Err(HubError::JobAlreadyExists("a".into()))),
        (named("a", JobStatus::Completed, 6), Err(HubError::JobAlreadyExists("a".into()))),
        (named("a", JobStatus::Cancelled, 5), Ok(vec![id("a")])),
        (named("b", JobStatus::Failed, 5), Ok(vec![id("b")])),
        (named("b", JobStatus::Running, 5), Ok(vec![])),
    ] {
        assert_eq!(admit(std::slice::from_ref(&job), &id("a"), now), expected, "{job:?}");
    }
}

#[test]
fn a_full_hub_forgets_the_oldest_that_ended_and_none_that_did_not() {
    let mut jobs: Vec<Job> =
        (0..JOBS_MAX).map(|n| named(&format!("j{n}"), JobStatus::Running, 9)).collect();
    let new = id("new");
    assert_eq!(admit(&jobs, &new, UnixMs(50)), Err(HubError::TooManyJobs { max: JOBS_MAX }));
    jobs[7] = named("j7", JobStatus::Completed, 20);
    jobs[8] = named("j8", JobStatus::Failed, 10);
    assert_eq!(admit(&jobs, &new, UnixMs(50)), Ok(vec![id("j8")]));
    jobs.pop();
    assert_eq!(admit(&jobs, &new, UnixMs(50)), Ok(vec![]));
}

#[test]
fn of_the_due_those_begin_first_whose_time_came_first() {
    let mut jobs = vec![
        named("late", JobStatus::Queued, 30),
        named("future", JobStatus::Scheduled, 51),
        named("early", JobStatus::Scheduled, 10),
        named("ended", JobStatus::Completed, 5),
    ];
    assert_eq!(to_begin(&jobs, UnixMs(50)), [id("early"), id("late")]);
    let running = |n: usize| named(&format!("r{n}"), JobStatus::Running, 1);
    jobs.extend((1..JOBS_RUNNING_MAX).map(running));
    assert_eq!(to_begin(&jobs, UnixMs(50)), [id("early")]);
    jobs.push(running(0));
    assert_eq!(to_begin(&jobs, UnixMs(50)), []);
}
