//! What an MQTT session is on the running hub: answers, acknowledgements, and every way to end.

use std::io::{ErrorKind, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::mqtt_client::{Device, Mqtt, counter, wait_for_stored};
use crate::packets;
use crate::support::{Hub, wait_for};

#[test]
fn every_publish_of_qos_1_is_acknowledged_in_order_and_stored() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let mut client = Mqtt::open(&hub, &device.connect());
    let (mut sent, mut expected) = (Vec::new(), Vec::new());
    for id in 1..=1000 {
        sent.extend(device.publish(id, &[7; 256]));
        sent.extend(packets::publish(&device.topic(), 0, 0, false, false, b"QoS 0"));
        expected.extend([0x40, 2]);
        expected.extend(id.to_be_bytes());
    }
    client.send(&sent);
    assert_eq!(client.read(expected.len()), expected);
    wait_for_stored(&hub, 2000);
    client.send(&[0xe0, 0]);
    assert_eq!(client.rest(), b"");
}

#[test]
fn a_client_may_send_without_waiting_and_leave_at_once() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let mut client = Mqtt::dial(&hub);
    let mut all = device.connect();
    all.extend(device.publish(1, b"x"));
    all.extend(packets::publish(&device.topic(), 0, 0, false, false, b"y"));
    all.extend([0xe0, 0]);
    client.send(&all);
    assert_eq!(client.rest(), [0x20, 2, 0, 0, 0x40, 2, 0, 1]);
    wait_for_stored(&hub, 2);
}

#[test]
fn pings_and_subscriptions_are_answered() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let mut client = Mqtt::open(&hub, &device.connect());
    client.send(&[0xc0, 0]);
    assert_eq!(client.read(2), [0xd0, 0]);
    let filters = [
        ("devices/dev1/messages/devicebound/#", 1),
        ("$iothub/twin/res/#", 0),
        ("$iothub/methods/POST/#", 2),
        ("devices/dev2/messages/devicebound/#", 1),
    ];
    client.send(&packets::subscribe(7, &filters.map(|(filter, qos)| (filter.to_owned(), qos))));
    assert_eq!(client.read(8), [0x90, 6, 0, 7, 1, 0, 1, 0x80]);
    client.send(&packets::unsubscribe(8, &["$iothub/twin/res/#".to_owned(), "other".to_owned()]));
    assert_eq!(client.read(4), [0xb0, 2, 0, 8]);
}

#[test]
fn a_subscription_that_cannot_be_stored_ends_the_connection() {
    let mut hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let subscribe = |filter: &str| packets::subscribe(7, &[(filter.to_owned(), 1)]);
    let granted = [0x90, 3, 0, 7, 1];
    let mut client = Mqtt::open(&hub, &device.connect());
    client.send(&subscribe("$iothub/methods/POST/#"));
    assert_eq!(client.read(5), granted);
    assert_eq!(hub.terminate(), Some(0));
    hub.launch_with(&["--limits-disk-reserve-bytes", "18446744073709551615"]);
    wait_for("writes to be refused", || {
        let (code, _, _) = hub.cli(&["device", "create", "other"]);
        (code != Some(0)).then_some(())
    });
    let mut client = Mqtt::dial(&hub);
    client.send(&device.connect());
    assert_eq!(client.read(4), [0x20, 2, 1, 0]);
    client.send(&subscribe("$iothub/methods/POST/#"));
    assert_eq!(client.read(5), granted, "nothing new is to be stored");
    client.send(&subscribe("$iothub/twin/res/#"));
    assert_eq!(client.rest(), b"");
}

#[test]
fn the_largest_message_is_stored_and_one_byte_more_closes() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let mut client = Mqtt::open(&hub, &device.connect());
    client.send(&device.publish(1, &vec![7; 262_144]));
    assert_eq!(client.read(4), [0x40, 2, 0, 1]);
    client.send(&device.publish(2, &vec![7; 262_145]));
    assert_eq!(client.rest(), b"");
    wait_for_stored(&hub, 1);
}

#[test]
fn a_newer_connection_takes_over_and_the_older_one_has_its_will_published() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let will = (device.topic(), b"gone".to_vec(), 1, false);
    let mut older = Mqtt::open(&hub, &device.connect_with(60, Some(&will)));
    older.send(&device.publish(1, b"x"));
    assert_eq!(older.read(4), [0x40, 2, 0, 1]);
    let mut newer = Mqtt::open(&hub, &device.connect());
    assert_eq!(older.rest(), b"");
    newer.send(&device.publish(1, b"x"));
    assert_eq!(newer.read(4), [0x40, 2, 0, 1]);
    wait_for_stored(&hub, 3);
    assert_eq!(counter(&hub, "ironhub_takeovers_total"), 1);
}

#[test]
fn a_refused_connection_takes_nothing_over() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let mut session = Mqtt::open(&hub, &device.connect());
    let mut refused = Mqtt::dial(&hub);
    refused.send(&device.connect_as(
        60,
        None,
        "SharedAccessSignature sr=localhost&sig=x&se=4102444800",
    ));
    assert_eq!(refused.rest(), [0x20, 2, 0, 5]);
    session.send(&device.publish(1, b"x"));
    assert_eq!(session.read(4), [0x40, 2, 0, 1]);
}

#[test]
fn the_will_is_published_when_the_connection_just_ends_and_not_after_a_disconnect() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let will = (device.topic(), b"gone".to_vec(), 1, true);
    let mut client = Mqtt::open(&hub, &device.connect_with(60, Some(&will)));
    client.send(&[0xe0, 0]);
    assert_eq!(client.rest(), b"");
    // Half-open: the client only says that it sends nothing more.
    let mut client = Mqtt::open(&hub, &device.connect_with(60, Some(&will)));
    client.finish();
    assert_eq!(client.rest(), b"");
    wait_for_stored(&hub, 1);
    // Silent: the keep alive runs out.
    let mut client = Mqtt::open(&hub, &device.connect_with(1, Some(&will)));
    assert_eq!(client.rest(), b"");
    wait_for_stored(&hub, 2);
}

#[test]
fn a_token_that_ends_ends_its_connection() {
    let hub = Hub::start(&["--mqtt-sas-grace-seconds", "0"]);
    let device = Device::create(&hub, "dev1");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = device.token("localhost/devices/dev1", now + 3);
    let mut client = Mqtt::open(&hub, &device.connect_as(0, None, &token));
    assert_eq!(client.rest(), b"");
    assert!(now + 3 <= SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
}

#[test]
fn a_client_that_never_reads_is_let_go_and_others_do_not_notice() {
    let hub = Hub::start(&[]);
    let (deaf, other) = (Device::create(&hub, "dev1"), Device::create(&hub, "dev2"));
    let mut other_client = Mqtt::open(&hub, &other.connect());
    let mut client = Mqtt::open(&hub, &deaf.connect());
    let pings = [0xc0, 0].repeat(50_000);
    client.0.set_write_timeout(Some(crate::support::PATIENCE)).unwrap();
    let ended = loop {
        if let Err(error) = client.0.write_all(&pings) {
            break error.kind();
        }
    };
    assert!(matches!(ended, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{ended}");
    other_client.send(&other.publish(1, b"x"));
    assert_eq!(other_client.read(4), [0x40, 2, 0, 1]);
}

#[test]
fn a_hub_that_stops_closes_its_sessions() {
    let mut hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let mut client = Mqtt::open(&hub, &device.connect());
    client.send(&device.publish(1, b"x"));
    assert_eq!(client.read(4), [0x40, 2, 0, 1]);
    assert_eq!(hub.terminate(), Some(0));
    assert_eq!(client.rest(), b"");
}
