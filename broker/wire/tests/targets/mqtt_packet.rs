//! MQTT bytes of a connection: framing does not depend on how the bytes arrive, decoding does not panic, and what was
//! decoded is a part of what was sent.

use bytes::{Bytes, BytesMut};
use ironhub_wire::mqtt::decode::decode;
use ironhub_wire::mqtt::encode;
use ironhub_wire::mqtt::framer::{Frame, FrameError, Step, next_frame, packet_size};
use ironhub_wire::mqtt::hub_topic::{subscription, telemetry};
use ironhub_wire::mqtt::packet::{Packet, Publish};
use ironhub_wire::mqtt::{property_bag, username};

const LIMIT: usize = 4096;

/// The first byte says how the rest is cut.
pub fn run(data: &[u8]) {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let (frames, end) = frames(bytes, bytes.len().max(1));
    assert_eq!(self::frames(bytes, usize::from(cut).max(1)), (frames.clone(), end));
    let cut: usize = frames.iter().map(|frame| frame.body.len()).sum();
    assert!(cut <= bytes.len(), "more came out than went in");
    for frame in &frames {
        if let Ok(packet) = decode(frame) {
            look_into(frame, &packet);
        }
    }
}

fn frames(bytes: &[u8], piece: usize) -> (Vec<Frame>, Result<usize, FrameError>) {
    let mut frames = Vec::new();
    let mut buffer = BytesMut::new();
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        let mut input = buffer.split().freeze();
        loop {
            let size = packet_size(&input, LIMIT);
            let before = input.len();
            match next_frame(&mut input, LIMIT) {
                Ok(Step::Item(frame)) => {
                    assert_eq!(size, Ok(Step::Item(before - input.len())));
                    frames.push(frame);
                }
                Ok(Step::NeedMore) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
        buffer.extend_from_slice(&input);
    }
    (frames, Ok(buffer.len()))
}

fn look_into(frame: &Frame, packet: &Packet<'_>) {
    match packet {
        Packet::Connect(connect) => {
            let names = connect.username.map(|name| username::parse(name, connect.client_id));
            if let Some(Ok(name)) = names {
                assert!(connect.client_id.starts_with(name.device));
            }
        }
        Packet::Publish(publish) => {
            assert_eq!(written(publish), frame.body);
            if let Some(topic) = telemetry(publish.topic) {
                assert!(publish.topic.ends_with(topic.bag));
                property_bag::pairs(topic.bag).for_each(drop);
            }
        }
        Packet::Subscribe { filters, .. } | Packet::Unsubscribe { filters, .. } => {
            assert!(filters.clone().count() > 0);
            for (filter, _) in filters.clone() {
                assert!(!filter.is_empty());
                drop(subscription(filter, "dev1", None));
                drop(subscription(filter, "dev1", Some("mod1")));
            }
        }
        Packet::OtherVersion(_) | Packet::Puback(_) | Packet::Pingreq | Packet::Disconnect => {}
    }
}

/// The body as our encoder writes it: the header's length may have been spelled longer, so it is left out.
fn written(publish: &Publish<'_>) -> Bytes {
    let Publish { dup, retain, delivery, topic, payload } = publish;
    let mut out = Vec::new();
    encode::publish_header(&mut out, topic, *delivery, *dup, *retain, payload.len()).unwrap();
    out.extend_from_slice(payload);
    let mut out = Bytes::from(out);
    let Ok(Step::Item(frame)) = next_frame(&mut out, LIMIT + 8) else { panic!("cannot read it") };
    frame.body
}
