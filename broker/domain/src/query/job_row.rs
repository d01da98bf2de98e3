//! The rows of `devices.jobs` (service-protocols.md 2.7): what [`DeviceJob::json`] shows, looked up part by part.

use serde_json::{Value, json};

use super::datum::Datum;
use super::evaluate::Row;
use super::expression::Step;
use super::walk::walk;
use crate::job::DeviceJob;
use crate::method::MethodAnswer;
use crate::time::UnixMs;

/// What is not known is undefined. Times are texts as the row shows them, so they compare as texts do.
impl Row for DeviceJob {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        let (Step::Name(name), rest) = path.split_first()? else { return None };
        let time = |time: UnixMs| Datum::owned(time.iso8601());
        match (name.as_str(), rest) {
            ("deviceId", []) => Some(Datum::text(self.identity.device.as_str())),
            ("moduleId", []) => self.identity.module.as_ref().map(|id| Datum::text(id.as_str())),
            ("jobId", []) => Some(Datum::text(self.job.as_str())),
            ("jobType", []) => Some(Datum::text(self.job_type.as_str())),
            ("status", []) => Some(Datum::text(self.status.as_str())),
            ("startTimeUtc", []) => self.start.map(time),
            ("endTimeUtc", []) => self.end.map(time),
            ("createdDateTimeUtc", []) => Some(time(self.created)),
            ("lastUpdatedDateTimeUtc", []) => Some(time(self.updated)),
            ("outcome", rest) => outcome(self.outcome.as_ref()?, rest),
            ("error", []) => {
                let error = self.error.as_ref()?;
                Some(json!({ "code": error.code, "description": error.description }).into())
            }
            ("error", [Step::Name(name)]) => match name.as_str() {
                "code" => self.error.as_ref().map(|error| Datum::text(&error.code)),
                "description" => self.error.as_ref().map(|error| Datum::text(&error.description)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The payload is read only where a path leads into it.
fn outcome<'a>(answer: &MethodAnswer, path: &[Step]) -> Option<Datum<'a>> {
    let payload = || serde_json::from_slice::<Value>(&answer.payload).unwrap_or_default();
    let response = || json!({ "status": answer.status, "payload": payload() });
    let is = |step: &Step, wanted: &str| matches!(step, Step::Name(name) if name == wanted);
    match path {
        [] => Some(json!({ "deviceMethodResponse": response() }).into()),
        [first] if is(first, "deviceMethodResponse") => Some(response().into()),
        [first, second, rest @ ..] if is(first, "deviceMethodResponse") => {
            if is(second, "status") && rest.is_empty() {
                Some(Datum::Number(answer.status.into()))
            } else if is(second, "payload") {
                walk(&payload(), rest).cloned().map(Datum::from)
            } else {
                None
            }
        }
        _ => None,
    }
}
