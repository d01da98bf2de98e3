//! The program against its own sink: counts must add up. No figure is asserted that depends on time.

#![allow(clippy::unwrap_used)] // helpers of a test are not recognised as tests

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ironhub-loadtest");

/// A sink of this test's own, ended with it.
struct Sink {
    child: Child,
    port: String,
}

impl Sink {
    fn start() -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["sink", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().to_owned();
        assert!(port.parse::<u16>().is_ok(), "{line}");
        Self { child, port }
    }

    fn run(&self, words: &str) -> Output {
        Command::new(PROGRAM)
            .args(words.split_whitespace())
            .args(["--no-auth", "--port", &self.port])
            .output()
            .unwrap()
    }

    /// The JSON report of a run that must succeed.
    fn report(&self, words: &str) -> serde_json::Value {
        let output = self.run(&format!("{words} --json"));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{words}: {text} {:?}", output.stderr);
        serde_json::from_str(&text).unwrap()
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_message_asked_for_is_acknowledged_exactly_once() {
    let sink = Sink::start();
    for (words, connected) in [
        ("d2c --devices 7 --messages 10003", 7),
        ("d2c --devices 7 --messages 10003 --threads 3 --window 1", 7),
        ("d2c --devices 3 --messages 10003 --size 0 --window 65535", 3),
        ("d2c --devices 5 --messages 10003 --rate 100000", 5),
    ] {
        let report = sink.report(&format!("{words} --duration 300"));
        assert_eq!(report["acked"], 10_003, "{words}: {report}");
        assert_eq!(report["connected"], connected, "{words}");
        assert_eq!(report["latency_ms"]["messages"], 10_003, "{words}: {report}");
        assert_eq!(report["errors"], serde_json::json!({}), "{words}");
    }
}

#[test]
fn large_messages_and_unacknowledged_ones_are_counted_too() {
    let sink = Sink::start();
    let report = sink.report("d2c --devices 3 --messages 50 --size 262144 --duration 300");
    assert_eq!(report["acked"], 50, "{report}");
    let report = sink.report("d2c --devices 3 --messages 5000 --qos 0 --duration 300");
    assert_eq!((&report["acked"], &report["qos"]), (&5_000.into(), &0.into()), "{report}");
    assert!(report["latency_ms"].is_null(), "{report}");
}

#[test]
fn a_timed_run_measures_the_brokers_process() {
    let sink = Sink::start();
    let pid = sink.pid();
    let words = format!("d2c --devices 4 --duration 1 --warmup 0 --pid {pid},{pid}");
    let report = sink.report(&words);
    assert!(report["acked"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["processes"]["pids"], serde_json::json!([pid, pid]));
    assert!(report["processes"]["rss_before"].as_u64().unwrap() > 0, "{report}");
    assert!(report["processes"]["rss_peak"].as_u64() >= report["processes"]["rss_after"].as_u64());
}

#[test]
fn idle_connections_are_opened_held_and_let_go() {
    let sink = Sink::start();
    let words = format!(
        "connect --connections 40 --processes 3 --hold 2 --keep-alive 2 --pid {}",
        sink.pid()
    );
    let report = sink.report(&words);
    assert_eq!((&report["connected"], &report["lost"]), (&40.into(), &0.into()), "{report}");
    assert!(report["pings"].as_u64().unwrap() > 0, "{report}");
    assert!(report["bytes_per_connection"].is_number(), "{report}");
}

#[test]
fn a_broker_that_is_not_there_is_an_error_by_kind() {
    let sink = Sink::start();
    let port = sink.port.clone();
    drop(sink);
    for words in ["d2c --devices 3", "connect --connections 3 --hold 1"] {
        let output = Command::new(PROGRAM)
            .args(words.split_whitespace())
            .args(["--no-auth", "--port", &port, "--json"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["connected"], 0, "{words}: {report}");
        assert_eq!(report["errors"]["connect: tcp connection refused"], 3, "{words}: {report}");
    }
}
