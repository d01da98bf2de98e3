use proptest::prelude::*;

use super::*;
use crate::amqp::codec::{Symbol, Text};

fn sample() -> MessageBuilder {
    MessageBuilder::default()
        .header(true, 1)
        .delivery_annotations(|map| {
            map.symbol("d").long(1);
        })
        .message_annotations(|map| {
            map.symbol("x-opt-offset").text("12").symbol("x-opt-enqueued-time").timestamp(7);
        })
        .properties(&Properties {
            message_id: Some(MessageId::Uuid([7; 16])),
            correlation_id: Some(MessageId::Ulong(0)),
            content_type: Some(Symbol::from_static("application/json")),
            to: Some(Text::from_static("/devices/d")),
            ..Properties::default()
        })
        .application_properties(|map| {
            map.text("k").text("v").text("null").null();
        })
}

#[test]
fn what_is_built_is_found_again() {
    let bytes = sample().data(b"hello ").data(&[b'x'; 300]).finish();
    let message = Message::split(&bytes).expect("splits");
    assert_eq!(message.body().bytes().expect("data").len(), 306);
    let annotations = message.message_annotations().expect("annotations");
    assert_eq!(annotations.text("x-opt-offset"), Some("12"));
    assert_eq!(annotations.get("x-opt-enqueued-time"), Some(&Value::Timestamp(7)));
    assert_eq!(message.delivery_annotations().expect("map").get("d"), Some(&Value::Long(1)));
    let properties = message.properties().expect("properties");
    assert_eq!(properties.message_id, Some(MessageId::Uuid([7; 16])));
    assert_eq!(properties.correlation_id, Some(MessageId::Ulong(0)));
    assert_eq!(properties.to, Some(Text::from_static("/devices/d")));
    let application = message.application_properties().expect("application properties");
    assert_eq!(application.text("k"), Some("v"));
    assert_eq!(application.get("null"), Some(&Value::Null));
}

#[test]
fn one_data_section_is_a_slice_of_the_message() {
    let bytes = sample().data(b"hello").finish();
    let body = Message::split(&bytes).expect("splits").body().bytes().expect("data");
    assert_eq!(body.as_ptr(), bytes[bytes.len() - 5..].as_ptr());
}

#[test]
fn properties_are_written_with_all_thirteen_fields() {
    let bytes = MessageBuilder::default().properties(&Properties::default()).finish();
    assert_eq!(bytes[..4], [0x00, 0x53, 0x73, 0xd0]);
    assert_eq!(bytes[8..12], [0, 0, 0, 13]);
}

#[test]
fn a_value_body_is_text_or_value() {
    let bytes = MessageBuilder::default().value(&Value::string("token")).finish();
    let message = Message::split(&bytes).expect("splits");
    assert_eq!(message.body().value(), Ok(Value::string("token")));
    assert_eq!(message.body().bytes(), Ok(Bytes::from_static(b"token")));
}

#[test]
fn bodies_of_two_kinds_and_repeated_sections_are_refused() {
    let mixed = MessageBuilder::default().data(b"x").value(&Value::Null).finish();
    assert!(Message::split(&mixed).is_err());
    let twice = sample().properties(&Properties::default()).finish();
    assert!(Message::split(&twice).is_err());
    assert!(Message::split(&Bytes::from_static(&[0x00, 0x53, 0x99, 0x40])).is_err());
}

#[test]
fn an_empty_message_has_nothing() {
    let message = Message::split(&Bytes::new()).expect("splits");
    assert_eq!(message, Message::default());
    assert_eq!(message.body().bytes(), Ok(Bytes::new()));
    assert_eq!(message.properties(), Ok(Properties::default()));
}

proptest! {
    #[test]
    fn no_bytes_make_split_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        if let Ok(message) = Message::split(&bytes) {
            let _ = message.properties();
            let _ = message.application_properties();
            let _ = message.message_annotations();
            let _ = message.body().bytes();
        }
    }
}
