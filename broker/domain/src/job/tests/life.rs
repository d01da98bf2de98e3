use super::*;

/// The job after these events, each at its time.
fn lived(mut job: Job, events: &[(u64, JobEvent)]) -> Job {
    for (now, event) in events {
        job = job.after(event.clone(), UnixMs(*now)).unwrap();
    }
    job
}

fn devices(started: u64, succeeded: u64, failed: u64) -> JobEvent {
    JobEvent::Devices { started, succeeded, failed }
}

/// `devices failed succeeded running pending`
fn counts(job: &Job) -> [u64; 5] {
    let counts = job.statistics;
    [counts.devices, counts.failed, counts.succeeded, counts.running, counts.pending]
}

const BEGIN: JobEvent = JobEvent::Begin;

fn targets(devices: u64) -> JobEvent {
    JobEvent::Targets { devices }
}

#[test]
fn a_job_waits_for_its_start_and_then_for_room() {
    let scheduled = job(TWIN, 1000);
    assert_eq!((scheduled.status, scheduled.wakes()), (JobStatus::Scheduled, Some(UnixMs(START))));
    let early = lived(scheduled.clone(), &[(START - 1, JobEvent::Due), (START - 1, BEGIN)]);
    assert_eq!(early, scheduled);
    let queued = lived(scheduled.clone(), &[(START, JobEvent::Due)]);
    assert_eq!((queued.status, queued.wakes(), queued.begun), (JobStatus::Queued, None, None));
    let running = lived(queued, &[(START + 5, BEGIN)]);
    assert_eq!((running.status, running.begun), (JobStatus::Running, Some(UnixMs(START + 5))));
    assert_eq!(running.wakes(), Some(UnixMs(START + 60_005)), "its time counts from its begin");
    assert_eq!(lived(scheduled, &[(START + 5, BEGIN)]), running, "Due may be missed");
    assert_eq!(job(TWIN, START).status, JobStatus::Queued);
    assert_eq!(job(METHOD, 7).start, UnixMs(7), "a job that says no time begins now");
}

#[test]
fn targets_are_counted_until_none_is_open() {
    let job = lived(job(METHOD, 1), &[(1, BEGIN), (2, targets(5))]);
    assert_eq!(counts(&job), [5, 0, 0, 0, 5]);
    assert_eq!(lived(job.clone(), &[(3, targets(9))]), job, "targets are counted once");
    let job = lived(job, &[(3, devices(3, 0, 0)), (4, devices(0, 1, 1))]);
    assert_eq!(counts(&job), [5, 1, 1, 1, 2]);
    let job = lived(job, &[(5, devices(0, 2, 0))]);
    assert_eq!(counts(&job), [5, 1, 3, 0, 1], "what was never begun with may be done, too");
    assert_eq!(job.status, JobStatus::Running);
    let job = lived(job, &[(6, devices(1, 1, 0))]);
    assert_eq!((job.status, job.end), (JobStatus::Completed, Some(UnixMs(6))));
    assert_eq!(counts(&job), [5, 1, 4, 0, 0]);
    assert_eq!(lived(job.clone(), &[(7, devices(1, 1, 1))]), job, "too late");
}

#[test]
fn a_job_without_targets_is_done_at_once() {
    let job = lived(job(METHOD, 1), &[(1, BEGIN), (2, targets(0))]);
    assert_eq!((job.status, job.end), (JobStatus::Completed, Some(UnixMs(2))));
    assert_eq!(job.failure_reason, None);
}

#[test]
fn a_count_never_says_more_than_there_are() {
    let job = lived(job(METHOD, 1), &[(1, BEGIN), (2, targets(3)), (3, devices(u64::MAX, 2, 0))]);
    assert_eq!(counts(&job), [3, 0, 2, 1, 0]);
    let job = lived(job, &[(4, devices(0, 0, u64::MAX))]);
    assert_eq!(counts(&job), [3, 1, 2, 0, 0]);
}

#[test]
fn after_a_restart_the_rows_are_right() {
    use DeviceJobStatus::{Canceled, Completed, Failed, Pending, Running, Scheduled};
    let job = lived(job(METHOD, 1), &[(1, BEGIN), (2, targets(7)), (3, devices(7, 7, 0))]);
    assert_eq!(job.status, JobStatus::Completed);
    let rows = [Completed, Failed, Pending, Scheduled, Running, Canceled, Completed];
    let counted = JobStatistics::of_rows(rows);
    assert_eq!(lived(job.clone(), &[(9, JobEvent::Recount(counted))]), job, "it has ended");
    let job = Job { status: JobStatus::Running, end: None, ..job };
    let job = lived(job, &[(9, JobEvent::Recount(counted))]);
    assert_eq!(counts(&job), [7, 1, 2, 1, 2]);
    let both = counted.plus(JobStatistics::of_targets(4));
    assert_eq!((both.devices, both.pending, both.succeeded), (11, 6, 2));
    let done = lived(job, &[(10, JobEvent::Recount(JobStatistics::of_rows([Completed, Failed])))]);
    assert_eq!((done.status, done.end), (JobStatus::Completed, Some(UnixMs(10))));
}

#[test]
fn a_deadline_fails_the_targets_that_are_open() {
    let begun = lived(job(TWIN, START), &[(START, BEGIN)]);
    let unknown = lived(begun.clone(), &[(START + 60_000, JobEvent::Deadline)]);
    assert_eq!(unknown.status, JobStatus::Failed);
    assert!(unknown.failure_reason.unwrap().contains("before its targets were known"));
    let running = lived(begun, &[(START, targets(4)), (START, devices(2, 1, 0))]);
    let early = lived(running.clone(), &[(START + 59_999, JobEvent::Deadline)]);
    assert_eq!(early, running);
    let ended = lived(running, &[(START + 60_000, JobEvent::Deadline)]);
    assert_eq!((ended.status, counts(&ended)), (JobStatus::Completed, [4, 3, 1, 0, 0]));
    assert!(ended.status_message.as_deref().unwrap().contains("before 3 of its targets"));
    let late = lived(ended.clone(), &[(START + 70_000, JobEvent::Deadline), (START, BEGIN)]);
    assert_eq!(late, ended);
}

#[test]
fn a_cancelled_job_begins_nothing_and_one_that_has_ended_cannot_be_cancelled() {
    let cancel = [(9, JobEvent::Cancel)];
    for waiting in [job(TWIN, 1), job(METHOD, 1), lived(job(METHOD, 1), &[(1, BEGIN)])] {
        let job = lived(waiting, &cancel);
        assert_eq!((job.status, job.end), (JobStatus::Cancelled, Some(UnixMs(9))));
        assert_eq!(lived(job.clone(), &[(START, JobEvent::Due), (START, BEGIN)]), job);
        let refused = job.after(JobEvent::Cancel, UnixMs(10));
        assert_eq!(refused, Err(HubError::JobFinished("j1".into())));
    }
    let running = [(1, BEGIN), (2, targets(5)), (3, devices(2, 0, 0))];
    let job = lived(lived(job(METHOD, 1), &running), &cancel);
    assert_eq!(counts(&job), [5, 0, 0, 2, 0]);
    let job = lived(job, &[(10, devices(0, 1, 1))]);
    assert_eq!(counts(&job), [5, 1, 1, 0, 0], "calls under way end as they end");
    assert_eq!((job.status, job.end), (JobStatus::Cancelled, Some(UnixMs(9))));
}

#[test]
fn a_failure_says_why_and_is_the_end() {
    let reason = "x".repeat(5000);
    let failed = lived(job(TWIN, 1), &[(2, JobEvent::Fail { reason })]);
    assert_eq!((failed.status, failed.end), (JobStatus::Failed, Some(UnixMs(2))));
    assert_eq!(failed.failure_reason.as_ref().map(String::len), Some(1024));
    let again = lived(failed.clone(), &[(3, JobEvent::Fail { reason: "other".into() })]);
    assert_eq!(again, failed);
}
