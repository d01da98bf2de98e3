use super::*;

fn sample() -> D2cReport {
    let mut latencies = Latencies::new();
    latencies.add(2_000_000, 1_000);
    let mut errors = Errors::default();
    errors.add("closed by broker".to_owned(), 2);
    let before = Usage { cpu_seconds: 1.0, rss_bytes: 1 << 20 };
    let after = Usage { cpu_seconds: 3.0, rss_bytes: 3 << 20 };
    D2cReport {
        scenario: "d2c",
        target: "127.0.0.1:1883 (plain TCP)".to_owned(),
        devices: 3,
        connected: 3,
        qos: 1,
        size: 256,
        window: 16,
        rate: None,
        warmup_seconds: 1.0,
        measured_seconds: 2.0,
        acked: 500_000,
        acked_per_second: 250_000.0,
        latency_ms: latencies.summary(),
        unsent: 0,
        errors,
        processes: Some(ProcessReport::new(&[7, 8], before, after, 5 << 20, 500_000)),
        generator_cpu_seconds: 0.5,
    }
}

#[test]
fn percentiles_are_those_of_a_known_distribution() {
    let mut latencies = Latencies::new();
    assert_eq!(latencies.summary(), None);
    for millisecond in 1..=1_000u64 {
        latencies.add(millisecond * 1_000_000, 1);
    }
    let found = latencies.summary().unwrap();
    assert_eq!(found.messages, 1_000);
    for (value, expected) in
        [(found.p50, 500.0), (found.p99, 990.0), (found.p999, 999.0), (found.max, 1_000.0)]
    {
        // Three significant digits are kept.
        assert!((value - expected).abs() <= expected / 500.0, "{value} for {expected}");
    }
}

#[test]
fn merging_is_adding_and_extremes_are_kept() {
    let (mut first, mut second) = (Latencies::new(), Latencies::new());
    first.add(1_000_000, 98);
    second.add(0, 1);
    second.add(u64::MAX, 1);
    first.merge(&second);
    let found = first.summary().unwrap();
    assert_eq!(found.messages, 100);
    assert_eq!(found.p50, 1.0);
    assert!(found.max >= 600_000.0, "{found:?}");
    let mut elsewhere = Latencies::new();
    elsewhere.put(&first.pairs());
    let copy = elsewhere.summary().unwrap();
    assert_eq!((copy.messages, copy.p50, copy.p99), (100, found.p50, found.p99));
}

#[test]
fn cpu_per_million_needs_messages_and_the_peak_is_never_below_the_ends() {
    let before = Usage { cpu_seconds: 10.0, rss_bytes: 100 };
    let after = Usage { cpu_seconds: 14.0, rss_bytes: 300 };
    let report = ProcessReport::new(&[1], before, after, 0, 2_000_000);
    assert_eq!(report.cpu_seconds_per_million, Some(2.0));
    assert_eq!((report.rss_before, report.rss_after, report.rss_peak), (100, 300, 300));
    assert_eq!(ProcessReport::new(&[1], before, after, 900, 0).cpu_seconds_per_million, None);
    assert_eq!(ProcessReport::new(&[1], before, after, 900, 0).rss_peak, 900);
}

#[test]
fn errors_are_counted_by_kind_and_kinds_are_bounded() {
    let mut errors = Errors::default();
    for number in 0..1_000 {
        errors.add(format!("kind {}", number % 200), 1);
    }
    assert_eq!(errors.total(), 1_000);
    assert_eq!(errors.0.len(), Errors::KINDS_MAX + 1);
    assert_eq!(errors.0["kind 0"], 5);
    let mut twice = errors.clone();
    twice.merge(errors.clone());
    assert_eq!(twice.total(), 2_000);
    let json = serde_json::to_string(&errors).unwrap();
    assert_eq!(serde_json::from_str::<Errors>(&json).unwrap(), errors);
    errors = Errors::default();
    errors.add("nothing".to_owned(), 0);
    assert_eq!(errors.text(), "none");
}

#[test]
fn the_text_report_shows_every_figure() {
    let expected = "\
d2c to 127.0.0.1:1883 (plain TCP): 3 of 3 devices, QoS 1, 256 bytes, window 16
  measured        2.00 s
  acknowledged    500,000 messages, 250,000 per second
  PUBACK latency  p50 2.00 ms, p99 2.00 ms, p99.9 2.00 ms, max 2.00 ms
  errors          2 x closed by broker
  broker          pid 7+8: 2.00 CPU-seconds, 4.00 CPU-seconds per million messages
                  resident 1.0 MiB before, 3.0 MiB after, 5.0 MiB peak
  generator       0.50 CPU-seconds
";
    assert_eq!(sample().text(), expected);
    let quiet = D2cReport { qos: 0, latency_ms: None, processes: None, unsent: 9, ..sample() };
    let text = quiet.text();
    assert!(text.contains("  written         500,000"), "{text}");
    assert!(text.contains("  behind          9 messages"), "{text}");
    assert!(!text.contains("latency") && !text.contains("pid"), "{text}");
}

#[test]
fn the_json_report_has_stable_names() {
    let json = serde_json::to_value(sample()).unwrap();
    assert_eq!(json["acked_per_second"], 250_000.0);
    assert_eq!(json["latency_ms"]["p999"].as_f64().unwrap().round(), 2.0);
    assert_eq!(json["errors"]["closed by broker"], 2);
    assert_eq!(json["processes"]["cpu_seconds_per_million"], 4.0);
    assert_eq!(json["processes"]["pids"], serde_json::json!([7, 8]));
    assert!(json["rate"].is_null());
}

#[test]
fn numbers_are_readable() {
    for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(grouped(number), expected);
    }
    for (size, expected) in
        [(5, "5 B"), (1_536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (5 << 29, "2.50 GiB")]
    {
        assert_eq!(bytes(size), expected);
    }
}
