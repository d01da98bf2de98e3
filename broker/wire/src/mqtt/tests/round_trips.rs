//! Random packets, written by the client of [`super::client`], come back as they were; any bytes give frames that do
//! not depend on how they were cut.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::client;
use crate::mqtt::decode::decode;
use crate::mqtt::encode;
use crate::mqtt::framer::{Frame, FrameError, PACKET_BYTES_MAX, Step, next_frame};
use crate::mqtt::packet::{Connect, Delivery, Packet, PacketId, Publish, QoS, Will};

fn read(bytes: Vec<u8>, check: impl FnOnce(Packet<'_>)) {
    let mut buffer = Bytes::from(bytes);
    let Ok(Step::Item(frame)) = next_frame(&mut buffer, PACKET_BYTES_MAX) else {
        panic!("no frame")
    };
    assert!(buffer.is_empty());
    check(decode(&frame).unwrap());
}

/// All frames of `bytes` when they arrive in the pieces that `cuts` says, and how it ends.
fn frames(bytes: &[u8], cuts: &[usize]) -> (Vec<Frame>, Result<usize, FrameError>) {
    let mut frames = Vec::new();
    let mut buffer = BytesMut::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        buffer.extend_from_slice(&bytes[from..to]);
        from = to;
        let mut input = buffer.split().freeze();
        loop {
            match next_frame(&mut input, 300) {
                Ok(Step::Item(frame)) => frames.push(frame),
                Ok(Step::NeedMore) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
        buffer.extend_from_slice(&input);
    }
    (frames, Ok(buffer.len()))
}

fn check_cuts(bytes: &[u8]) {
    let whole = frames(bytes, &[]);
    for cut in 0..=bytes.len() {
        assert_eq!(frames(bytes, &[cut]), whole, "cut at {cut}");
    }
    let each: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(frames(bytes, &each), whole, "cut at each byte");
}

#[test]
fn every_split_of_the_input_gives_the_same_frames() {
    let filters = [("devices/d/messages/devicebound/#".to_owned(), 1)];
    let mut bytes =
        client::connect(true, 60, "d", None, Some("h/d"), Some(b"SharedAccessSignature"));
    bytes.extend(client::subscribe(1, &filters));
    bytes.extend(client::publish("devices/d/messages/events/", 2, 1, false, false, &[7; 200]));
    bytes.extend([0xc0, 0]);
    bytes.extend(client::publish("devices/d/messages/events/a=b", 0, 0, false, true, b""));
    bytes.extend([0xe0, 0]);
    let (frames, end) = frames(&bytes, &[]);
    assert_eq!((frames.len(), end), (6, Ok(0)));
    check_cuts(&bytes);
    bytes.extend([0x30, 0x05, 0, 1]);
    check_cuts(&bytes);
    bytes.extend([b't', b'x', b'y', 0x10, 0xff, 0xff]);
    check_cuts(&bytes);
}

fn text() -> impl Strategy<Value = String> {
    "[^\u{0}]{0,40}"
}

fn topic() -> impl Strategy<Value = String> {
    "[^\u{0}]{1,40}"
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_frames_however_they_are_cut(
        bytes in vec(prop_oneof![Just(0u8), Just(2), Just(0x30), Just(0x82), any::<u8>()], 0..60)
    ) {
        check_cuts(&bytes);
    }

    #[test]
    fn connects_come_back(
        clean in any::<bool>(), keep_alive in any::<u16>(), client_id in text(),
        will in option::of((topic(), vec(any::<u8>(), 0..40), 0u8..3, any::<bool>())),
        login in option::of((text(), option::of(vec(any::<u8>(), 0..40)))),
    ) {
        let username = login.as_ref().map(|(username, _)| username.as_str());
        let password = login.as_ref().and_then(|(_, password)| password.as_deref());
        let bytes = client::connect(clean, keep_alive, &client_id, will.as_ref(), username, password);
        let will = will.as_ref().map(|(topic, message, qos, retain)| Will {
            topic,
            payload: message.clone().into(),
            qos: QoS::from_bits(*qos).unwrap(),
            retain: *retain,
        });
        let client_id = client_id.as_str();
        let connect = Connect { clean_session: clean, keep_alive, client_id, will, username, password };
        read(bytes, |packet| assert_eq!(packet, Packet::Connect(connect)));
    }

    #[test]
    fn publishes_come_back_and_are_written_the_same(
        topic in topic(), id in 1u16.., qos in 0u8..3, dup in any::<bool>(), retain in any::<bool>(),
        payload in vec(any::<u8>(), 0..500),
    ) {
        let dup = dup && 0 < qos;
        let id_given = PacketId::new(id).unwrap();
        let delivery = match qos {
            0 => Delivery::AtMostOnce,
            1 => Delivery::AtLeastOnce(id_given),
            _ => Delivery::ExactlyOnce(id_given),
        };
        let bytes = client::publish(&topic, id, qos, dup, retain, &payload);
        let mut written = Vec::new();
        encode::publish_header(&mut written, &topic, delivery, dup, retain, payload.len()).unwrap();
        written.extend_from_slice(&payload);
        assert_eq!(written, bytes);
        let publish = Publish { dup, retain, delivery, topic: &topic, payload: payload.into() };
        read(bytes, |packet| assert_eq!(packet, Packet::Publish(publish)));
    }

    #[test]
    fn subscriptions_come_back(id in 1u16.., filters in vec((topic(), 0u8..3), 1..10)) {
        read(client::subscribe(id, &filters), |packet| {
            let Packet::Subscribe { id: given, filters: read } = packet else { panic!("{packet:?}") };
            assert_eq!(given.get(), id);
            let read: Vec<_> = read.map(|(filter, qos)| (filter.to_owned(), qos.bits())).collect();
            assert_eq!(read, filters);
        });
        let names: Vec<String> = filters.iter().map(|(filter, _)| filter.clone()).collect();
        read(client::unsubscribe(id, &names), |packet| {
            let Packet::Unsubscribe { id: given, filters } = packet else { panic!("{packet:?}") };
            assert_eq!(given.get(), id);
            assert_eq!(filters.map(|(filter, _)| filter.to_owned()).collect::<Vec<_>>(), names);
        });
    }
}
