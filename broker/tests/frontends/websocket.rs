//! MQTT and AMQP over WebSocket, on the running hub's HTTPS listener, without a WebSocket library.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use ironhub_wire::amqp::frame::AMQP_HEADER;
use rustls::{ClientConnection, StreamOwned};

use crate::https::secured;
use crate::mqtt_client::{ACCEPTED, Device, counter, wait_for_stored};
use crate::packets;
use crate::support::{Hub, wait_for};

const MASK: [u8; 4] = [0x1f, 0x8b, 0x00, 0xff];

struct WebSocket {
    stream: StreamOwned<ClientConnection, TcpStream>,
    /// Bytes of data frames that nobody has taken.
    data: Vec<u8>,
}

/// A frame of a client with a payload of any length.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => out.push(0x80 | length as u8),
        Ok(length) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

fn handshake(path: &str, subprotocol: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: {subprotocol}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
}

impl WebSocket {
    /// Sends the handshake and, without waiting for its answer, these bytes. Returns the answer's head.
    fn dial(hub: &Hub, handshake: &str, early: &[u8]) -> (Self, String) {
        let stream = secured(hub, "https");
        let mut client = Self { stream, data: Vec::new() };
        client.send(&[handshake.as_bytes(), early].concat());
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        (client, String::from_utf8(head).expect("text"))
    }

    fn open(hub: &Hub, subprotocol: &str, early: &[u8]) -> Self {
        let (client, head) = Self::dial(hub, &handshake("/$iothub/websocket", subprotocol), early);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let echo = format!("sec-websocket-protocol: {subprotocol}\r\n");
        assert!(head.contains(&echo) && !head.contains("extensions"), "{head}");
        client
    }

    /// Connects a device and is let in.
    fn device(hub: &Hub, device: &Device) -> Self {
        let mut client = Self::open(hub, "mqtt", b"");
        client.send(&frame(0x82, &device.connect()));
        assert_eq!(client.read(4), ACCEPTED);
        client
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the hub takes it");
        self.stream.flush().expect("the hub takes it");
    }

    /// The next frame of the hub: its first byte and payload; `None` at the end of the connection.
    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length).expect("a length");
                usize::from(u16::from_be_bytes(length))
            }
            length @ 0..126 => usize::from(length),
            length => panic!("length {length:#x} of a hub's frame"),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).expect("a payload");
        Some((head[0], payload))
    }

    /// The next bytes of the stream inside.
    fn read(&mut self, count: usize) -> Vec<u8> {
        while self.data.len() < count {
            match self.next() {
                Some((0x82, payload)) => self.data.extend(payload),
                other => panic!("{other:02x?} instead of data"),
            }
        }
        self.data.drain(..count).collect()
    }
}

#[test]
fn mqtt_packets_may_be_cut_and_joined_at_will() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "ws-1");
    let mut client = WebSocket::open(&hub, "MQTT", b"");
    let large = vec![7; 262_144];
    let publish = |id, body: &[u8]| packets::publish(&device.topic(), id, 1, false, false, body);
    // A byte per frame; then several packets in a frame, in parts, with pings between; then one of the largest.
    for byte in device.connect() {
        client.send(&frame(0x82, &[byte]));
    }
    assert_eq!(client.read(4), ACCEPTED);
    let packets = [publish(1, b"one"), publish(2, b"two"), publish(3, b"three")].concat();
    let (first, rest) = packets.split_at(packets.len() / 2);
    client.send(&[frame(0x02, first), frame(0x89, b"?"), frame(0x80, rest)].concat());
    let (mut acks, mut pongs) = (Vec::new(), 0);
    while acks.len() < 12 || pongs == 0 {
        match client.next() {
            Some((0x82, payload)) => acks.extend(payload),
            Some((0x8a, payload)) if payload == b"?" => pongs += 1,
            other => panic!("{other:02x?}"),
        }
    }
    assert_eq!(acks, [0x40, 2, 0, 1, 0x40, 2, 0, 2, 0x40, 2, 0, 3]);
    client.send(&frame(0x82, &publish(4, &large)));
    assert_eq!(client.read(4), [0x40, 2, 0, 4]);
    wait_for_stored(&hub, 4);
    // DISCONNECT, then the close of both layers.
    client.send(&frame(0x82, b"\xe0\x00"));
    assert_eq!(client.next(), Some((0x88, vec![0x03, 0xe8])));
    assert_eq!(client.next(), None);
}

#[test]
fn who_does_not_wait_for_the_answer_is_served_too() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "ws-2");
    let mut client = WebSocket::open(&hub, "mqtt", &frame(0x82, &device.connect()));
    assert_eq!(client.read(4), ACCEPTED);
}

#[test]
fn amqp_is_served_on_both_endpoints() {
    let hub = Hub::start(&[]);
    for path in ["/$iothub/websocket?iothub-no-client-cert=true", "/%24servicebus/websocket/"] {
        let (mut client, head) = WebSocket::dial(&hub, &handshake(path, "AMQPWSB10"), b"");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let (first, rest) = AMQP_HEADER.split_at(3);
        client.send(&[frame(0x02, first), frame(0x80, rest)].concat());
        assert_eq!(client.read(8), AMQP_HEADER);
    }
}

#[test]
fn a_connection_keeps_its_place_until_it_ends() {
    let hub = Hub::start(&["--limits-connections", "3"]);
    let device = Device::create(&hub, "ws-3");
    let mut first = WebSocket::device(&hub, &device);
    let second = WebSocket::open(&hub, "AMQPWSB10", b"");
    // The third place is for the admin listener, which is refused too while the others are there.
    let refused =
        |line: &str| line.starts_with("ironhub_connections_refused_total") && !line.ends_with(" 0");
    wait_for("a connection too many", || {
        let third = TcpStream::connect(hub.address("mqtt")).expect("a connection");
        let fourth = TcpStream::connect(hub.address("mqtt")).expect("a connection");
        drop((third, fourth));
        hub.admin("/metrics").ok().filter(|metrics| metrics.lines().any(refused))
    });
    drop(second);
    first.send(&frame(0x82, &device.publish(1, b"still here")));
    assert_eq!(first.read(4), [0x40, 2, 0, 1]);
}

#[test]
fn what_breaks_the_protocol_costs_its_sender_the_connection_only() {
    let hub = Hub::start(&[]);
    let (good, bad) = (Device::create(&hub, "good"), Device::create(&hub, "bad"));
    let mut bystander = WebSocket::device(&hub, &good);
    let unmasked = b"\x82\x02\xc0\x00".to_vec();
    let endless = b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec();
    for (number, (bytes, code)) in [
        (frame(0x81, b"text"), 1003_u16),
        (unmasked, 1002),
        (endless, 1002),
        (frame(0x80, b"\xc0\x00"), 1002),
        (frame(0xc2, b"\xc0\x00"), 1002),
        (frame(0x89, &[0; 126]), 1002),
        (frame(0x88, b"\x00\x00"), 1002),
        (frame(0x88, b"\x0f\xa1own words"), 4001),
    ]
    .into_iter()
    .enumerate()
    {
        for connected in [false, true] {
            let mut client = match connected {
                true => WebSocket::device(&hub, &bad),
                false => WebSocket::open(&hub, "mqtt", b""),
            };
            client.send(&bytes);
            let close = Some((0x88, code.to_be_bytes().to_vec()));
            assert_eq!(client.next(), close, "{:02x?} connected: {connected}", &bytes[..6]);
            assert_eq!(client.next(), None);
        }
        let id = number as u16 + 1;
        bystander.send(&frame(0x82, &good.publish(id, b"still here")));
        assert_eq!(bystander.read(4), [&[0x40, 2][..], &id.to_be_bytes()].concat());
    }
    wait_for("the sessions to end", || {
        (counter(&hub, "ironhub_mqtt_closed_total") == 8).then_some(())
    });
}

#[test]
fn handshakes_that_lead_nowhere_are_answered_and_http_goes_on() {
    let hub = Hub::start(&[]);
    let good = handshake("/$iothub/websocket", "mqtt");
    for (request, status) in [
        (handshake("/$iothub/elsewhere", "mqtt"), 404),
        (handshake("/$iothub/websocket", "soap"), 400),
        (good.replace("Sec-WebSocket-Protocol", "X-Nothing"), 400),
        (good.replace("Version: 13", "Version: 8"), 426),
        (good.replace("Upgrade: websocket\r\n", ""), 426),
        (good.replace("GET", "PUT"), 405),
    ] {
        let (mut client, head) = WebSocket::dial(&hub, &request, b"");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.expect("a length").parse().expect("a number")];
        client.stream.read_exact(&mut body).expect("a body");
        client.send(good.as_bytes());
        let mut status = [0; 12];
        client.stream.read_exact(&mut status).expect("another answer");
        assert_eq!(&status, b"HTTP/1.1 101", "{request}");
    }
}
