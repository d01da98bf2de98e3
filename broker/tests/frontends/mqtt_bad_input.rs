//! Input that an MQTT client must not send: each is answered or closed, and disturbs nobody.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::https::{FAR_FUTURE, owner_token};
use crate::mqtt_client::{Device, Mqtt};
use crate::packets;
use crate::support::Hub;

const NOTHING: &[u8] = b"";
const NOT_AUTHORIZED: &[u8] = &[0x20, 2, 0, 5];

/// Sends `bytes` on a new connection; all that comes back until the hub closes it.
fn answer(hub: &Hub, bytes: &[u8]) -> Vec<u8> {
    let mut client = Mqtt::dial(hub);
    client.send(bytes);
    client.rest()
}

/// A session from before must still work after all.
fn check_alive(session: &mut Mqtt, device: &Device) {
    session.send(&device.publish(9, b"still here"));
    assert_eq!(session.read(4), [0x40, 2, 0, 9]);
}

#[test]
fn wrong_names_and_credentials_are_refused_with_code_5() {
    let hub = Hub::start(&[]);
    let (witness, device) = (Device::create(&hub, "witness"), Device::create(&hub, "dev1"));
    let mut session = Mqtt::open(&hub, &witness.connect());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let own = "localhost/devices/dev1";
    let good = device.token(own, FAR_FUTURE);
    let connect = |client_id: &str, name: &str, token: &str| {
        packets::connect(true, 60, client_id, None, Some(name), Some(token.as_bytes()))
    };
    let own_name = "localhost/dev1/?api-version=2021-04-12";
    let tampered = good.replace("sig=", "sig=A");
    let of_another_key = witness.token(own, FAR_FUTURE);
    let of_another = witness.token("localhost/devices/witness", FAR_FUTURE);
    let without_right = owner_token(&hub, "localhost", "no such policy", FAR_FUTURE);
    for (what, packet) in [
        ("unknown device", connect("nobody", "localhost/nobody", &good)),
        ("unknown module", connect("dev1/mod1", "localhost/dev1/mod1", &good)),
        ("no token", packets::connect(true, 60, "dev1", None, Some(own_name), None)),
        ("not a token", connect("dev1", own_name, "password")),
        (
            "token that is not text",
            packets::connect(true, 60, "dev1", None, Some(own_name), Some(&[0xff])),
        ),
        ("tampered signature", connect("dev1", own_name, &tampered)),
        ("expired token", connect("dev1", own_name, &device.token(own, now - 600))),
        ("token signed with another's key", connect("dev1", own_name, &of_another_key)),
        ("token of another device", connect("dev1", own_name, &of_another)),
        (
            "token for another hub",
            connect("dev1", own_name, &device.token("other/devices/dev1", FAR_FUTURE)),
        ),
        ("token of an unknown policy", connect("dev1", own_name, &without_right)),
        ("other hub in the user name", connect("dev1", "other/dev1", &good)),
        ("no user name", packets::connect(true, 60, "dev1", None, None, None)),
        ("user name of another device", connect("dev1", "localhost/witness", &good)),
        ("empty client id", connect("", "localhost/", &good)),
        ("client id out of the grammar", connect("a b", "localhost/a b", &good)),
    ] {
        assert_eq!(answer(&hub, &packet), NOT_AUTHORIZED, "{what}");
    }
    for topic in ["devices/witness/messages/events/", "t", "devices/dev1/messages/events/a=%ff"] {
        let will = (topic.to_owned(), b"gone".to_vec(), 1, false);
        let packet = device.connect_with(60, Some(&will));
        assert_eq!(answer(&hub, &packet), NOT_AUTHORIZED, "will on {topic}");
    }
    Mqtt::open(&hub, &connect("dev1", own_name, &good));
    check_alive(&mut session, &witness);
}

#[test]
fn a_disabled_device_is_refused() {
    let hub = Hub::start(&[]);
    let key = "MDEyMzQ1Njc4OWFiY2RlZg==";
    let (code, _, err) = hub.cli(&["device", "create", "dev1", "--disabled", "--primary-key", key]);
    assert_eq!(code, Some(0), "{err}");
    let device = Device { id: "dev1".into(), key: key.into() };
    assert_eq!(answer(&hub, &device.connect()), NOT_AUTHORIZED);
}

#[test]
fn other_protocol_versions_are_told_so_in_their_own_form() {
    let hub = Hub::start(&[]);
    let v31 = packets::packet(0x10, b"\0\x06MQIsdp\x03\x02\0\x3c\0\x01d");
    assert_eq!(answer(&hub, &v31), [0x20, 2, 0, 1]);
    let v5 = packets::packet(0x10, b"\0\x04MQTT\x05\x02\0\x3c\0\0\x01d");
    assert_eq!(answer(&hub, &v5), [0x20, 3, 0, 0x84, 0]);
}

#[test]
fn what_is_not_a_connect_is_closed_without_an_answer() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let mut session = Mqtt::open(&hub, &device.connect());
    let mut bad_text = device.connect();
    let at = bad_text.windows(4).position(|bytes| bytes == b"dev1").unwrap();
    bad_text[at] = 0xff;
    let mut reserved = device.connect();
    reserved[0] = 0x11;
    let mut reserved_flag = device.connect();
    let at = reserved_flag.windows(5).position(|bytes| bytes == b"MQTT\x04").unwrap();
    reserved_flag[at + 5] |= 1;
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("TLS", vec![0x16, 3, 1, 2, 0, 1]),
        ("PINGREQ", vec![0xc0, 0]),
        ("PUBLISH", device.publish(1, b"x")),
        ("another protocol's name", packets::packet(0x10, b"\0\x04HTTP\x04\x02\0\0\0\0")),
        ("invalid text", bad_text),
        ("reserved bits of the header", reserved),
        ("reserved bit of the flags", reserved_flag),
        ("a length of five bytes", vec![0x10, 0x80, 0x80, 0x80, 0x80, 1]),
        ("an announced length over the limit", vec![0x10, 0xff, 0xff, 0x7f]),
        ("trailing bytes", packets::packet(0x10, b"\0\x04MQTT\x04\x02\0\0\0\0x")),
    ] {
        assert_eq!(answer(&hub, &bytes), NOTHING, "{what}");
    }
    let whole = device.connect();
    for length in [0, 1, 2, 10, whole.len() - 1] {
        let mut client = Mqtt::dial(&hub);
        client.send(&whole[..length]);
        client.finish();
        assert_eq!(client.rest(), NOTHING, "truncated after {length}");
    }
    check_alive(&mut session, &device);
}

#[test]
fn a_handshake_that_takes_too_long_is_closed_however_it_drips() {
    let hub = Hub::start(&["--limits-handshake-seconds", "1"]);
    let device = Device::create(&hub, "dev1");
    assert_eq!(Mqtt::dial(&hub).rest(), NOTHING);
    let mut dripping = Mqtt::dial(&hub);
    let mut reader = Mqtt(dripping.0.try_clone().unwrap());
    let connect = device.connect();
    let drip = std::thread::spawn(move || {
        for byte in connect {
            dripping.send(&[byte]);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    assert_eq!(reader.rest(), NOTHING);
    drip.join().unwrap();
}

#[test]
fn a_violation_ends_the_session_and_nobody_elses() {
    let hub = Hub::start(&[]);
    let (witness, device) = (Device::create(&hub, "witness"), Device::create(&hub, "dev1"));
    let mut session = Mqtt::open(&hub, &witness.connect());
    let topic = device.topic();
    let publish = |topic: &str| packets::publish(topic, 1, 1, false, false, b"x");
    let many: Vec<_> = (0..65).map(|n| (format!("f{n}"), 0)).collect();
    for (what, bytes) in [
        ("a second CONNECT", device.connect()),
        ("QoS 2", packets::publish(&topic, 1, 2, false, false, b"x")),
        ("QoS 3", packets::packet(0x36, b"\0\x01t\0\x01")),
        ("another device's topic", publish(&witness.topic())),
        ("a module's topic", publish("devices/dev1/modules/m/messages/events/")),
        ("an unknown topic", publish("devices/dev1/telemetry")),
        ("no topic", publish("")),
        ("a topic that is not text", packets::packet(0x30, b"\0\x02\xc3\x28")),
        ("a property that is not text", publish(&format!("{topic}a=%c3"))),
        ("a property without a name", publish(&format!("{topic}=b"))),
        ("packet id 0", packets::publish(&topic, 0, 1, false, false, b"x")),
        ("a packet over the limit", vec![0x30, 0xff, 0xff, 0x7f]),
        ("SUBSCRIBE without a filter", packets::packet(0x82, b"\0\x01")),
        ("SUBSCRIBE with reserved options", packets::packet(0x82, b"\0\x01\0\x01a\x04")),
        ("too many filters", packets::subscribe(1, &many)),
        ("PUBREL", vec![0x62, 2, 0, 1]),
        ("a server's packet", vec![0xd0, 0]),
        ("a long message id", publish(&format!("{topic}%24.mid={}", "m".repeat(129)))),
    ] {
        let mut client = Mqtt::open(&hub, &device.connect());
        client.send(&bytes);
        assert_eq!(client.rest(), NOTHING, "{what}");
    }
    check_alive(&mut session, &witness);
}
