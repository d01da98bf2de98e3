//! `ironhub events` against a running hub.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;

use crate::mqtt_client::{Device, Mqtt};
use crate::support::{Hub, PATIENCE};

/// `ironhub events` with these arguments, read line by line until it is dropped.
struct Follow {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Follow {
    fn start(hub: &Hub, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ironhub"))
            .arg("events")
            .args(arguments)
            .env("IRONHUB_DATA_DIR", hub.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ironhub runs");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line of output in time")
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn publish(hub: &Hub, device: &Device, bodies: &[&str]) {
    let mut client = Mqtt::open(hub, &device.connect());
    for (id, body) in (1..).zip(bodies) {
        let topic = format!("{}%24.ct=application%2Fjson&room=kitchen", device.topic());
        client.send(&crate::packets::publish(&topic, id, 1, false, false, body.as_bytes()));
        client.read(4);
    }
}

#[test]
fn what_is_kept_is_shown_to_people_and_programs() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    publish(&hub, &device, &[r#"{"t":1}"#, "not json", r#"{"t":3}"#]);
    let (code, out, err) = hub.cli(&["events", "--from", "earliest", "--count", "3", "--json"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let events: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events.len(), 3);
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event["sequenceNumber"], n);
        assert_eq!(event["deviceId"], "dev1");
        assert_eq!(event["properties"]["room"], "kitchen");
        assert_eq!(event["systemProperties"]["content-type"], "application/json");
    }
    assert_eq!(events[0]["body"]["t"], 1);
    assert_eq!(events[1]["body"], "not json");

    let partition = events[0]["partition"].to_string();
    let from_second = ["events", "--partition", &partition, "--from", "sequence:1", "--count", "2"];
    let (code, out, _) = hub.cli(&from_second);
    assert_eq!(code, Some(0), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].contains(&format!("{partition}/1  dev1  not json  room=kitchen")), "{out}");
    assert!(lines[1].contains(r#"{"t":3}"#), "{out}");
}

#[test]
fn what_arrives_is_shown_at_once() {
    let hub = Hub::start(&[]);
    let device = Device::create(&hub, "dev1");
    let follow = Follow::start(&hub, &["--json", "--from", "earliest"]);
    for n in 0..5 {
        publish(&hub, &device, &[&format!(r#"{{"n":{n}}}"#)]);
        let event: Value = serde_json::from_str(&follow.line()).expect("JSON");
        assert_eq!(event["body"]["n"], n);
    }
}

#[test]
fn refusals_say_why_and_have_their_exit_codes() {
    let hub = Hub::start(&[]);
    for (arguments, code, part) in [
        ("--partition 9", 1, "numbered 0 to 3"),
        ("--consumer-group nobody", 1, "no consumer group"),
        ("--partition 0 --from sequence:5", 1, "beyond"),
        ("--from sequence:5", 2, "--partition"),
        ("--from yesterday", 2, "earliest, latest"),
        ("--count 0", 2, "count"),
    ] {
        let all: Vec<&str> = ["events"].into_iter().chain(arguments.split(' ')).collect();
        let (ended, out, err) = hub.cli(&all);
        assert_eq!((ended, out.as_str()), (Some(code), ""), "{arguments}: {err}");
        assert!(err.contains(part), "{arguments}: {err}");
    }
}
