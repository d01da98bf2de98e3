//! Jobs as services read them (service-protocols.md 2.7, 2.9). What is not known is left out.

use serde_json::{Value, json};

use crate::job::device::DeviceJob;
use crate::job::record::{Job, JobAction, JobStatistics, TwinJob};
use crate::method::MethodCall;
use crate::time::UnixMs;
use crate::twin::{Object, SectionChange};

impl Job {
    /// A JobResponse.
    pub fn json(&self) -> Value {
        let mut view = Object::new();
        view.insert("jobId".into(), self.id.as_str().into());
        view.insert("queryCondition".into(), self.query_condition.as_str().into());
        view.insert("createdTime".into(), self.created.iso8601().into());
        view.insert("startTime".into(), self.start.iso8601().into());
        put(&mut view, "endTime", self.end.map(UnixMs::iso8601));
        view.insert("maxExecutionTimeInSeconds".into(), self.max_execution.as_secs().into());
        view.insert("type".into(), self.action.job_type().as_str().into());
        let (name, action) = match &self.action {
            JobAction::UpdateTwin(job) => ("updateTwin", twin_json(job)),
            JobAction::DeviceMethod(call) => ("cloudToDeviceMethod", call_json(call)),
        };
        view.insert(name.into(), action);
        view.insert("status".into(), self.status.as_str().into());
        put(&mut view, "failureReason", self.failure_reason.as_deref());
        put(&mut view, "statusMessage", self.status_message.as_deref());
        view.insert("deviceJobStatistics".into(), statistics_json(&self.statistics));
        view.into()
    }
}

impl DeviceJob {
    /// A row of `devices.jobs`.
    pub fn json(&self) -> Value {
        let mut view = Object::new();
        view.insert("deviceId".into(), self.identity.device.as_str().into());
        put(&mut view, "moduleId", self.identity.module.as_ref().map(|module| module.as_str()));
        view.insert("jobId".into(), self.job.as_str().into());
        view.insert("jobType".into(), self.job_type.as_str().into());
        view.insert("status".into(), self.status.as_str().into());
        put(&mut view, "startTimeUtc", self.start.map(UnixMs::iso8601));
        put(&mut view, "endTimeUtc", self.end.map(UnixMs::iso8601));
        view.insert("createdDateTimeUtc".into(), self.created.iso8601().into());
        view.insert("lastUpdatedDateTimeUtc".into(), self.updated.iso8601().into());
        if let Some(answer) = &self.outcome {
            let response = json!({"status": answer.status, "payload": value(&answer.payload)});
            view.insert("outcome".into(), json!({"deviceMethodResponse": response}));
        }
        if let Some(error) = &self.error {
            let error = json!({"code": error.code, "description": error.description});
            view.insert("error".into(), error);
        }
        view.into()
    }
}

fn put<V: Into<Value>>(view: &mut Object, name: &str, value: Option<V>) {
    if let Some(value) = value {
        view.insert(name.into(), value.into());
    }
}

fn statistics_json(statistics: &JobStatistics) -> Value {
    json!({
        "deviceCount": statistics.devices,
        "failedCount": statistics.failed,
        "succeededCount": statistics.succeeded,
        "runningCount": statistics.running,
        "pendingCount": statistics.pending,
    })
}

fn twin_json(job: &TwinJob) -> Value {
    let members = |change: &SectionChange| match change {
        SectionChange::Patch(members) | SectionChange::Replace(members) => members.clone(),
    };
    let mut twin = Object::new();
    twin.insert("etag".into(), job.etag.as_str().into());
    put(&mut twin, "tags", job.update.tags.as_ref().map(members));
    if let Some(desired) = &job.update.desired {
        twin.insert("properties".into(), json!({"desired": members(desired)}));
    }
    twin.into()
}

fn call_json(call: &MethodCall) -> Value {
    json!({
        "methodName": call.name,
        "payload": value(&call.payload),
        "responseTimeoutInSeconds": call.response_timeout.as_secs(),
        "connectTimeoutInSeconds": call.connect_timeout.as_secs(),
    })
}

/// JSON, or nothing.
fn value(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).unwrap_or_default()
}
