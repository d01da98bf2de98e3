//! Direct methods as messages (device-protocols.md 3.11). Pure.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::method::MethodAnswer;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::{DecodeError, Message, MessageId, Properties, Value};

use super::d2c::BadMessage;
use crate::router::request::MethodRequest;

/// What the correlation ids of one session share, so that an answer to an earlier session's call is told apart.
pub(super) type Nonce = [u8; 12];

/// A nonce that makes each id a random UUID's look-alike.
pub(super) fn nonce() -> Nonce {
    let mut nonce: Nonce = rand::random();
    nonce[6] = 0x40 | nonce[6] & 0x0f;
    nonce[8] = 0x80 | nonce[8] & 0x3f;
    nonce
}

/// The call as a message. The correlation id must be a UUID: SDKs refuse any other type.
pub(super) fn render(request: &MethodRequest, nonce: &Nonce) -> Bytes {
    let mut id = [0; 16];
    id[..12].copy_from_slice(nonce);
    id[12..].copy_from_slice(&request.id.to_be_bytes());
    let correlation_id = Some(MessageId::Uuid(id));
    MessageBuilder::with_capacity(192 + request.name.len() + request.payload.len())
        .properties(&Properties { correlation_id, ..Properties::default() })
        .application_properties(|map| {
            map.text("IoThub-methodname").text(&request.name);
        })
        .data(&request.payload)
        .finish()
}

/// A device's answer and the id of the call; `None` for a call of nobody, or of an earlier session.
pub(super) fn answer(
    message: &Message,
    nonce: &Nonce,
) -> Result<Option<(u32, MethodAnswer)>, BadMessage> {
    let id = match message.properties()?.correlation_id {
        Some(MessageId::Uuid(id)) => id,
        Some(MessageId::Binary(id)) => match <[u8; 16]>::try_from(&id[..]) {
            Ok(id) => id,
            Err(_) => return Ok(None),
        },
        Some(MessageId::Ulong(_) | MessageId::String(_)) | None => {
            return Err(DecodeError::Expected("a UUID as correlation-id").into());
        }
    };
    let keys = message.application_properties()?;
    let status = keys.get("IoThub-status").and_then(Value::as_integer);
    let Some(status) = status.and_then(|status| i32::try_from(status).ok()) else {
        let text = "the application property IoThub-status is not an int".to_owned();
        return Err(HubError::InvalidArgument(text).into());
    };
    let payload = message.body().bytes()?;
    let [own @ .., a, b, c, d] = id;
    if own != *nonce {
        return Ok(None);
    }
    Ok(Some((u32::from_be_bytes([a, b, c, d]), MethodAnswer { status, payload })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> MethodRequest {
        MethodRequest { id: 5, name: "reboot".into(), payload: Bytes::from_static(b"null") }
    }

    fn answered(id: Option<MessageId>, status: Value) -> Message {
        let properties = Properties { correlation_id: id, ..Properties::default() };
        let builder = MessageBuilder::default().properties(&properties);
        let builder =
            builder.application_properties(|map| _ = map.text("IoThub-status").value(&status));
        Message::split(&builder.data(b"{}").finish()).unwrap()
    }

    #[test]
    fn an_answer_finds_its_call() {
        let nonce = nonce();
        let call = Message::split(&render(&request(), &nonce)).unwrap();
        let keys = call.application_properties().unwrap();
        assert_eq!(keys.get("IoThub-methodname"), Some(&Value::string("reboot")));
        assert_eq!(&call.body().bytes().unwrap()[..], b"null");
        let id = call.properties().unwrap().correlation_id;
        assert!(matches!(id, Some(MessageId::Uuid(_))));
        for status in [Value::Int(-3), Value::Long(-3), Value::Byte(-3)] {
            let found = answer(&answered(id.clone(), status), &nonce).unwrap();
            let payload = Bytes::from_static(b"{}");
            assert_eq!(found, Some((5, MethodAnswer { status: -3, payload })));
        }
    }

    #[test]
    fn answers_to_other_calls_are_nobodys_and_malformed_ones_are_errors() {
        let (own, other) = (nonce(), nonce());
        let id = Message::split(&render(&request(), &other)).unwrap().properties().unwrap();
        let ok = Value::Int(200);
        assert!(matches!(answer(&answered(id.correlation_id, ok.clone()), &own), Ok(None)));
        let short = Some(MessageId::Binary(Bytes::from_static(b"x")));
        assert!(matches!(answer(&answered(short, ok.clone()), &own), Ok(None)));
        assert!(answer(&answered(None, ok.clone()), &own).is_err());
        assert!(answer(&answered(Some(MessageId::String("5".into())), ok), &own).is_err());
        let uuid = || Some(MessageId::Uuid([0; 16]));
        for status in [Value::string("200"), Value::Null, Value::Long(1 << 40)] {
            assert!(answer(&answered(uuid(), status), &own).is_err());
        }
    }
}
