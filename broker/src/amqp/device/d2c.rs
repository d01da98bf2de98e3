//! A device's AMQP message, or batch of messages, as the hub keeps it (device-protocols.md 3.8). Pure.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::event::{AppProperty, D2cMessage};
use ironhub_domain::limits::D2C_MESSAGE_BYTES_MAX;
use ironhub_wire::amqp::message::{BATCH_FORMAT, Body};
use ironhub_wire::amqp::{DecodeError, Message, MessageId, Properties, Symbol, Text, Value};

use crate::amqp::errors;
use crate::amqp::value_text::{NotText, iso8601, text_of};

/// Application properties of one message, at most: each costs far more memory than its bytes on the wire.
const PROPERTIES_MAX: usize = 1024;

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadMessage {
    #[error("{0}")]
    Decode(#[from] DecodeError),
    #[error("{0}")]
    Hub(#[from] HubError),
}

impl From<NotText> for BadMessage {
    fn from(why: NotText) -> Self {
        Self::Hub(why.into())
    }
}

impl BadMessage {
    /// What the device is told.
    pub(super) fn error(self) -> ironhub_wire::amqp::Error {
        match self {
            Self::Decode(error) => error.into(),
            Self::Hub(error) => errors::error(&error),
        }
    }
}

/// The messages of one delivery, checked against the limits: one, or those of a batch, which counts as one message.
pub(super) fn messages(format: u32, bytes: &Bytes) -> Result<Vec<D2cMessage>, BadMessage> {
    let outer = Message::split(bytes)?;
    if format != BATCH_FORMAT {
        return Ok(vec![message(&outer)?]);
    }
    let Body::Data(parts) = outer.body() else {
        return Err(DecodeError::Expected("a data section for each message of the batch").into());
    };
    let mut messages = Vec::with_capacity(parts.len());
    let mut size = 0;
    for part in parts {
        let message = message(&Message::split(part)?)?;
        size += message.counted_size();
        if size > D2C_MESSAGE_BYTES_MAX {
            return Err(HubError::MessageTooLarge { size, max: D2C_MESSAGE_BYTES_MAX }.into());
        }
        messages.push(message);
    }
    Ok(messages)
}

fn message(message: &Message) -> Result<D2cMessage, BadMessage> {
    let mut taken = D2cMessage { body: message.body().bytes()?, ..D2cMessage::default() };
    standard(&mut taken, message.properties()?)?;
    for (key, value) in message.message_annotations()?.0 {
        let Some(key) = key.as_text() else { continue };
        let slot = match key {
            "iothub-interface-id" => &mut taken.system.interface_id,
            "dt-subject" => &mut taken.system.component_name,
            "Diagnostic-Id" | "Correlation-Context" => {
                let (name, value) = (key.to_owned(), text_of(&value)?);
                taken.properties.push(AppProperty { name, value });
                continue;
            }
            _ => continue,
        };
        *slot = text_of(&value)?;
    }
    for (key, value) in message.application_properties()?.0 {
        let Some(key) = key.as_text() else {
            return Err(invalid("the name of an application property is no string"));
        };
        // Who sent it is stamped by the hub; what the device claims is dropped.
        if starts_with(key, "iothub-connection-") {
            continue;
        }
        let value = text_of(&value)?;
        match key {
            "iothub-creation-time-utc" => taken.system.creation_time = value,
            "iothub-outputname" => taken.system.output_name = value,
            "iothub-message-schema" => taken.system.message_schema = value,
            name => taken.properties.push(AppProperty { name: name.to_owned(), value }),
        }
        if taken.properties.len() > PROPERTIES_MAX {
            let text = format!("a message has more than {PROPERTIES_MAX} application properties");
            return Err(HubError::InvalidArgument(text).into());
        }
    }
    taken.validate()?;
    Ok(taken)
}

fn standard(taken: &mut D2cMessage, properties: Properties) -> Result<(), BadMessage> {
    let text = |text: Option<Text>| text.map(|text| text.as_str().to_owned());
    let symbol = |symbol: Option<Symbol>| symbol.map(|symbol| symbol.as_str().to_owned());
    let id = |id: Option<MessageId>| match id {
        None => Ok(None),
        Some(id) => text_of(&id.to_value()),
    };
    let system = &mut taken.system;
    system.message_id = id(properties.message_id)?;
    system.correlation_id = id(properties.correlation_id)?;
    system.user_id = match properties.user_id {
        None => None,
        Some(user) => text_of(&Value::Binary(user))?,
    };
    system.to = text(properties.to);
    system.content_type = symbol(properties.content_type);
    system.content_encoding = symbol(properties.content_encoding);
    system.absolute_expiry_time = properties.absolute_expiry_time.map(iso8601);
    system.creation_time = properties.creation_time.map(iso8601);
    Ok(())
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn invalid(text: &str) -> BadMessage {
    BadMessage::Hub(HubError::InvalidArgument(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use ironhub_wire::amqp::message::MessageBuilder;
    use ironhub_wire::amqp::{Map, condition};

    use super::*;

    fn only(bytes: &Bytes) -> D2cMessage {
        let mut all = messages(0, bytes).expect("a message");
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn system_properties_go_where_they_belong() {
        let properties = Properties {
            message_id: Some(MessageId::Uuid([0xab; 16])),
            correlation_id: Some(MessageId::String("c".into())),
            user_id: Some(Bytes::from_static(b"u")),
            to: Some("/devices/d/messages/events".into()),
            content_type: Some(Symbol::from_static("application/json")),
            content_encoding: Some(Symbol::from_static("utf-8")),
            absolute_expiry_time: Some(1_767_323_045_678),
            creation_time: Some(0),
            ..Properties::default()
        };
        let bytes = MessageBuilder::default()
            .message_annotations(|map| {
                map.symbol("iothub-interface-id").text("i").symbol("dt-subject").text("s");
                map.symbol("Diagnostic-Id").text("diag").symbol("x-other").text("dropped");
            })
            .properties(&properties)
            .application_properties(|map| {
                map.text("iothub-creation-time-utc").text("2026-01-01T00:00:00Z");
                map.text("iothub-outputname").text("out").text("iothub-message-schema").text("m");
                map.text("iothub-connection-device-id").text("somebody else");
                map.text("IoTHub-Connection-Auth-Method").text("none");
                map.text("k").text("v");
            })
            .data(b"body")
            .finish();
        let message = only(&bytes);
        let system = &message.system;
        let shown = [
            &system.message_id,
            &system.correlation_id,
            &system.user_id,
            &system.to,
            &system.content_type,
            &system.content_encoding,
            &system.absolute_expiry_time,
            &system.creation_time,
            &system.output_name,
            &system.interface_id,
            &system.component_name,
            &system.message_schema,
        ]
        .map(|text| text.as_deref().unwrap_or("-"));
        let expected = "abababab-abab-abab-abab-abababababab c u /devices/d/messages/events \
            application/json utf-8 2026-01-02T03:04:05.678Z 2026-01-01T00:00:00Z out i s m";
        assert_eq!(shown.join(" "), expected);
        let names: Vec<&str> = message.properties.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["Diagnostic-Id", "k"]);
        assert_eq!(&message.body[..], b"body");
    }

    #[test]
    fn bodies_may_be_data_text_or_binary() {
        let value = |value: Value| MessageBuilder::default().value(&value).finish();
        let several = MessageBuilder::default().data(b"a").data(b"b").finish();
        for (bytes, expected) in [
            (several, "ab"),
            (value(Value::string("text")), "text"),
            (value(Value::Binary(Bytes::from_static(b"bin"))), "bin"),
            (value(Value::Null), ""),
            (Bytes::new(), ""),
        ] {
            assert_eq!(&only(&bytes).body[..], expected.as_bytes());
        }
    }

    fn batch(parts: &[Bytes]) -> Result<Vec<D2cMessage>, BadMessage> {
        let outer = parts.iter().fold(MessageBuilder::default(), |outer, part| outer.data(part));
        messages(BATCH_FORMAT, &outer.finish())
    }

    fn of_size(size: usize) -> Bytes {
        MessageBuilder::default().data(&vec![7; size]).finish()
    }

    #[test]
    fn a_batch_is_split_and_counts_as_one_message() {
        let bodies: Vec<usize> = batch(&[of_size(1), of_size(0), of_size(300)])
            .expect("a batch")
            .iter()
            .map(|message| message.body.len())
            .collect();
        assert_eq!(bodies, [1, 0, 300]);
        assert_eq!(batch(&[of_size(131_072), of_size(131_072)]).expect("fits").len(), 2);
    }

    #[test]
    fn what_is_bad_is_told_by_its_condition() {
        let told = |result: Result<Vec<D2cMessage>, BadMessage>| {
            let error = result.expect_err("it is bad").error();
            error.condition.as_str().to_owned()
        };
        let property = |value: Value| {
            let builder = MessageBuilder::default();
            let builder = builder.application_properties(|map| _ = map.text("k").value(&value));
            messages(0, &builder.data(b"").finish())
        };
        let large = condition::MESSAGE_SIZE_EXCEEDED;
        let (argument, decode) = (condition::ARGUMENT_ERROR, condition::DECODE_ERROR);
        assert_eq!(told(messages(0, &of_size(262_145))), large);
        assert_eq!(told(batch(&[of_size(131_072), of_size(131_073)])), large);
        assert_eq!(told(property(Value::List(Vec::new()))), argument);
        assert_eq!(told(property(Value::Map(Map::default()))), argument);
        assert_eq!(told(property(Value::Binary(Bytes::from_static(&[0xff])))), argument);
        assert_eq!(told(messages(0, &Bytes::from_static(b"\xde\xad"))), decode);
        assert_eq!(told(batch(&[Bytes::from_static(b"garbage")])), decode);
        assert_eq!(told(messages(BATCH_FORMAT, &Bytes::new())), decode);
        let many = MessageBuilder::default().application_properties(|map| {
            (0..=PROPERTIES_MAX).for_each(|n| _ = map.text(&n.to_string()).null());
        });
        assert_eq!(told(messages(0, &many.data(b"").finish())), argument);
        let id = Properties {
            message_id: Some(MessageId::String("x".repeat(129).into())),
            ..Properties::default()
        };
        let bytes = MessageBuilder::default().properties(&id).data(b"").finish();
        assert_eq!(told(messages(0, &bytes)), argument);
    }
}
