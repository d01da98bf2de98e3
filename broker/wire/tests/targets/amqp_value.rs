//! AMQP values, messages and performatives: reading does not panic, and what was read, written again, reads the same.

use bytes::{Bytes, BytesMut};
use ironhub_wire::amqp::Message;
use ironhub_wire::amqp::codec::{Decoder, Value, put_value};
use ironhub_wire::amqp::performative::Performative;
use ironhub_wire::amqp::sasl::SaslFrame;

/// The input as each of them.
pub fn run(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    value(&bytes);
    message(&bytes);
    performative(&bytes);
    if let Ok(frame) = SaslFrame::decode(&bytes) {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        assert_eq!(SaslFrame::decode(&out.freeze()), Ok(frame));
    }
}

fn value(bytes: &Bytes) {
    let mut decoder = Decoder::new(bytes);
    let Ok(value) = decoder.value() else { return };
    let mut raw = Decoder::new(bytes);
    assert_eq!(raw.raw().map(|raw| raw.len()), Ok(decoder.position()), "raw goes as far");
    // Bytes are compared, not values: a float that is no number equals nothing.
    let written = written(&value);
    let again = Decoder::new(&written).value().expect("what we write can be read");
    assert_eq!(self::written(&again), written);
}

fn written(value: &Value) -> Bytes {
    let mut out = BytesMut::new();
    put_value(&mut out, value);
    out.freeze()
}

fn message(bytes: &Bytes) {
    let Ok(message) = Message::split(bytes) else { return };
    if let Ok(body) = message.body().bytes() {
        assert!(body.len() <= bytes.len());
    }
    assert!(message.metadata_bytes() <= bytes.len());
    drop(message.properties());
    drop(message.application_properties());
    drop(message.message_annotations());
    drop(message.delivery_annotations());
}

fn performative(bytes: &Bytes) {
    let Ok((performative, payload)) = Performative::decode(bytes) else { return };
    let write = |performative: &Performative| {
        let mut out = BytesMut::new();
        performative.encode(&mut out);
        out.extend_from_slice(&payload);
        out.freeze()
    };
    let written = write(&performative);
    let (again, rest) = Performative::decode(&written).expect("what we write can be read");
    assert_eq!(rest, payload);
    assert_eq!(write(&again), written);
}
