//! A job as the hub keeps it: what services read of it, and what they do not.

use serde_json::Value;

use crate::HubError;
use crate::job::id::JobId;
use crate::job::record::{Job, JobStatistics};
use crate::job::request::JobRequest;
use crate::job::word::JobStatus;
use crate::time::UnixMs;

/// When it began; services do not read this.
const BEGUN: &str = "begunTime";
/// Whether its targets are known; services do not read this.
const COUNTED: &str = "targetsCounted";

/// The event that is not stored yet; services do not read this.
const UNTOLD: &str = "untoldCorrelationId";

impl Job {
    /// The bytes to keep: JSON.
    pub fn to_stored(&self) -> Vec<u8> {
        let mut stored = self.json();
        if let Some(begun) = self.begun {
            stored[BEGUN] = begun.iso8601().into();
        }
        stored[COUNTED] = self.counted.into();
        if let Some(correlation_id) = &self.untold {
            stored[UNTOLD] = correlation_id.as_str().into();
        }
        stored.to_string().into_bytes()
    }

    /// Reads what [`to_stored`](Self::to_stored) wrote.
    pub fn from_stored(id: &str, stored: &[u8]) -> Result<Self, HubError> {
        let unreadable =
            |why: &str| HubError::Internal(format!("job {id:?} cannot be read: {why}"));
        let request = JobRequest::read(JobId::new(id)?, stored, usize::MAX)
            .map_err(|error| unreadable(&error.to_string()))?;
        let members: Value =
            serde_json::from_slice(stored).map_err(|error| unreadable(&error.to_string()))?;
        let time = |name: &str| members[name].as_str().and_then(UnixMs::parse_iso8601);
        let text = |name: &str| members[name].as_str().map(str::to_owned);
        let count = |name: &str| members["deviceJobStatistics"][name].as_u64().unwrap_or_default();
        let status = members["status"].as_str().and_then(JobStatus::parse);
        let created = time("createdTime").ok_or_else(|| unreadable("no createdTime"))?;
        Ok(Self {
            start: time("startTime").unwrap_or(created),
            begun: time(BEGUN),
            end: time("endTime"),
            status: status.ok_or_else(|| unreadable("no status"))?,
            counted: members[COUNTED].as_bool().unwrap_or_default(),
            untold: text(UNTOLD),
            failure_reason: text("failureReason"),
            status_message: text("statusMessage"),
            statistics: JobStatistics {
                devices: count("deviceCount"),
                failed: count("failedCount"),
                succeeded: count("succeededCount"),
                running: count("runningCount"),
                pending: count("pendingCount"),
            },
            ..Self::new(request, created)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobAction, JobEvent};

    const TWIN: &str = r#"{"type":"scheduleUpdateTwin","updateTwin":{"etag":"\"AAAA\"",
        "tags":{"b":1.50,"gone":null},"properties":{"desired":{}}},"queryCondition":"tags.a = 'é'",
        "startTime":"2026-11-22T20:13:21.631Z","maxExecutionTimeInSeconds":60}"#;
    const METHOD: &str = r#"{"type":"scheduleDeviceMethod","cloudToDeviceMethod":{"methodName":"m",
        "payload":{"x":[1,2.25,"y"]},"responseTimeoutInSeconds":5,"connectTimeoutInSeconds":7}}"#;

    #[test]
    fn a_job_is_read_as_it_was_written_in_every_state() {
        let id = || JobId::new("j:1").unwrap();
        for body in [TWIN, METHOD] {
            let now = UnixMs(1_795_378_401_700);
            let request = JobRequest::parse(id(), body.as_bytes(), 1000).unwrap();
            let mut job = Job::new(request, now);
            let later = |job: Job, event| job.after(event, UnixMs(now.0 + 5)).unwrap();
            let mut states = vec![job.clone()];
            states.push(Job { untold: Some("c".into()), ..job.clone() });
            assert!(!states[1].json().to_string().contains("untold"), "services do not read it");
            for event in [
                JobEvent::Begin,
                JobEvent::Targets { devices: 9 },
                JobEvent::Devices { started: 3, succeeded: 1, failed: 1 },
                JobEvent::Fail { reason: "because".into() },
            ] {
                job = later(job, event);
                states.push(job.clone());
            }
            for state in states {
                let mut read = Job::from_stored("j:1", &state.to_stored()).unwrap();
                if let (JobAction::DeviceMethod(read), JobAction::DeviceMethod(call)) =
                    (&mut read.action, &state.action)
                {
                    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
                    assert_eq!(json(&read.payload), json(&call.payload));
                    read.payload = call.payload.clone();
                }
                assert_eq!(read, state, "{:?}", state.status);
            }
        }
    }

    #[test]
    fn what_is_no_job_is_an_internal_error() {
        for bad in ["", "{}", r#"{"type":"scheduleUpdateTwin","updateTwin":{"tags":{}}}"#] {
            let read = Job::from_stored("j", bad.as_bytes());
            assert!(matches!(read, Err(HubError::Internal(_))), "{bad}: {read:?}");
        }
    }
}
