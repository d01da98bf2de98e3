//! Cloud-to-device messages and their feedback over HTTPS (service-protocols.md 2.3, 2.12, 6.2).

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use super::rest::{Call, device_path};
use super::{ClientError, RestClient};

const FEEDBACK_PATH: &str = "/messages/serviceBound/feedback";

/// A cloud-to-device message on its way to the hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Headers of the message's own properties: name and value.
    pub system: Vec<(&'static str, String)>,
    /// Application properties. HTTP knows no letter case in their names.
    pub properties: Vec<(String, String)>,
    /// The content.
    pub body: Bytes,
}

/// Feedback that is locked for the caller for a minute.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedbackBatch {
    /// Names the batch when it is completed.
    pub lock: String,
    /// `originalMessageId`, `statusCode`, `deviceId` … of each message.
    pub records: Vec<Value>,
}

impl RestClient {
    /// Puts a message into a device's queue.
    pub async fn send_c2d(&self, id: &str, message: OutgoingMessage) -> Result<(), ClientError> {
        let path = format!("{}/messages/deviceBound", device_path(id));
        let mut call = Call::new(Method::POST, path);
        for (name, value) in message.system {
            call = call.header(name, value);
        }
        for (name, value) in message.properties {
            call = call.header(format!("iothub-app-{name}"), value);
        }
        call.body = message.body;
        self.call(call).await.map(drop)
    }

    /// Empties a device's queue; how many messages were in it.
    pub async fn purge_c2d(&self, id: &str) -> Result<u64, ClientError> {
        let path = format!("{}/commands", device_path(id));
        let answer = self.call(Call::new(Method::DELETE, path)).await?;
        answer.json["totalMessagesPurged"]
            .as_u64()
            .ok_or_else(|| self.bad_reply(format!("it does not say how many: {}", answer.json)))
    }

    /// The next feedback; `None` if there is none, or not yet: the hub collects it for up to 15 s.
    pub async fn feedback(&self) -> Result<Option<FeedbackBatch>, ClientError> {
        let answer = self.call(Call::new(Method::GET, FEEDBACK_PATH)).await?;
        match answer.json {
            Value::Null => Ok(None),
            Value::Array(records) => Ok(Some(FeedbackBatch { lock: answer.etag, records })),
            other => Err(self.bad_reply(format!("a list was expected, not {other}"))),
        }
    }

    /// Removes feedback that was read.
    pub async fn complete_feedback(&self, lock: &str) -> Result<(), ClientError> {
        self.call(Call::new(Method::DELETE, format!("{FEEDBACK_PATH}/{lock}"))).await.map(drop)
    }
}
