//! The AMQP listener of the running hub: bad input costs its sender at most the connection and disturbs nobody else.

use std::time::{SystemTime, UNIX_EPOCH};

use ironhub_wire::amqp::performative::{Begin, Detach, Flow, Performative};
use ironhub_wire::amqp::{Role, Value};

use crate::amqp_client::{Amqp, entity, owner_token};
use crate::https::secured;
use crate::mqtt_client::{Device, Mqtt, wait_for_stored};
use crate::support::Hub;

/// A device and a receiver of all that it sends: the good citizens beside the bad ones.
struct Bystanders {
    device: Device,
    publisher: Mqtt,
    receiver: Amqp,
    sent: u16,
}

impl Bystanders {
    fn new(hub: &Hub) -> Self {
        let device = Device::create(hub, "bystander");
        let mut receiver = Amqp::open_owner(hub);
        for partition in 0..4 {
            receiver.receive(10 + partition, hub, &partition.to_string());
            receiver.grant(10 + partition, 0, 10_000);
        }
        let publisher = Mqtt::open(hub, &device.connect());
        Self { device, publisher, receiver, sent: 0 }
    }

    /// One more message goes from end to end.
    fn check(&mut self) {
        self.sent += 1;
        self.publisher.send(&self.device.publish(self.sent, b"still here"));
        assert_eq!(self.publisher.read(4)[..2], [0x40, 2]);
        let is_event = |p: &Performative| matches!(p, Performative::Transfer(t) if t.handle >= 10);
        self.receiver.expect(is_event);
    }
}

#[test]
fn bad_bytes_end_their_own_connection_only() {
    let hub = Hub::start(&[]);
    let mut bystanders = Bystanders::new(&hub);
    let oversize = [0, 1, 0, 1, 2, 0, 0, 0];
    let endless = [0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0];
    let short = [0, 0, 0, 4, 2, 0, 0, 0];
    let no_body = [0, 0, 0, 9, 9, 0, 0, 0, 0];
    let unknown_type = [0, 0, 0, 8, 2, 7, 0, 0];
    let sasl_late = [0, 0, 0, 12, 2, 1, 0, 0, 0, 0x53, 0x41, 0x45];
    let garbage = [0, 0, 0, 12, 2, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef];
    let nested = [&[0, 0, 0x10, 0, 2, 0, 0, 0][..], &[0; 0x1000 - 8]].concat();
    let (framing, decode) = ("close amqp:connection:framing-error", "close amqp:decode-error");
    for (bytes, expected) in [
        (&oversize[..], framing),
        (&endless, framing),
        (&short, framing),
        (&no_body, framing),
        (&unknown_type, framing),
        (&sasl_late, framing),
        (&garbage, decode),
        (&nested, decode),
    ] {
        for mut client in [Amqp::open(&hub), Amqp::open_owner(&hub)] {
            client.send(bytes);
            assert_eq!(client.fault(), expected, "{:02x?}", &bytes[..8]);
            client.ended();
        }
        bystanders.check();
    }
}

#[test]
fn what_is_no_amqp_is_answered_with_our_header_and_closed() {
    use std::io::{Read, Write};
    let hub = Hub::start(&[]);
    for first in [&b"GET / HTTP/1.1\r\n"[..], b"AMQP\x02\x01\x00\x00", b"AMQP\x00\x00\x09\x01"] {
        let mut stream = secured(&hub, "amqps");
        stream.write_all(first).expect("the hub takes it");
        let mut answer = Vec::new();
        // How a stream ends says nothing; that it does, does.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"AMQP\x03\x01\x00\x00");
    }
    Bystanders::new(&hub).check();
}

#[test]
fn frames_out_of_state_end_what_they_break() {
    let hub = Hub::start(&[]);
    let mut bystanders = Bystanders::new(&hub);
    let flow = Flow { handle: Some(99), ..Flow::default() };
    let detach = Detach { handle: 99, ..Detach::default() };
    for (channel, frame, expected) in [
        (0, Performative::Open(Box::default()), "close amqp:not-allowed"),
        (0, Performative::Begin(Box::default()), "close amqp:not-allowed"),
        (7, Performative::End(Default::default()), "close amqp:not-allowed"),
        (7, Performative::Attach(Box::default()), "close amqp:not-allowed"),
        (5000, Performative::Begin(Box::<Begin>::default()), "close amqp:connection:framing-error"),
        (0, Performative::Flow(flow), "end amqp:session:unattached-handle"),
        (0, Performative::Detach(detach), "end amqp:session:unattached-handle"),
        (0, Performative::Transfer(Default::default()), "end amqp:session:unattached-handle"),
    ] {
        let mut client = Amqp::open(&hub);
        client.write(channel, &frame, b"");
        assert_eq!(client.fault(), expected, "{frame:?}");
        bystanders.check();
    }
}

#[test]
fn links_to_what_does_not_exist_are_refused_and_the_connection_lives() {
    let hub = Hub::start(&["--events-consumer-groups", "analytics"]);
    let mut client = Amqp::open_owner(&hub);
    let entity = entity(&hub);
    let mut handle = 2;
    for (rest, selector, expected) in [
        ("nobody/Partitions/0", None, "detach amqp:not-found"),
        ("$Default/Partitions/4", None, "detach com.microsoft:argument-error"),
        ("$Default/Partitions/x", None, "detach com.microsoft:argument-error"),
        ("$Default/Partitions/0", Some("color = 'red'"), "detach com.microsoft:argument-error"),
        (
            "analytics/Partitions/0",
            Some("amqp.annotation.x-opt-sequence-number > '77'"),
            "detach com.microsoft:argument-error",
        ),
        (
            "analytics/Partitions/0",
            Some("amqp.annotation.x-opt-offset > '77'"),
            "detach com.microsoft:argument-error",
        ),
    ] {
        let address = format!("{entity}/ConsumerGroups/{rest}");
        client.attach(handle, Role::Receiver, &address, selector);
        assert_eq!(client.fault(), expected, "{rest} {selector:?}");
        handle += 1;
    }
    for address in ["/messages/elsewhere", "elsewhere/ConsumerGroups/$Default/Partitions/0", ""] {
        client.attach(handle, Role::Receiver, address, None);
        assert_eq!(client.fault(), "detach amqp:not-found", "{address}");
        handle += 1;
    }
    client.attach(handle, Role::Receiver, "/messages/devicebound", None);
    assert_eq!(client.fault(), "detach amqp:unauthorized-access", "its token is for the events");
    handle += 1;
    let address = format!("amqps://localhost:5671/{entity}/CONSUMERGROUPS/Analytics/partitions/3");
    client.attach(handle, Role::Receiver, &address, None);
    client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == handle));
    assert_eq!(client.put(&owner_token(&hub, crate::https::FAR_FUTURE)), 200);
}

#[test]
fn wrong_and_expired_tokens_open_nothing() {
    let hub = Hub::start(&[]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut client = Amqp::open(&hub);
    client.open_cbs();
    let expired = owner_token(&hub, now - 3600);
    let forged = owner_token(&hub, now + 3600).replace("sig=", "sig=A");
    for bad in [expired.as_str(), &forged, "", "SharedAccessSignature sr=x", &"x".repeat(40_000)] {
        assert_eq!(client.put(bad), 401, "{bad:.100}");
        client.receive(2, &hub, "0");
        assert_eq!(client.fault(), "detach amqp:unauthorized-access");
        let detach = Detach { handle: 2, closed: true, error: None };
        client.write(0, &Performative::Detach(detach), b"");
    }
    assert_eq!(client.put(&owner_token(&hub, now + 3600)), 200);
    client.receive(2, &hub, "0");
    client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2 && a.source.is_some()));
}

#[test]
fn a_connection_without_a_token_is_closed() {
    let hub = Hub::start(&["--limits-handshake-seconds", "1"]);
    let mut client = Amqp::open(&hub);
    assert_eq!(client.fault(), "close amqp:unauthorized-access");
    client.ended();
}

#[test]
fn consumers_that_grant_no_credit_or_do_not_read_hold_nobody_up() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "talker");
    let mut publisher = Mqtt::open(&hub, &device.connect());
    let count = 300;
    for id in 1..=count {
        publisher.send(&device.publish(id, &[b'x'; 50_000]));
        publisher.read(4);
    }
    wait_for_stored(&hub, u64::from(count));
    // Two that grant nothing and two that grant everything and never read, on each partition.
    let bad: Vec<Amqp> = (0..4)
        .map(|n| {
            let mut client = Amqp::open_owner(&hub);
            for partition in 0..4 {
                client.receive(10 + partition, &hub, &partition.to_string());
                if n % 2 == 1 {
                    client.grant(10 + partition, 0, 1_000_000);
                }
            }
            client
        })
        .collect();
    let mut bystanders = Bystanders::new(&hub);
    let is_event = |p: &Performative| matches!(p, Performative::Transfer(t) if t.handle >= 10);
    for n in 0..i64::from(count) {
        let (_, payload) = bystanders.receiver.expect(is_event);
        let message = ironhub_wire::amqp::Message::split(&payload).expect("a message");
        let annotations = message.message_annotations().expect("annotations");
        let sequence = annotations.get("x-opt-sequence-number").and_then(Value::as_integer);
        assert_eq!(sequence, Some(n));
    }
    bystanders.check();
    drop(bad);
}
