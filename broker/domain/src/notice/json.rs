//! Notices as services read them (service-protocols.md 3.5, 3.6).

use serde_json::{Value, json};

use super::Notice;
use crate::time::UnixMs;

/// Content type of a batch of feedback.
pub const FEEDBACK_TYPE: &str = "application/vnd.microsoft.iothub.feedback.json";
/// Content type of a file notification.
pub const FILE_UPLOAD_TYPE: &str = "application/vnd.microsoft.iothub.filenotification.json";

impl Notice {
    /// The JSON object of one notice: an element of a feedback batch, or a whole file notification.
    pub fn json(&self) -> Value {
        match self {
            Self::Feedback { original_message_id, identity, generation, status, at } => {
                let mut record = json!({
                    "originalMessageId": original_message_id,
                    "enqueuedTimeUtc": seven_digits(*at),
                    "statusCode": status.as_str(),
                    "description": status.as_str(),
                    "deviceId": identity.device.as_str(),
                    "deviceGenerationId": generation,
                });
                if let (Value::Object(record), Some(module)) = (&mut record, &identity.module) {
                    record.insert("moduleId".into(), module.as_str().into());
                }
                record
            }
            Self::FileUpload { device, blob_uri, blob_name, last_updated, bytes, at } => json!({
                "deviceId": device.as_str(),
                "blobUri": blob_uri,
                "blobName": blob_name,
                "lastUpdatedTime": with_offset(*last_updated),
                "blobSizeInBytes": bytes,
                "enqueuedTimeUtc": seven_digits(*at),
            }),
        }
    }
}

/// As the original writes it: seven digits of a second.
fn seven_digits(at: UnixMs) -> String {
    let text = at.iso8601();
    format!("{}0000Z", text.trim_end_matches('Z'))
}

/// Whole seconds with an offset in place of `Z`.
fn with_offset(at: UnixMs) -> String {
    let text = at.iso8601();
    format!("{}+00:00", text.split('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DeviceId, IdentityId, ModuleId};
    use crate::notice::FeedbackStatus;

    #[test]
    fn feedback_and_file_notifications_are_what_the_sdks_parse() {
        let device = DeviceId::new("d1").unwrap();
        let feedback = |identity| Notice::Feedback {
            original_message_id: "mm1".into(),
            identity,
            generation: "638".into(),
            status: FeedbackStatus::Success,
            at: UnixMs(1_767_323_045_678),
        };
        let mut expected = json!({
            "originalMessageId": "mm1", "enqueuedTimeUtc": "2026-01-02T03:04:05.6780000Z",
            "statusCode": "Success", "description": "Success", "deviceId": "d1",
            "deviceGenerationId": "638",
        });
        assert_eq!(feedback(device.clone().into()).json(), expected);
        expected["moduleId"] = "m".into();
        let module = IdentityId::module(device.clone(), ModuleId::new("m").unwrap());
        assert_eq!(feedback(module).json(), expected);
        let file = Notice::FileUpload {
            device,
            blob_uri: "https://h/c/d1/f".into(),
            blob_name: "d1/f".into(),
            last_updated: UnixMs(1_767_323_045_678),
            bytes: 10_000,
            at: UnixMs(1_767_323_045_678),
        };
        assert_eq!(
            file.json(),
            json!({
                "deviceId": "d1", "blobUri": "https://h/c/d1/f", "blobName": "d1/f",
                "lastUpdatedTime": "2026-01-02T03:04:05+00:00", "blobSizeInBytes": 10_000,
                "enqueuedTimeUtc": "2026-01-02T03:04:05.6780000Z",
            })
        );
    }
}
