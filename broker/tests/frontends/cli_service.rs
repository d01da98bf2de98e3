//! What back ends do, as commands against a running hub: twins, methods, messages with feedback, authorities.

use serde_json::{Value, json};

use crate::https::{ask, summary};
use crate::mqtt_client::{Device, Mqtt};
use crate::packets;
use crate::support::Hub;

/// Runs and checks the exit code; standard output and standard error.
fn run(hub: &Hub, arguments: &[&str], code: i32) -> (String, String) {
    let (ended, out, err) = hub.cli(arguments);
    assert_eq!(ended, Some(code), "{arguments:?}\n{out}\n{err}");
    (out, err)
}

fn run_json(hub: &Hub, arguments: &[&str], code: i32) -> Value {
    serde_json::from_str(&run(hub, arguments, code).0).expect("JSON")
}

#[test]
fn a_twin_is_changed_replaced_and_guarded_by_its_etag() {
    let hub = Hub::start(&[]);
    hub.create_device("dev1");
    let update = ["twin", "update", "dev1", "--json"];
    let with = |more: &[&'static str]| [&update[..], more].concat();
    let twin = run_json(&hub, &with(&["--desired", r#"{"a":1}"#, "--tags", r#"{"t":2}"#]), 0);
    assert_eq!(twin["tags"], json!({"t": 2}));
    assert_eq!(twin["properties"]["desired"]["a"], 1);
    let twin = run_json(&hub, &with(&["--desired", r#"{"b":3}"#]), 0);
    assert_eq!(twin["properties"]["desired"]["a"], 1, "a patch merges");
    let twin = run_json(&hub, &with(&["--desired", r#"{"c":4}"#, "--replace"]), 0);
    assert_eq!(twin["properties"]["desired"].get("a"), None, "replacing does not");
    assert_eq!(twin["tags"], json!({"t": 2}), "what was not given stays");

    let etag = twin["etag"].as_str().expect("an ETag").to_owned();
    let guarded = ["twin", "update", "dev1", "--tags", r#"{"t":5}"#, "--if-match", &etag];
    run(&hub, &guarded, 0);
    let (_, err) = run(&hub, &guarded, 1);
    assert!(err.contains("HTTP 412"), "{err}");

    let (out, _) = run(&hub, &["twin", "show", "dev1"], 0);
    assert!(out.contains("  t: 5\n") && out.contains("  c: 4\n"), "{out}");
    let (_, err) = run(&hub, &["twin", "show", "nobody"], 1);
    assert!(err.contains("HTTP 404"), "{err}");
    let (_, err) = run(&hub, &["twin", "update", "dev1"], 2);
    assert!(err.contains("--desired"), "{err}");
}

#[test]
fn a_method_is_called_of_many_and_one_that_is_away_fails_alone() {
    let hub = Hub::start(&[]);
    hub.create_device("away");
    let here = Device::create(&hub, "here");
    let mut device = Mqtt::open(&hub, &here.connect());
    device.send(&packets::subscribe(1, &[("$iothub/methods/POST/#".to_owned(), 0)]));
    assert_eq!(device.read(5), [0x90, 3, 0, 1, 0]);
    let echo = std::thread::spawn(move || {
        let (topic, payload) = published(&mut device);
        let rid =
            topic.strip_prefix("$iothub/methods/POST/echo/?$rid=").expect("the method's topic");
        let answer = format!("$iothub/methods/res/200/?$rid={rid}");
        device.send(&packets::publish(&answer, 0, 0, false, false, &payload));
        // The connection is held until the test has its answer.
        device
    });
    let call = ["method", "invoke", "echo", "here", "away", "--payload", r#"{"x":[1]}"#];
    let (out, err) = run(&hub, &[&call[..], &["--json"]].concat(), 1);
    let answers: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(answers[0], json!({"deviceId": "here", "status": 200, "payload": {"x": [1]}}));
    assert_eq!(answers[1]["deviceId"], "away");
    assert!(answers[1]["error"].as_str().expect("an error").contains("HTTP 404"), "{out}");
    assert!(err.contains("1 of 2 calls"), "{err}");
    drop(echo.join().expect("the device answers"));

    let (out, _) = run(&hub, &["method", "invoke", "echo", "away"], 1);
    assert!(out.starts_with("away\tfailed\t"), "{out}");
    let (_, err) = run(&hub, &["method", "invoke", "echo", "away", "--payload", "{"], 2);
    assert!(err.contains("not JSON"), "{err}");
}

#[test]
fn a_message_is_received_or_purged_and_feedback_tells() {
    let hub = Hub::start(&[]);
    let dev1 = Device::create(&hub, "dev1");
    let nothing = ask(&hub, "GET /messages/serviceBound/feedback", "", "");
    assert_eq!(summary(&nothing), "204");

    let mut device = Mqtt::open(&hub, &dev1.connect());
    device.send(&packets::subscribe(1, &[("devices/dev1/messages/devicebound/#".to_owned(), 0)]));
    assert_eq!(device.read(5), [0x90, 3, 0, 1, 0]);
    let send = ["c2d", "send", "dev1", "hello", "--property", "room=kitchen", "--expiry", "600"];
    let (id, _) = run(&hub, &send, 0);
    let (topic, payload) = published(&mut device);
    assert_eq!(payload, b"hello");
    assert!(topic.contains("room=kitchen") && topic.contains(id.trim_end()), "{topic}");
    drop(device);

    hub.create_device("dev2");
    for id in ["m1", "m2"] {
        let sent = run(&hub, &["c2d", "send", "dev2", "x", "--ack", "full", "--message-id", id], 0);
        assert_eq!(sent.0.trim_end(), id);
    }
    assert_eq!(run(&hub, &["c2d", "purge", "dev2"], 0).0, "2\n");
    assert_eq!(run(&hub, &["c2d", "purge", "dev2"], 0).0, "0\n");

    // The first batch is given back; another receiver gets it.
    let batch = ask(&hub, "GET /messages/serviceBound/feedback", "", "");
    assert_eq!(summary(&batch), "200");
    let lower = batch.to_ascii_lowercase();
    let lock = lower.lines().find_map(|line| line.strip_prefix("etag: \"")).expect("a lock token");
    let lock = lock.trim_end().trim_end_matches('"');
    let path = format!("/messages/serviceBound/feedback/{lock}");
    assert_eq!(summary(&ask(&hub, &format!("POST {path}/abandon"), "", "")), "204");
    let twice = summary(&ask(&hub, &format!("DELETE {path}"), "", ""));
    assert!(twice.starts_with("412 "), "{twice}");
    let (out, _) = run(&hub, &["c2d", "feedback", "--follow", "--count", "2", "--json"], 0);
    let records: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<&Value> = records.iter().map(|record| &record["originalMessageId"]).collect();
    assert_eq!(ids, ["m1", "m2"]);
    assert!(records.iter().all(|record| record["statusCode"] == "Purged"), "{out}");
    assert_eq!(run(&hub, &["c2d", "feedback"], 0).0, "", "what was printed is gone");

    let (_, err) = run(&hub, &["c2d", "send", "dev1", "--property", "na me=x"], 2);
    assert!(err.contains("header"), "{err}");
    let (_, err) = run(&hub, &["c2d", "send", "nobody", "x"], 1);
    assert!(err.contains("HTTP 404"), "{err}");
}

#[test]
fn an_authority_is_added_listed_and_removed() {
    let hub = Hub::start(&[]);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let file = hub.dir().join("factory.pem");
    std::fs::write(&file, params.self_signed(&key).expect("a CA").pem()).expect("a file");
    let file = file.display().to_string();
    let (_, err) = run(&hub, &["ca", "add", "factory", &file], 0);
    assert!(err.starts_with("added factory: "), "{err}");
    let (out, _) = run(&hub, &["ca", "list"], 0);
    assert!(out.starts_with("factory\t") && out.contains("\tyes\t"), "{out}");
    let list = run_json(&hub, &["ca", "list", "--json"], 0);
    assert_eq!(list[0]["properties"]["isVerified"], true);
    let (_, err) = run(&hub, &["ca", "remove", "factory"], 0);
    assert!(err.contains("removed factory"), "{err}");
    let (_, err) = run(&hub, &["ca", "remove", "factory"], 0);
    assert!(err.contains("nothing to remove"), "{err}");
    assert_eq!(run(&hub, &["ca", "list"], 0).0, "");

    let (_, err) = run(&hub, &["ca", "add", "factory", "/nowhere.pem"], 2);
    assert!(err.contains("/nowhere.pem"), "{err}");
    let listeners = hub.dir().join("listeners.json").display().to_string();
    let (_, err) = run(&hub, &["ca", "add", "factory", &listeners], 1);
    assert!(err.starts_with("error: "), "{err}");
}

/// The next packet, which must be a PUBLISH: topic and payload. Acknowledges nothing: it subscribed at QoS 0.
fn published(device: &mut Mqtt) -> (String, Vec<u8>) {
    let first = device.read(1)[0];
    assert_eq!(first >> 4, 3, "a PUBLISH");
    assert_eq!(first & 0b110, 0, "of QoS 0");
    let (mut size, mut shift) = (0, 0);
    loop {
        let byte = usize::from(device.read(1)[0]);
        size |= (byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    let body = device.read(size);
    let (topic, payload) = body[2..].split_at(usize::from(u16::from_be_bytes([body[0], body[1]])));
    (String::from_utf8(topic.to_vec()).expect("a topic"), payload.to_vec())
}
