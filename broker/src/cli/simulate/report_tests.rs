use bytes::Bytes;

use super::super::happening::Ticket;
use super::*;

fn received(body: &'static [u8]) -> Event {
    Event::Received(Received {
        ticket: Ticket(Bytes::new()),
        id: Some("m1".into()),
        properties: vec![("room".into(), Some("kitchen".into())), ("flag".into(), None)],
        body: Bytes::from_static(body),
    })
}

#[track_caller]
fn check(event: &Event, words: &str, rest: Value) {
    let epoch = SystemTime::UNIX_EPOCH;
    let expected = format!("1970-01-01T00:00:00.000Z  dev1  {words}");
    assert_eq!(line("dev1", event, epoch, false), expected);
    let mut object = object("dev1", event, epoch);
    for (key, value) in [("time", "1970-01-01T00:00:00.000Z"), ("deviceId", "dev1")] {
        assert_eq!(object.as_object_mut().unwrap().remove(key), Some(json!(value)), "{words}");
    }
    assert_eq!(object, rest, "{words}");
}

#[test]
fn every_event_is_a_line_and_an_object() {
    check(&Event::Connected, "connected", json!({"event": "connected"}));
    check(
        &Event::Stored { number: 3, took: Duration::from_micros(4250) },
        "telemetry 3 stored after 4.2 ms",
        json!({"event": "telemetryStored", "number": 3, "milliseconds": 4.25}),
    );
    check(
        &Event::NotTaken { number: 3, why: "too large".into() },
        "telemetry 3 not taken: too large",
        json!({"event": "telemetryNotTaken", "number": 3, "reason": "too large"}),
    );
    check(
        &received(b"hello"),
        "message m1 received: hello  room=kitchen  flag",
        json!({
            "event": "messageReceived", "messageId": "m1", "body": "hello",
            "properties": {"room": "kitchen", "flag": null},
        }),
    );
    check(
        &Event::Completed { id: None },
        "message completed",
        json!({"event": "messageCompleted", "messageId": null}),
    );
    check(
        &Event::Called { name: "reboot".into(), payload: Bytes::from_static(b"{\"delay\":5}") },
        "method reboot called: {\"delay\":5}, answered 200",
        json!({
            "event": "methodCalled", "method": "reboot", "payload": {"delay": 5}, "status": 200,
        }),
    );
    check(
        &Event::Twin { desired: 3, reported: 7 },
        "twin read: desired version 3, reported version 7",
        json!({"event": "twinRead", "desiredVersion": 3, "reportedVersion": 7}),
    );
    check(
        &Event::Desired { version: 4, patch: json!({"a": 1}) },
        "desired version 4: {\"a\":1}",
        json!({"event": "desiredChanged", "version": 4, "patch": {"a": 1}}),
    );
    check(
        &Event::Reported { version: 8 },
        "reported version 8",
        json!({"event": "reported", "version": 8}),
    );
    check(
        &Event::TwinRefused { status: 429, why: "slow down".into() },
        "twin refused (429): slow down",
        json!({"event": "twinRefused", "status": 429, "reason": "slow down"}),
    );
    check(
        &Event::Lost { why: "gone".into(), again_in: Duration::from_millis(1500) },
        "not connected: gone; again in 1.5 s",
        json!({"event": "connectionLost", "reason": "gone", "againInMilliseconds": 1500.0}),
    );
    check(
        &Event::GaveUp { why: "no".into() },
        "gave up: no",
        json!({"event": "gaveUp", "reason": "no"}),
    );
}

#[test]
fn what_a_back_end_sends_cannot_control_the_terminal() {
    let told = |event: &Event| line("dev1", event, SystemTime::UNIX_EPOCH, false);
    assert!(told(&received(b"a\x1b[2Jb\n")).contains(r"received: a\u{1b}[2Jb\n  room"));
    assert!(told(&received(b"\xff\xfe")).contains("received: <2 bytes>"));
    let long = told(&received(&[b'x'; 300]));
    assert!(long.contains(&format!("{} …", "x".repeat(200))) && !long.contains(&"x".repeat(201)));
    let epoch = SystemTime::UNIX_EPOCH;
    assert_eq!(object("d", &received(b"\xff\xfe"), epoch)["bodyBase64"], "//4=");
    assert!(line("d", &Event::Connected, epoch, true).contains("\x1b[1;36md\x1b[0m"));
}

#[test]
fn the_sum_has_all_of_it() {
    let mut counts = Counts::default();
    for (event, times) in [
        (Event::Connected, 2),
        (Event::Lost { why: String::new(), again_in: Duration::ZERO }, 1),
        (Event::Stored { number: 1, took: Duration::from_millis(2) }, 3),
        (Event::Stored { number: 2, took: Duration::from_millis(10) }, 1),
        (received(b"x"), 2),
        (Event::Completed { id: None }, 1),
        (Event::Called { name: "m".into(), payload: Bytes::new() }, 3),
        (Event::Desired { version: 1, patch: Value::Null }, 2),
        (Event::Reported { version: 1 }, 4),
        (Event::Twin { desired: 1, reported: 1 }, 1),
    ] {
        for _ in 0..times {
            counts.add(&event);
        }
    }
    counts.unanswered = 1;
    let time = Duration::from_secs(2);
    assert_eq!(
        counts.text(2, "mqtt", time),
        "2 devices over mqtt for 2.0 s\n\
         telemetry    4 stored (2.0/s; mean 4.0 ms, longest 10.0 ms), 0 not taken, 1 without answer\n\
         messages     2 received, 1 completed\n\
         methods      3 answered\n\
         twin         2 desired changes, 4 reports\n\
         connections  2 made, 1 lost, 0 given up"
    );
    let object = counts.object(2, "mqtt", time);
    for (key, value) in [
        ("event", json!("summary")),
        ("telemetryStored", json!(4)),
        ("meanMilliseconds", json!(4.0)),
        ("messagesCompleted", json!(1)),
        ("methodsAnswered", json!(3)),
        ("reports", json!(4)),
        ("connections", json!(2)),
        ("connectionsLost", json!(1)),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
    assert_eq!(Counts::default().mean(), Duration::ZERO);
}
