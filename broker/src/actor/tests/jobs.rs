use std::sync::atomic::Ordering;
use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::job::{DeviceJobStatus, Job, JobId, JobRequest, JobStatistics, JobStatus};
use ironhub_domain::method::MethodAnswer;

use super::rig::*;
use crate::jobs;
use crate::partition::records;
use crate::query::QueryRow;
use crate::router::request::CloseReason;

fn id() -> JobId {
    JobId::new("j").unwrap()
}

fn request(body: &str) -> JobRequest {
    JobRequest::parse(id(), body.as_bytes(), 1000).unwrap()
}

fn twin_job(condition: &str) -> JobRequest {
    request(&format!(
        r#"{{"type":"scheduleUpdateTwin","queryCondition":"{condition}",
            "updateTwin":{{"tags":{{"t":1}},"properties":{{"desired":{{"a":1}}}}}}}}"#
    ))
}

fn method_job(seconds: u64) -> JobRequest {
    request(&format!(
        r#"{{"type":"scheduleDeviceMethod","queryCondition":"deviceId IN ['d','e']",
            "cloudToDeviceMethod":{{"methodName":"m"}},"maxExecutionTimeInSeconds":{seconds}}}"#
    ))
}

fn run_jobs(hub: &Hub) {
    actix_rt::spawn(jobs::run(hub.router.clone()));
}

async fn until(hub: &Hub, wanted: impl Fn(&Job) -> bool) -> Job {
    loop {
        let job = hub.router.job(&id()).unwrap();
        if wanted(&job) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn ended(hub: &Hub) -> Job {
    until(hub, |job| job.status.is_final()).await
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("d{n:03}")).collect()
}

fn device_of(name: &str) -> IdentityId {
    IdentityId::device(DeviceId::new(name).unwrap())
}

fn version(hub: &Hub, identity: &IdentityId) -> u64 {
    let owner = hub.state.directory(&identity.device).owner();
    let twin = records::twin(owner.store(), owner.partition().group(), identity).unwrap();
    twin.map_or(1, |twin| twin.desired.version)
}

fn status(hub: &Hub, identity: &IdentityId) -> DeviceJobStatus {
    hub.router.device_job(&id(), identity).unwrap().unwrap().status
}

#[test]
fn a_twin_job_changes_the_twins_that_the_condition_chooses_and_tells_their_devices() {
    run(|| async {
        let hub = Hub::new().await;
        hub.create("e").await;
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        run_jobs(&hub);
        hub.router.create_job(twin_job("deviceId = 'd'")).await.unwrap();
        let job = ended(&hub).await;
        assert_eq!(job.status, JobStatus::Completed);
        let expected = JobStatistics { devices: 1, succeeded: 1, ..Default::default() };
        assert_eq!(job.statistics, expected);
        assert_eq!(client.desired().await.version, 2);
        assert_eq!(version(&hub, &device_of("e")), 1);
        let again = hub.router.create_job(twin_job("*")).await;
        assert_eq!(again, Err(HubError::JobAlreadyExists("j".into())));
    });
}

#[test]
fn rows_of_jobs_are_found_by_queries_page_by_page() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        for name in names(30) {
            hub.create(&name).await;
        }
        run_jobs(&hub);
        hub.router.create_job(twin_job("*")).await.unwrap();
        ended(&hub).await;
        for (condition, expected) in [
            ("", 30),
            (" WHERE jobId = 'j'", 30),
            (" WHERE jobId IN ['i', 'j', 'k'] AND status = 'completed'", 30),
            (" WHERE deviceId = 'd007'", 1),
            (" WHERE status = 'failed'", 0),
            (" WHERE jobId = 'i'", 0),
        ] {
            let text = format!("SELECT * FROM devices.jobs{condition}");
            let (mut found, mut at) = (Vec::new(), None);
            loop {
                let page = hub.router.queries().page(&text, 7, at.as_deref()).await.unwrap();
                assert_eq!(page.item_type, "DeviceJob");
                for row in page.rows {
                    let QueryRow::Job(row) = row else { panic!("{text}: {row:?}") };
                    found.push(row.identity);
                }
                at = page.continuation;
                if at.is_none() {
                    break;
                }
            }
            let count = found.len();
            found.sort();
            found.dedup();
            assert_eq!((count, found.len()), (expected, expected), "{text}");
        }
    });
}

#[test]
fn modules_can_be_targets_and_nobody_can() {
    run(|| async {
        for (condition, targets) in
            [("FROM devices.modules WHERE moduleId = 'm'", 1), ("tags.none = 1", 0)]
        {
            let hub = Hub::new().await;
            run_jobs(&hub);
            hub.router.create_job(twin_job(condition)).await.unwrap();
            let job = ended(&hub).await;
            assert_eq!((job.status, job.statistics.devices), (JobStatus::Completed, targets));
            assert_eq!(version(&hub, module()), 1 + targets);
            assert_eq!(version(&hub, device()), 1);
        }
    });
}

#[test]
fn a_condition_that_is_none_makes_no_job() {
    run(|| async {
        let hub = Hub::new().await;
        for bad in ["tags.a =", "FROM devices.jobs", "FROM devices.jobs WHERE jobId = 'x'"] {
            let made = hub.router.create_job(twin_job(bad)).await;
            assert!(matches!(made, Err(HubError::InvalidArgument(_))), "{bad}: {made:?}");
        }
        assert_eq!(hub.router.job(&id()), Err(HubError::JobNotFound("j".into())));
    });
}

#[test]
fn a_hub_that_stops_in_the_middle_goes_on_and_changes_no_twin_twice() {
    run(|| async {
        let disks = Disks::new();
        let names = names(300);
        let mut hub = Hub::start(&disks, Default::default()).await;
        for name in &names {
            hub.create(name).await;
        }
        hub.router.create_job(twin_job("*")).await.unwrap();
        for done in [0, 20, 150] {
            run_jobs(&hub);
            until(&hub, |job| job.statistics.succeeded >= done && job.begun.is_some()).await;
            hub.stop();
            hub = Hub::start(&disks, Default::default()).await;
        }
        run_jobs(&hub);
        let job = ended(&hub).await;
        let expected = JobStatistics { devices: 300, succeeded: 300, ..Default::default() };
        assert_eq!((job.status, job.statistics), (JobStatus::Completed, expected));
        for name in &names {
            assert_eq!(version(&hub, &device_of(name)), 2, "{name}");
        }
    });
}

#[test]
fn a_method_under_way_when_the_hub_stops_is_not_called_again() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        hub.create("d").await;
        hub.create("e").await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        run_jobs(&hub);
        hub.router.create_job(method_job(60)).await.unwrap();
        client.method().await;
        until(&hub, |job| job.statistics.failed == 1).await;
        // It runs on `d`; `e` was not online.
        hub.stop();
        let hub = Hub::start(&disks, Default::default()).await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        run_jobs(&hub);
        let job = ended(&hub).await;
        let expected = JobStatistics { devices: 2, failed: 2, ..Default::default() };
        assert_eq!((job.status, job.statistics), (JobStatus::Completed, expected));
        for (name, code) in [("d", "OutcomeUnknown"), ("e", "DeviceNotOnline")] {
            let row = hub.router.device_job(&id(), &device_of(name)).unwrap().unwrap();
            assert_eq!(row.error.unwrap().code, code, "{name}");
        }
        assert!(client.sink.is_empty());
    });
}

#[test]
fn a_hub_that_says_goodbye_does_not_blame_devices() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        hub.create("d").await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        run_jobs(&hub);
        hub.router.create_job(method_job(60)).await.unwrap();
        client.method().await;
        hub.state.facts().stopping.store(true, Ordering::Relaxed);
        hub.router.close_sessions(CloseReason::ShuttingDown).await;
        client.sink.closed().await;
        // Whoever waits for the answer learns meanwhile that there is none.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(status(&hub, device()), DeviceJobStatus::Running);
        hub.stop();
        let hub = Hub::start(&disks, Default::default()).await;
        run_jobs(&hub);
        ended(&hub).await;
        let row = hub.router.device_job(&id(), device()).unwrap().unwrap();
        assert_eq!(row.error.unwrap().code, "OutcomeUnknown");
    });
}

#[test]
fn a_cancelled_job_lets_what_is_under_way_come_to_its_end() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        run_jobs(&hub);
        hub.router.create_job(method_job(60)).await.unwrap();
        let called = client.method().await;
        let job = hub.router.cancel_job(&id()).await.unwrap();
        assert_eq!(job.status, JobStatus::Cancelled);
        let again = hub.router.cancel_job(&id()).await;
        assert_eq!(again, Err(HubError::JobFinished("j".into())));
        let answer = MethodAnswer { status: 7, payload: bytes::Bytes::from_static(b"{}") };
        client.session.answer_method(called.id, answer.clone());
        until(&hub, |job| job.statistics.succeeded == 1).await;
        let row = hub.router.device_job(&id(), device()).unwrap().unwrap();
        assert_eq!((row.status, row.outcome), (DeviceJobStatus::Completed, Some(answer)));
    });
}

#[test]
fn a_job_that_has_not_begun_is_cancelled_without_a_trace_in_any_twin() {
    run(|| async {
        let hub = Hub::new().await;
        run_jobs(&hub);
        let mut late = twin_job("*");
        late.start = Some(ironhub_domain::time::UnixMs(4_000_000_000_000));
        let job = hub.router.create_job(late).await.unwrap();
        assert_eq!(job.status, JobStatus::Scheduled);
        hub.router.cancel_job(&id()).await.unwrap();
        assert_eq!(ended(&hub).await.status, JobStatus::Cancelled);
        assert_eq!(version(&hub, device()), 1);
    });
}

#[test]
fn what_is_open_when_a_jobs_time_is_over_has_failed() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        run_jobs(&hub);
        hub.router.create_job(method_job(1)).await.unwrap();
        client.method().await;
        let job = ended(&hub).await;
        assert_eq!((job.status, job.statistics.failed), (JobStatus::Completed, 1));
        assert!(job.status_message.is_some());
        while !status(&hub, device()).is_final() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let row = hub.router.device_job(&id(), device()).unwrap().unwrap();
        assert_eq!(row.error.unwrap().code, "JobTimeout");
    });
}

#[test]
fn a_forgotten_job_leaves_neither_rows_nor_its_name_taken() {
    run(|| async {
        let hub = Hub::new().await;
        run_jobs(&hub);
        hub.router.create_job(twin_job("*")).await.unwrap();
        ended(&hub).await;
        hub.router.forget_job(&id()).await.unwrap();
        assert_eq!(hub.router.device_job(&id(), device()), Ok(None));
        assert_eq!(hub.router.job(&id()), Err(HubError::JobNotFound("j".into())));
        hub.router.create_job(twin_job("*")).await.unwrap();
        ended(&hub).await;
        assert_eq!(version(&hub, device()), 3);
    });
}
