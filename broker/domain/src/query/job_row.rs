//! The row of one device of a job in `devices.jobs` (service-protocols.md 2.7).

use serde_json::{Value, json};

use super::datum::Datum;
use super::evaluate::Row;
use super::expression::Step;
use super::walk::walk;
use crate::time::UnixMs;
use crate::twin::Object;

/// Why a job failed on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError<'a> {
    /// `error.code`
    pub code: &'a str,
    /// `error.description`
    pub description: &'a str,
}

/// One row. Times are as in a [`TwinRow`](super::TwinRow); one that is not yet is undefined, and in the document null.
#[derive(Clone, Debug)]
pub struct JobRow<'a> {
    /// `deviceId`
    pub device: &'a str,
    /// `moduleId`, if the job is for modules.
    pub module: Option<&'a str>,
    /// `jobId`
    pub job: &'a str,
    /// `jobType`: `scheduleUpdateTwin` or `scheduleDeviceMethod`.
    pub kind: &'a str,
    /// `status`: `pending`, `scheduled`, `running`, `completed`, `failed` or `canceled`.
    pub status: &'a str,
    /// `startTimeUtc`
    pub started: Option<UnixMs>,
    /// `endTimeUtc`
    pub ended: Option<UnixMs>,
    /// `createdDateTimeUtc`
    pub created: UnixMs,
    /// `lastUpdatedDateTimeUtc`
    pub updated: UnixMs,
    /// `outcome.deviceMethodResponse`: `{"status": ..., "payload": ...}`
    pub response: Option<&'a Value>,
    /// `error`
    pub error: Option<JobError<'a>>,
}

impl Row for JobRow<'_> {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        let (Step::Name(name), rest) = path.split_first()? else { return None };
        let time = |time: UnixMs| Datum::owned(time.registry_time());
        match (name.as_str(), rest) {
            ("deviceId", []) => Some(Datum::text(self.device)),
            ("moduleId", []) => self.module.map(Datum::text),
            ("jobId", []) => Some(Datum::text(self.job)),
            ("jobType", []) => Some(Datum::text(self.kind)),
            ("status", []) => Some(Datum::text(self.status)),
            ("startTimeUtc", []) => self.started.map(time),
            ("endTimeUtc", []) => self.ended.map(time),
            ("createdDateTimeUtc", []) => Some(time(self.created)),
            ("lastUpdatedDateTimeUtc", []) => Some(time(self.updated)),
            ("outcome", []) => Some(self.outcome().into()),
            ("outcome", [Step::Name(name), rest @ ..]) if name == "deviceMethodResponse" => {
                match self.response {
                    Some(response) => walk(response, rest).map(Datum::from),
                    None => rest.is_empty().then_some(Datum::Null),
                }
            }
            ("error", []) => self.error_json().map(Datum::from),
            ("error", [Step::Name(name)]) if name == "code" => {
                self.error.as_ref().map(|error| Datum::text(error.code))
            }
            ("error", [Step::Name(name)]) if name == "description" => {
                self.error.as_ref().map(|error| Datum::text(error.description))
            }
            _ => None,
        }
    }
}

impl JobRow<'_> {
    /// The document that `SELECT *` returns.
    pub fn to_json(&self) -> Object {
        let time = |time: UnixMs| Value::from(time.registry_time());
        let mut row = Object::new();
        row.insert("deviceId".into(), self.device.into());
        if let Some(module) = self.module {
            row.insert("moduleId".into(), module.into());
        }
        row.insert("jobId".into(), self.job.into());
        row.insert("jobType".into(), self.kind.into());
        row.insert("status".into(), self.status.into());
        row.insert("startTimeUtc".into(), self.started.map_or(Value::Null, time));
        row.insert("endTimeUtc".into(), self.ended.map_or(Value::Null, time));
        row.insert("createdDateTimeUtc".into(), time(self.created));
        row.insert("lastUpdatedDateTimeUtc".into(), time(self.updated));
        row.insert("outcome".into(), self.outcome());
        if let Some(error) = self.error_json() {
            row.insert("error".into(), error);
        }
        row
    }

    fn outcome(&self) -> Value {
        json!({ "deviceMethodResponse": self.response })
    }

    fn error_json(&self) -> Option<Value> {
        let JobError { code, description } = self.error.as_ref()?;
        Some(json!({ "code": code, "description": description }))
    }
}
