//! Golden bytes: what arrives, what is written.

use super::bytes::bytes;
use crate::mqtt::decode::decode;
use crate::mqtt::encode::{self, ConnackCode};
use crate::mqtt::framer::{PACKET_BYTES_MAX, Step, next_frame};
use crate::mqtt::packet::{Connect, Delivery, OtherVersion, Packet, PacketId, Publish, QoS, Will};

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn check(script: &str, expected: &Packet<'_>) {
    let mut buffer = bytes(script).into();
    let Step::Item(frame) = next_frame(&mut buffer, PACKET_BYTES_MAX).unwrap() else {
        panic!("{script}: incomplete");
    };
    assert!(buffer.is_empty(), "{script}: {} bytes left", buffer.len());
    assert_eq!(decode(&frame).as_ref(), Ok(expected), "{script}");
}

#[test]
fn connect_of_a_plain_client() {
    check(
        "10 4a 00 04 'MQTT' 04 c2 00 f0 00 04 'dev1' 00 2c 'hub.example.net/dev1/?api-version=2021-04-12' 00 0a 'SharedAcce'",
        &Packet::Connect(Connect {
            clean_session: true,
            keep_alive: 240,
            client_id: "dev1",
            will: None,
            username: Some("hub.example.net/dev1/?api-version=2021-04-12"),
            password: Some(b"SharedAcce"),
        }),
    );
}

#[test]
fn connect_with_a_certificate_has_no_password() {
    check(
        "10 15 00 04 'MQTT' 04 80 00 3c 00 01 'd' 00 06 'host/d'",
        &Packet::Connect(Connect {
            clean_session: false,
            keep_alive: 60,
            client_id: "d",
            will: None,
            username: Some("host/d"),
            password: None,
        }),
    );
}

#[test]
fn connect_with_a_will_and_an_empty_client_id() {
    check(
        "10 13 00 04 'MQTT' 04 2c 00 00 00 00 00 01 't' 00 02 ff 00",
        &Packet::Connect(Connect {
            clean_session: false,
            keep_alive: 0,
            client_id: "",
            will: Some(Will {
                topic: "t",
                payload: bytes("ff 00").into(),
                qos: QoS::AtLeastOnce,
                retain: true,
            }),
            username: None,
            password: None,
        }),
    );
}

#[test]
fn connect_of_other_versions_is_told_apart_and_not_read_further() {
    let level = |level| Packet::OtherVersion(OtherVersion::Level(level));
    check("10 09 00 06 'MQIsdp' 03", &level(3));
    check("10 0c 00 04 'MQTT' 03 ff ff ff ff ff", &level(3));
    check("10 07 00 04 'MQTT' 84", &level(0x84));
    check("10 08 00 04 'MQTT' 05 c2", &Packet::OtherVersion(OtherVersion::Five));
}

#[test]
fn publish_of_each_delivery() {
    let publish = |dup, retain, delivery, topic, payload: &'static str| {
        Packet::Publish(Publish { dup, retain, delivery, topic, payload: payload.into() })
    };
    check("30 05 00 01 't' 'ab'", &publish(false, false, Delivery::AtMostOnce, "t", "ab"));
    check("31 03 00 01 't'", &publish(false, true, Delivery::AtMostOnce, "t", ""));
    check("32 05 00 01 't' 00 01", &publish(false, false, Delivery::AtLeastOnce(id(1)), "t", ""));
    check(
        "3b 06 00 01 't' ff ff 'x'",
        &publish(true, true, Delivery::AtLeastOnce(id(65535)), "t", "x"),
    );
    check(
        "34 06 00 01 't' 00 02 'x'",
        &publish(false, false, Delivery::ExactlyOnce(id(2)), "t", "x"),
    );
    check("30 07 00 05 'a/+/#'", &publish(false, false, Delivery::AtMostOnce, "a/+/#", ""));
}

#[test]
fn a_remaining_length_may_be_written_with_more_bytes_than_needed() {
    let ping = Packet::Pingreq;
    check("c0 00", &ping);
    check("c0 80 00", &ping);
    check("c0 80 80 80 00", &ping);
}

#[test]
fn short_packets() {
    check("40 02 00 07", &Packet::Puback(id(7)));
    check("e0 00", &Packet::Disconnect);
}

#[test]
fn filters_come_in_order() {
    let mut buffer = bytes("82 0b 00 09 00 01 'a' 01 00 02 'b#' 02").into();
    let Ok(Step::Item(frame)) = next_frame(&mut buffer, 100) else { panic!("no frame") };
    let Ok(Packet::Subscribe { id: given, filters }) = decode(&frame) else { panic!("no packet") };
    assert_eq!(given, id(9));
    let filters: Vec<_> = filters.collect();
    assert_eq!(filters, [("a", QoS::AtLeastOnce), ("b#", QoS::ExactlyOnce)]);

    let mut buffer = bytes("a2 08 00 09 00 01 'a' 00 01 'b'").into();
    let Ok(Step::Item(frame)) = next_frame(&mut buffer, 100) else { panic!("no frame") };
    let Ok(Packet::Unsubscribe { filters, .. }) = decode(&frame) else { panic!("no packet") };
    assert_eq!(filters.map(|(filter, _)| filter).collect::<Vec<_>>(), ["a", "b"]);
}

fn check_written(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(out, bytes(expected), "{expected}");
}

#[test]
fn answers_of_the_server() {
    check_written(|out| encode::connack(out, ConnackCode::Accepted, false), "20 02 00 00");
    check_written(|out| encode::connack(out, ConnackCode::Accepted, true), "20 02 01 00");
    check_written(
        |out| encode::connack(out, ConnackCode::UnacceptableProtocol, true),
        "20 02 00 01",
    );
    check_written(|out| encode::connack(out, ConnackCode::ServerUnavailable, false), "20 02 00 03");
    check_written(|out| encode::connack(out, ConnackCode::NotAuthorized, false), "20 02 00 05");
    check_written(encode::connack_v5_unsupported, "20 03 00 84 00");
    check_written(|out| encode::puback(out, id(0x1234)), "40 02 12 34");
    check_written(|out| encode::unsuback(out, id(1)), "b0 02 00 01");
    check_written(encode::pingresp, "d0 00");
    check_written(
        |out| encode::suback(out, id(5), &[Some(QoS::AtMostOnce), None, Some(QoS::AtLeastOnce)]),
        "90 05 00 05 00 80 01",
    );
}

#[test]
fn a_publish_that_does_not_fit_mqtt_is_not_written() {
    let mut out = Vec::new();
    let long = "t".repeat(65536);
    let written = encode::publish_header(&mut out, &long, Delivery::AtMostOnce, false, false, 0);
    assert_eq!(written, Err(encode::PublishTooLarge::Topic(65536)));
    let most = encode::REMAINING_LENGTH_MAX;
    let written = encode::publish_header(&mut out, "t", Delivery::AtMostOnce, false, false, most);
    assert_eq!(written, Err(encode::PublishTooLarge::Packet(most + 3)));
    assert_eq!(out, b"");
}
