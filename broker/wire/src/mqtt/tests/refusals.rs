//! Input that must be refused, and when.

use bytes::Bytes;

use super::bytes::bytes;
use super::client;
use crate::mqtt::decode::{DecodeError, decode};
use crate::mqtt::framer::{FrameError, Step, next_frame, packet_size};

const LIMIT: usize = 300;

fn check_frame(script: &str, expected: FrameError) {
    let bytes = Bytes::from(bytes(script));
    assert_eq!(packet_size(&bytes, LIMIT), Err(expected), "{script}");
    let mut buffer = bytes.clone();
    assert_eq!(next_frame(&mut buffer, LIMIT), Err(expected), "{script}");
    assert_eq!(buffer, bytes, "{script}: buffer was touched");
}

#[test]
fn a_wrong_first_byte_is_refused_before_anything_else_arrives() {
    for first in ["0", "2", "5", "6", "7", "9", "b", "d", "f"] {
        let kind = u8::from_str_radix(first, 16).unwrap();
        check_frame(&format!("{first}0"), FrameError::Type(kind));
    }
    for (kind, flags) in [(1, 1), (1, 6), (4, 7), (8, 0), (8, 3), (10, 0), (12, 8), (14, 1)] {
        check_frame(&format!("{:02x}", kind << 4 | flags), FrameError::Flags { kind, flags });
    }
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_body_arrives() {
    check_frame("30 aa 02", FrameError::TooLarge { size: 301, max: LIMIT });
    check_frame("30 ff ff", FrameError::TooLarge { size: 16386, max: LIMIT });
    assert_eq!(packet_size(&bytes("30 a9 02"), LIMIT), Ok(Step::Item(300)));
}

#[test]
fn a_length_of_five_bytes_is_refused() {
    check_frame("30 80 80 80 80", FrameError::Length);
    check_frame("30 80 80 80 80 01", FrameError::Length);
}

fn check_decode(script: &str, expected: DecodeError) {
    let mut packet = client::packet(0, &[]);
    packet.clear();
    let (first, body) = script.split_once(' ').unwrap_or((script, ""));
    packet.extend(client::packet(u8::from_str_radix(first, 16).unwrap(), &bytes(body)));
    let mut buffer = packet.into();
    let Step::Item(frame) = next_frame(&mut buffer, LIMIT).unwrap() else { panic!("{script}") };
    assert_eq!(decode(&frame), Err(expected), "{script}");
}

#[test]
fn malformed_publishes() {
    check_decode("30", DecodeError::Truncated("topic"));
    check_decode("30 00", DecodeError::Truncated("topic"));
    check_decode("30 00 02 't'", DecodeError::Truncated("topic"));
    check_decode("30 00 00", DecodeError::EmptyTopic);
    check_decode("30 00 01 00", DecodeError::Text("topic"));
    check_decode("30 00 01 ff", DecodeError::Text("topic"));
    check_decode("30 00 03 ed a0 80", DecodeError::Text("topic"));
    check_decode("32 00 01 't'", DecodeError::Truncated("packet identifier"));
    check_decode("32 00 01 't' 00", DecodeError::Truncated("packet identifier"));
    check_decode("32 00 01 't' 00 00", DecodeError::PacketIdZero);
    check_decode("34 00 01 't' 00 00", DecodeError::PacketIdZero);
    check_decode("36 00 01 't' 00 01", DecodeError::QoS3);
    check_decode("38 00 01 't'", DecodeError::DupAtQoS0);
}

#[test]
fn malformed_connects() {
    check_decode("10", DecodeError::Truncated("protocol name"));
    check_decode("10 00 04 'HTTP' 04", DecodeError::ProtocolName);
    check_decode("10 00 04 'mqtt' 04", DecodeError::ProtocolName);
    check_decode("10 00 04 'MQTT'", DecodeError::Truncated("protocol level"));
    check_decode("10 00 04 'MQTT' 04", DecodeError::Truncated("connect flags"));
    check_decode("10 00 04 'MQTT' 04 02 00", DecodeError::Truncated("keep alive"));
    check_decode("10 00 04 'MQTT' 04 02 00 00", DecodeError::Truncated("client id"));
    check_decode("10 00 04 'MQTT' 04 02 00 00 00 01 80", DecodeError::Text("client id"));
    check_decode("10 00 04 'MQTT' 04 02 00 00 00 00 00", DecodeError::Trailing(1));
    check_decode("10 00 04 'MQTT' 04 04 00 00 00 00 00 00", DecodeError::EmptyTopic);
    check_decode(
        "10 00 04 'MQTT' 04 04 00 00 00 00 00 01 't' 00 02 'x'",
        DecodeError::Truncated("will message"),
    );
    check_decode("10 00 04 'MQTT' 04 c0 00 00 00 00 00 00", DecodeError::Truncated("password"));
    check_decode("10 00 04 'MQTT' 04 1c 00 00", DecodeError::QoS3);
    for flags in [0x01, 0x03, 0x08, 0x10, 0x20, 0x38, 0x40, 0x44] {
        let script = format!("10 00 04 'MQTT' 04 {flags:02x} 00 00 00 00");
        check_decode(&script, DecodeError::ConnectFlags(flags));
    }
}

#[test]
fn malformed_subscriptions() {
    check_decode("82 00 00 00 01 'a' 00", DecodeError::PacketIdZero);
    check_decode("82 00 01", DecodeError::NoFilter);
    check_decode("82 00 01 00 00 00", DecodeError::EmptyTopic);
    check_decode("82 00 01 00 01 'a'", DecodeError::Truncated("subscription options"));
    check_decode("82 00 01 00 01 'a' 03", DecodeError::QoS3);
    check_decode("82 00 01 00 01 'a' 04", DecodeError::SubscribeOptions(4));
    check_decode("82 00 01 00 01 'a' 00 00", DecodeError::Truncated("topic filter"));
    check_decode("82 00 01 00 01 'a' 00 00 01 ff 00", DecodeError::Text("topic filter"));
    check_decode("a2 00 01", DecodeError::NoFilter);
    check_decode("a2 00 00 00 01 'a'", DecodeError::PacketIdZero);
    check_decode("a2 00 01 00 00", DecodeError::EmptyTopic);
}

#[test]
fn short_packets_have_nothing_after_them() {
    check_decode("c0 00", DecodeError::Trailing(1));
    check_decode("e0 00", DecodeError::Trailing(1));
    check_decode("40 00", DecodeError::Truncated("packet identifier"));
    check_decode("40 00 00", DecodeError::PacketIdZero);
    check_decode("40 00 01 00", DecodeError::Trailing(1));
}
