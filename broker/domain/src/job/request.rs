//! What a service asks for (service-protocols.md 2.9).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::HubError;
use crate::job::id::JobId;
use crate::job::record::{JobAction, TwinJob};
use crate::job::word::JobType;
use crate::limits::{
    JOB_EXECUTION_SECONDS, JOB_EXECUTION_SECONDS_DEFAULT, JOB_JSON_BYTES_MAX, QUERY_CHARS_MAX,
};
use crate::method::MethodCall;
use crate::time::{NEVER_ISO8601, UnixMs};
use crate::twin::TwinUpdate;

/// The body of `PUT /jobs/v2/{id}`.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRequest {
    /// The id of the path.
    pub id: JobId,
    /// What to do.
    pub action: JobAction,
    /// To which devices, as it was sent; whether it is a condition is for the query language to say.
    pub query_condition: String,
    /// When to begin; `None` for now.
    pub start: Option<UnixMs>,
    /// How long it may run.
    pub max_execution: Duration,
}

/// Members of the body; null is as good as absent.
struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get()).filter(|value| *value != "null")
    }

    fn text(&self, name: &str) -> Result<Option<String>, HubError> {
        let read = |raw| serde_json::from_str(raw).map_err(|_| wrong(format!("{name} is no text")));
        self.raw(name).map(read).transpose()
    }
}

impl JobRequest {
    /// Reads and checks a body. A method's payload may have `payload_bytes_max`. A start time in the past is now; the
    /// year 1, which C# writes for a time that nobody set, too, and a `maxExecutionTimeInSeconds` of 0 is one not set.
    pub fn parse(id: JobId, body: &[u8], payload_bytes_max: usize) -> Result<Self, HubError> {
        if body.len() > JOB_JSON_BYTES_MAX {
            return Err(HubError::MessageTooLarge { size: body.len(), max: JOB_JSON_BYTES_MAX });
        }
        // Where such a job would be, there is the list of jobs.
        if id.as_str().eq_ignore_ascii_case("query") {
            return Err(wrong("a job cannot be called query".into()));
        }
        Self::read(id, body, payload_bytes_max)
    }

    /// As [`parse`](Self::parse), of a body of any size.
    pub(super) fn read(id: JobId, body: &[u8], payload_bytes_max: usize) -> Result<Self, HubError> {
        let members = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the body is not a job in JSON: {error}")))?;
        let members = Members(members);
        if let Some(named) = members.text("jobId")?
            && named != id.as_str()
        {
            return Err(wrong(format!("jobId in the body is not {id} of the path")));
        }
        let query_condition = members.text("queryCondition")?.unwrap_or_default();
        if query_condition.chars().count() > QUERY_CHARS_MAX {
            return Err(wrong(format!(
                "queryCondition has more than {QUERY_CHARS_MAX} characters"
            )));
        }
        Ok(Self {
            id,
            action: action(&members, payload_bytes_max)?,
            query_condition,
            start: start(&members)?,
            max_execution: max_execution(&members)?,
        })
    }
}

fn action(members: &Members, payload_bytes_max: usize) -> Result<JobAction, HubError> {
    let kind = members.text("type")?.ok_or_else(|| wrong("type is missing".into()))?;
    let needed = |name: &str| members.raw(name).ok_or_else(|| wrong(format!("{name} is missing")));
    match JobType::parse(&kind) {
        Some(JobType::UpdateTwin) => twin_job(needed("updateTwin")?).map(JobAction::UpdateTwin),
        Some(JobType::DeviceMethod) => {
            let call = needed("cloudToDeviceMethod")?.as_bytes();
            MethodCall::parse(call, payload_bytes_max).map(JobAction::DeviceMethod).map_err(
                |error| match error {
                    HubError::InvalidArgument(why) => wrong(format!("cloudToDeviceMethod: {why}")),
                    other => other,
                },
            )
        }
        Some(JobType::Export | JobType::Import) => {
            Err(wrong(format!("jobs of type {kind:?} are made with POST /jobs/create")))
        }
        None => Err(wrong(format!(
            "type {kind:?} is neither scheduleUpdateTwin nor scheduleDeviceMethod"
        ))),
    }
}

fn twin_job(body: &str) -> Result<TwinJob, HubError> {
    let update = TwinUpdate::parse_patch(body.as_bytes()).map_err(|error| match error {
        HubError::InvalidArgument(why) => wrong(format!("updateTwin: {why}")),
        other => other,
    })?;
    if update == TwinUpdate::default() {
        return Err(wrong("updateTwin changes neither tags nor properties.desired".into()));
    }
    let members = serde_json::from_str(body)
        .map_err(|error| wrong(format!("updateTwin is not an object: {error}")))?;
    let etag = Members(members).text("etag")?.filter(|etag| !etag.is_empty());
    Ok(TwinJob { update, etag: etag.unwrap_or_else(|| "*".to_owned()) })
}

fn start(members: &Members) -> Result<Option<UnixMs>, HubError> {
    let Some(text) = members.text("startTime")?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let never = NEVER_ISO8601.trim_end_matches('Z');
    match UnixMs::parse_iso8601(&text) {
        Some(time) => Ok(Some(time)),
        None if text.starts_with(never) => Ok(None),
        None => Err(wrong("startTime is not a time in ISO 8601".into())),
    }
}

fn max_execution(members: &Members) -> Result<Duration, HubError> {
    let name = "maxExecutionTimeInSeconds";
    let seconds = match members.raw(name) {
        None | Some("0") => JOB_EXECUTION_SECONDS_DEFAULT,
        Some(raw) => serde_json::from_str(raw)
            .map_err(|_| wrong(format!("{name} is not a number of seconds")))?,
    };
    if !JOB_EXECUTION_SECONDS.contains(&seconds) {
        let (min, max) = (JOB_EXECUTION_SECONDS.start(), JOB_EXECUTION_SECONDS.end());
        return Err(wrong(format!("{name} is not in {min} to {max}")));
    }
    Ok(Duration::from_secs(seconds))
}

fn wrong(why: String) -> HubError {
    HubError::InvalidArgument(why)
}
