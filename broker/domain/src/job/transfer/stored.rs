//! An import or export as the hub keeps it: what services read of it, and what they do not.

use serde_json::{Map, Value};

use crate::HubError;
use crate::job::id::JobId;
use crate::job::transfer::record::TransferJob;
use crate::job::transfer::request::{TransferDirection, TransferRequest};
use crate::job::word::JobStatus;
use crate::time::UnixMs;

/// Times in Unix ms; services do not read these.
const CREATED: &str = "createdMs";
const BEGUN: &str = "begunMs";
const END: &str = "endMs";
const DONE: &str = "done";
const CONFIGURATIONS_DONE: &str = "configurationsDone";
const AGAIN: &str = "begunAgain";
const FAILED: &str = "failed";

impl TransferJob {
    /// The bytes to keep: JSON. Here containers have their signatures.
    pub fn to_stored(&self) -> Vec<u8> {
        let mut stored = match self.json() {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let mut put = |name: &str, value: Value| drop(stored.insert(name.to_owned(), value));
        let output = match &self.request.direction {
            TransferDirection::Export { output, .. } => output,
            TransferDirection::Import { input, output, .. } => {
                put("inputBlobContainerUri", input.uri().into());
                output
            }
        };
        put("outputBlobContainerUri", output.uri().into());
        put(CREATED, self.created.0.into());
        put(BEGUN, self.begun.map(|time| time.0).into());
        put(END, self.end.map(|time| time.0).into());
        put(DONE, self.done.into());
        put(CONFIGURATIONS_DONE, self.configurations_done.into());
        put(AGAIN, self.again.into());
        put(FAILED, self.failed.into());
        Value::Object(stored).to_string().into_bytes()
    }

    /// Reads what [`to_stored`](Self::to_stored) wrote.
    pub fn from_stored(id: &str, stored: &[u8]) -> Result<Self, HubError> {
        let unreadable =
            |why: &str| HubError::Internal(format!("job {id:?} cannot be read: {why}"));
        let request = TransferRequest::parse(stored).map_err(|e| unreadable(&e.to_string()))?;
        let members: Value =
            serde_json::from_slice(stored).map_err(|e| unreadable(&e.to_string()))?;
        let number = |name: &str| members[name].as_u64();
        let status = members["status"].as_str().and_then(JobStatus::parse);
        let created = number(CREATED).ok_or_else(|| unreadable("no time"))?;
        Ok(Self {
            begun: number(BEGUN).map(UnixMs),
            end: number(END).map(UnixMs),
            status: status.ok_or_else(|| unreadable("no status"))?,
            done: number(DONE).unwrap_or_default(),
            configurations_done: number(CONFIGURATIONS_DONE).unwrap_or_default(),
            again: members[AGAIN].as_bool().unwrap_or_default(),
            failed: number(FAILED).unwrap_or_default(),
            progress: number("progress").and_then(|n| u8::try_from(n).ok()).unwrap_or_default(),
            failure_reason: members["failureReason"].as_str().map(str::to_owned),
            ..Self::new(JobId::new(id)?, request, UnixMs(created))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::transfer::TransferEvent;

    #[test]
    fn a_transfer_is_read_as_it_was_written_in_every_state() {
        let export = r#"{"type":"export","outputBlobContainerUri":"https://a/c?sig=s","outputBlobName":"x/y",
            "excludeKeysInExport":true,"includeConfigurations":true,"configurationsBlobName":"z"}"#;
        let import = r#"{"type":"import","inputBlobContainerUri":"https://a/i?sig=s",
            "outputBlobContainerUri":"https://a/o?sig=t"}"#;
        for body in [export, import] {
            let request = TransferRequest::parse(body.as_bytes()).unwrap();
            let mut job = TransferJob::new(JobId::new("j").unwrap(), request, UnixMs(7));
            let reason = "r".repeat(2000);
            for event in [
                TransferEvent::Begin,
                TransferEvent::Progress { done: 5, configurations_done: 3, failed: 2, percent: 40 },
                TransferEvent::Again,
                TransferEvent::Progress { done: 1, configurations_done: 0, failed: 1, percent: 1 },
                TransferEvent::Fail { reason },
            ] {
                let stored = job.to_stored();
                assert_eq!(TransferJob::from_stored("j", &stored).unwrap(), job);
                job = job.after(event, UnixMs(9)).unwrap();
            }
            assert_eq!(TransferJob::from_stored("j", &job.to_stored()).unwrap(), job);
            assert!(!job.json().to_string().contains("sig="), "signatures are not shown");
        }
    }

    #[test]
    fn what_is_no_transfer_is_an_internal_error() {
        for bad in ["", "{}", r#"{"type":"export","outputBlobContainerUri":"https://a/c?sig=s"}"#] {
            let read = TransferJob::from_stored("j", bad.as_bytes());
            assert!(matches!(read, Err(HubError::Internal(_))), "{bad}: {read:?}");
        }
    }
}
