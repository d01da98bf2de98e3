//! A service's AMQP message as the hub keeps it (service-protocols.md 3.4). Pure.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{AckMode, C2dMessage, C2dProperties};
use ironhub_domain::event::AppProperty;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::time::UnixMs;
use ironhub_wire::amqp::{Error, Message, MessageId, Text};

use crate::amqp::errors;
use crate::amqp::value_text::text_of;

/// Application properties of one message, at most: each costs far more memory than its bytes on the wire.
const PROPERTIES_MAX: usize = 1024;

/// For whom the message is, and the message.
pub(super) fn read(bytes: &Bytes) -> Result<(IdentityId, C2dMessage), Error> {
    let message = Message::split(bytes)?;
    let properties = message.properties()?;
    let refuse = |text: String| errors::error(&HubError::InvalidArgument(text));
    let to = properties.to.as_ref().map(Text::as_str).unwrap_or_default();
    let identity = address(to)
        .ok_or_else(|| refuse(format!("to is not /devices/ID/messages/devicebound but {to:?}")))?;
    let mut ack = AckMode::default();
    let mut own = Vec::new();
    for (key, value) in message.application_properties()?.0 {
        let name = key
            .as_text()
            .ok_or_else(|| refuse("the name of an application property is no string".into()))?
            .to_owned();
        let value = text_of(&value).map_err(|why| refuse(format!("property {name:?}: {why}")))?;
        if name == "iothub-ack" {
            let word = value.unwrap_or_default();
            ack = AckMode::parse(&word).ok_or_else(|| {
                refuse(format!("iothub-ack is none of none, positive, negative, full: {word:?}"))
            })?;
            continue;
        }
        own.push(AppProperty { name, value });
        if own.len() > PROPERTIES_MAX {
            return Err(refuse(format!("more than {PROPERTIES_MAX} application properties")));
        }
    }
    let id = |id: Option<MessageId>| match id.map(|id| text_of(&id.to_value())) {
        None => Ok(None),
        Some(Ok(text)) => Ok(text),
        Some(Err(why)) => Err(refuse(format!("an id: {why}"))),
    };
    let user_id = match &properties.user_id {
        None => None,
        Some(user) => Some(
            std::str::from_utf8(user).map_err(|_| refuse("user-id is no UTF-8".into()))?.to_owned(),
        ),
    };
    let time = |ms: i64| UnixMs(u64::try_from(ms).unwrap_or_default());
    let system = C2dProperties {
        message_id: id(properties.message_id)?,
        correlation_id: id(properties.correlation_id)?,
        user_id,
        content_type: properties.content_type.map(|symbol| symbol.as_str().to_owned()),
        content_encoding: properties.content_encoding.map(|symbol| symbol.as_str().to_owned()),
        creation_time: properties.creation_time.map(time),
        absolute_expiry: properties.absolute_expiry_time.map(time),
    };
    let body = message.body().bytes()?;
    Ok((identity, C2dMessage { system, ack, properties: own, body }))
}

/// `/devices/{id}/messages/devicebound`, and a module's: any letter case of the words, ids raw or encoded once, absolute
/// or relative.
fn address(to: &str) -> Option<IdentityId> {
    let path = crate::amqp::address::relative(to);
    let segments: Vec<&str> = path.split('/').collect();
    let is = |segment: &str, word: &str| segment.eq_ignore_ascii_case(word);
    let id = |text: &str| ironhub_wire::mqtt::percent::decode(text).ok().map(|id| id.into_owned());
    let (device, module, rest) = match segments[..] {
        [devices, device, modules, module, ref rest @ ..]
            if is(devices, "devices") && is(modules, "modules") =>
        {
            (device, Some(module), rest)
        }
        [devices, device, ref rest @ ..] if is(devices, "devices") => (device, None, rest),
        _ => return None,
    };
    let [messages, bound] = rest else { return None };
    if !is(messages, "messages") || !is(bound, "devicebound") {
        return None;
    }
    Some(IdentityId {
        device: DeviceId::new(&id(device)?).ok()?,
        module: match module {
            Some(module) => Some(ModuleId::new(&id(module)?).ok()?),
            None => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use ironhub_wire::amqp::message::MessageBuilder;
    use ironhub_wire::amqp::{Properties, Symbol, Value, condition};

    use super::*;

    fn check(to: &str, expected: Option<&str>) {
        let shown = address(to).map(|identity| identity.to_string());
        assert_eq!(shown.as_deref(), expected, "{to}");
    }

    #[test]
    fn every_spelling_of_an_address_is_read() {
        check("/devices/d1/messages/devicebound", Some("d1"));
        check("devices/d1/messages/deviceBound/", Some("d1"));
        check("amqps://hub.test/devices/D1/messages/devicebound", Some("D1"));
        check("/devices/a%23b/messages/devicebound", Some("a#b"));
        check("/devices/d/modules/m/messages/devicebound", Some("d/m"));
        for bad in [
            "",
            "/devices/d1",
            "/devices//messages/devicebound",
            "/devices/d1/messages/events",
            "/devices/d1/messages/devicebound/x",
            "/devices/a b/messages/devicebound",
        ] {
            check(bad, None);
        }
    }

    fn message(to: &str, ack: Option<&str>) -> Bytes {
        let properties = Properties {
            message_id: Some(MessageId::String(Text::from("m1"))),
            to: Some(Text::from(to)),
            content_type: Some(Symbol::lossy("application/json")),
            absolute_expiry_time: Some(5),
            ..Properties::default()
        };
        MessageBuilder::with_capacity(100)
            .properties(&properties)
            .application_properties(|map| {
                if let Some(ack) = ack {
                    map.text("iothub-ack").text(ack);
                }
                map.text("k").text("v");
                map.text("n").value(&Value::Int(-7));
            })
            .data(b"he")
            .data(b"llo")
            .finish()
    }

    #[test]
    fn a_message_keeps_all_its_parts() {
        let (identity, message) =
            read(&message("/devices/d1/messages/devicebound", Some("full"))).unwrap();
        assert_eq!(identity.to_string(), "d1");
        assert_eq!(message.ack, AckMode::Full);
        assert_eq!(message.body, "hello");
        assert_eq!(message.system.message_id.as_deref(), Some("m1"));
        assert_eq!(message.system.content_type.as_deref(), Some("application/json"));
        assert_eq!(message.system.absolute_expiry, Some(UnixMs(5)));
        let shown: Vec<_> = message
            .properties
            .iter()
            .map(|property| (&*property.name, property.value.as_deref()))
            .collect();
        assert_eq!(shown, [("k", Some("v")), ("n", Some("-7"))]);
    }

    #[test]
    fn a_bad_address_or_ack_is_an_argument_error() {
        for (to, ack) in [("/nowhere", None), ("/devices/d/messages/devicebound", Some("maybe"))] {
            let error = read(&message(to, ack)).unwrap_err();
            assert_eq!(error.condition, condition::ARGUMENT_ERROR, "{error}");
        }
    }
}
