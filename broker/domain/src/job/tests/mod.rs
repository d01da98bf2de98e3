//! Jobs, with requests written as JSON.

mod admission;
mod life;
mod request;
mod rows;
mod view;

use super::*;
use crate::HubError;
use crate::time::UnixMs;

const PAYLOAD_MAX: usize = 64;

fn id(text: &str) -> JobId {
    JobId::new(text).unwrap()
}

fn parse(body: &str) -> Result<JobRequest, HubError> {
    JobRequest::parse(id("j1"), body.as_bytes(), PAYLOAD_MAX)
}

const TWIN: &str = r#"{"jobId":"j1","type":"scheduleUpdateTwin","updateTwin":{"etag":"*","tags":{"b":43}},
    "queryCondition":"tags.floor = 1","startTime":"2026-11-22T20:13:21.631Z","maxExecutionTimeInSeconds":60}"#;
const METHOD: &str = r#"{"type":"scheduleDeviceMethod","cloudToDeviceMethod":{"methodName":"m","payload":{"x":1},
    "responseTimeoutInSeconds":5}}"#;

/// When [`TWIN`] begins.
const START: u64 = 1_795_378_401_631;

fn job(body: &str, now: u64) -> Job {
    Job::new(parse(body).unwrap_or_else(|error| panic!("{body}: {error}")), UnixMs(now))
}
