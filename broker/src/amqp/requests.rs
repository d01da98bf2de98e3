//! Requests and answers in messages, as `$cbs` and `$management` use them (service-protocols.md 3.1 E11 to E13, 3.3, 4.3).

use bytes::Bytes;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::{DecodeError, Map, Message, MessageId, Properties, Text, Value};

/// Application properties of a request, at most; more is no request of any client.
const KEYS_MAX: usize = 64;

/// A request, as far as its envelope goes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) message: Message,
    keys: Map,
    id: Option<MessageId>,
    /// Where the answer should go; many clients leave it out.
    pub(super) reply_to: Option<Text>,
}

impl Request {
    pub(super) fn read(bytes: &Bytes) -> Result<Self, DecodeError> {
        let message = Message::split(bytes)?;
        let properties = message.properties()?;
        let keys = message.application_properties()?;
        if keys.0.len() > KEYS_MAX {
            return Err(DecodeError::TooLong("application-properties"));
        }
        Ok(Self { message, keys, id: properties.message_id, reply_to: properties.reply_to })
    }

    /// The text under a key of the application properties.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.keys.text(key)
    }

    /// The answer, encoded: it carries the request's id with its type, whatever that is.
    pub(super) fn answer(&self, answer: &Answer) -> Bytes {
        let properties = Properties {
            correlation_id: self.id.clone(),
            to: self.reply_to.clone(),
            ..Properties::default()
        };
        let builder = MessageBuilder::with_capacity(256)
            .properties(&properties)
            .application_properties(|map| {
                map.text("status-code").value(&Value::Int(answer.status));
                map.text("status-description").text(&answer.description);
                if let Some(condition) = answer.condition {
                    map.text("error-condition").symbol(condition);
                }
            });
        builder.value(&answer.body).finish()
    }
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    status: i32,
    description: String,
    condition: Option<&'static str>,
    body: Value,
}

impl Answer {
    /// Success.
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, description: "OK".to_owned(), condition: None, body }
    }

    /// Failure, with an HTTP-like status.
    pub(super) fn failed(status: i32, condition: Option<&'static str>, text: &str) -> Self {
        Self { status, description: text.to_owned(), condition, body: Value::Null }
    }
}
