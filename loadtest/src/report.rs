//! Figures and how they are shown: text for people, one JSON object for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::process::Usage;

/// Longest latency that is kept apart; longer ones count as this long. In microseconds.
const LATENCY_MAX_US: u64 = 600_000_000;

/// Latencies in microseconds, kept to three significant digits.
#[derive(Clone)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    pub fn new() -> Self {
        #[allow(clippy::expect_used)] // constant arguments that the library documents as valid
        let histogram = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3)
            .expect("bounds and digits are in range");
        Self(histogram)
    }

    /// Adds `count` messages that all took `nanoseconds`.
    pub fn add(&mut self, nanoseconds: u64, count: u64) {
        // The library would take even a count of zero into its maximum.
        if count > 0 {
            self.0.saturating_record_n((nanoseconds / 1_000).max(1), count);
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        // Cannot fail: both have the same bounds.
        let _ = self.0.add(&other.0);
    }

    /// Values with their counts, for another process to [`Self::put`] together again.
    pub fn pairs(&self) -> Vec<(u64, u64)> {
        self.0.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect()
    }

    /// Adds what [`Self::pairs`] gave.
    pub fn put(&mut self, pairs: &[(u64, u64)]) {
        for &(microseconds, count) in pairs {
            self.add(microseconds.saturating_mul(1_000), count);
        }
    }

    /// The quantiles, or `None` when there are no latencies.
    pub fn summary(&self) -> Option<LatencySummary> {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1_000.0;
        (!self.0.is_empty()).then(|| LatencySummary {
            messages: self.0.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max() as f64 / 1_000.0,
        })
    }
}

/// Quantiles in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencySummary {
    /// How many latencies these come from.
    pub messages: u64,
    /// Median.
    pub p50: f64,
    /// 99 of 100 are not longer.
    pub p99: f64,
    /// 999 of 1,000 are not longer.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// Errors by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Errors(BTreeMap<String, u64>);

impl Errors {
    /// Kinds kept apart; further kinds are counted as "other", so a chatty peer cannot fill memory.
    const KINDS_MAX: usize = 64;

    /// Counts `count` errors of `kind`.
    pub fn add(&mut self, kind: String, count: u64) {
        if count == 0 {
            return;
        }
        let room = self.0.len() < Self::KINDS_MAX || self.0.contains_key(&kind);
        *self.0.entry(if room { kind } else { "other".to_owned() }).or_default() += count;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: Self) {
        for (kind, count) in other.0 {
            self.add(kind, count);
        }
    }

    /// Of all kinds.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    fn text(&self) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        let each: Vec<String> =
            self.0.iter().map(|(kind, count)| format!("{} x {kind}", grouped(*count))).collect();
        each.join("\n                  ")
    }
}

/// What the measured processes used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProcessReport {
    /// The processes, summed.
    pub pids: Vec<u32>,
    /// CPU time in the measured window.
    pub cpu_seconds: f64,
    /// CPU time per million acknowledged (QoS 0: written) messages.
    pub cpu_seconds_per_million: Option<f64>,
    /// Resident memory when the window began, in bytes.
    pub rss_before: u64,
    /// Resident memory when it ended.
    pub rss_after: u64,
    /// Largest seen in between, looked at some times a second.
    pub rss_peak: u64,
}

impl ProcessReport {
    /// Compares two instants with `messages` between them.
    pub fn new(pids: &[u32], before: Usage, after: Usage, peak: u64, messages: u64) -> Self {
        let cpu_seconds = (after.cpu_seconds - before.cpu_seconds).max(0.0);
        Self {
            pids: pids.to_vec(),
            cpu_seconds,
            cpu_seconds_per_million: (messages > 0).then(|| cpu_seconds * 1e6 / messages as f64),
            rss_before: before.rss_bytes,
            rss_after: after.rss_bytes,
            rss_peak: peak.max(before.rss_bytes).max(after.rss_bytes),
        }
    }

    fn text(&self) -> String {
        let per_million = match self.cpu_seconds_per_million {
            Some(value) => format!(", {value:.2} CPU-seconds per million messages"),
            None => String::new(),
        };
        let pids: Vec<String> = self.pids.iter().map(u32::to_string).collect();
        format!(
            "pid {}: {:.2} CPU-seconds{per_million}\n                  \
             resident {} before, {} after, {} peak",
            pids.join("+"),
            self.cpu_seconds,
            bytes(self.rss_before),
            bytes(self.rss_after),
            bytes(self.rss_peak)
        )
    }
}

/// Result of the `d2c` scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct D2cReport {
    /// Always `d2c`.
    pub scenario: &'static str,
    /// Addresses and transport.
    pub target: String,
    /// Asked for.
    pub devices: usize,
    /// Connected when the run began.
    pub connected: usize,
    /// Of the PUBLISHes.
    pub qos: u8,
    /// Payload bytes.
    pub size: usize,
    /// Largest number of unacknowledged messages per device.
    pub window: u16,
    /// Messages per second offered; absent in a closed loop.
    pub rate: Option<f64>,
    /// Left out of the figures.
    pub warmup_seconds: f64,
    /// Length of the measured window.
    pub measured_seconds: f64,
    /// Messages acknowledged (QoS 0: written to the socket) in the window.
    pub acked: u64,
    /// The same per second.
    pub acked_per_second: f64,
    /// Send to PUBACK, in milliseconds; absent at QoS 0.
    pub latency_ms: Option<LatencySummary>,
    /// Open loop: messages that were due and never sent, not even in the drain after the window.
    pub unsent: u64,
    /// By kind.
    pub errors: Errors,
    /// The broker's processes, when their ids were given.
    pub processes: Option<ProcessReport>,
    /// CPU time of this program in the window.
    pub generator_cpu_seconds: f64,
}

impl D2cReport {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let pace = match self.rate {
            Some(rate) => format!("{rate} messages/s offered"),
            None => format!("window {}", self.window),
        };
        let (verb, what) =
            if self.qos == 0 { ("written", "") } else { ("acknowledged", "PUBACK ") };
        let _ = writeln!(
            out,
            "d2c to {}: {} of {} devices, QoS {}, {} bytes, {pace}",
            self.target, self.connected, self.devices, self.qos, self.size
        );
        row(&mut out, "measured", &format!("{:.2} s", self.measured_seconds));
        let rate = grouped(self.acked_per_second.round() as u64);
        row(&mut out, verb, &format!("{} messages, {rate} per second", grouped(self.acked)));
        if let Some(latency) = &self.latency_ms {
            row(
                &mut out,
                &format!("{what}latency"),
                &format!(
                    "p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
                    latency.p50, latency.p99, latency.p999, latency.max
                ),
            );
        }
        if self.unsent > 0 {
            let text = format!(
                "{} messages were due and never sent; the latencies do not know them",
                grouped(self.unsent)
            );
            row(&mut out, "behind", &text);
        }
        row(&mut out, "errors", &self.errors.text());
        if let Some(processes) = &self.processes {
            row(&mut out, "broker", &processes.text());
        }
        row(&mut out, "generator", &format!("{:.2} CPU-seconds", self.generator_cpu_seconds));
        out
    }
}

/// Result of the `connect` scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectReport {
    /// Always `connect`.
    pub scenario: &'static str,
    /// Addresses and transport.
    pub target: String,
    /// Asked for.
    pub connections: usize,
    /// Accepted by CONNACK.
    pub connected: usize,
    /// From the first dial to the last CONNACK.
    pub connect_seconds: f64,
    /// `connected` by `connect_seconds`.
    pub connects_per_second: f64,
    /// Dial to CONNACK, in milliseconds.
    pub connect_ms: Option<LatencySummary>,
    /// Time the connections were held.
    pub held_seconds: f64,
    /// Connections the broker closed meanwhile.
    pub lost: u64,
    /// Pings answered meanwhile.
    pub pings: u64,
    /// By kind, lost connections included.
    pub errors: Errors,
    /// The broker's processes; the window is the connecting.
    pub processes: Option<ProcessReport>,
    /// Growth of the processes' resident memory, once settled, by `connected`.
    pub bytes_per_connection: Option<f64>,
    /// The same when the hold ended.
    pub bytes_per_connection_at_end: Option<f64>,
}

impl ConnectReport {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "connect to {}: {} of {} connections",
            self.target,
            grouped(self.connected as u64),
            grouped(self.connections as u64)
        );
        let rate = grouped(self.connects_per_second.round() as u64);
        row(&mut out, "connecting", &format!("{:.2} s, {rate} per second", self.connect_seconds));
        if let Some(latency) = &self.connect_ms {
            let text = format!(
                "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
                latency.p50, latency.p99, latency.max
            );
            row(&mut out, "to CONNACK", &text);
        }
        let held = format!(
            "{:.1} s, {} lost, {} pings answered",
            self.held_seconds,
            grouped(self.lost),
            grouped(self.pings)
        );
        row(&mut out, "held", &held);
        row(&mut out, "errors", &self.errors.text());
        if let Some(processes) = &self.processes {
            row(&mut out, "broker", &processes.text());
        }
        if let (Some(settled), Some(end)) =
            (self.bytes_per_connection, self.bytes_per_connection_at_end)
        {
            let text = format!("{settled:.0} bytes resident settled, {end:.0} at the end");
            row(&mut out, "per connection", &text);
        }
        out
    }
}

/// Appends a labelled line.
pub fn row(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "  {label:<16}{text}");
}

/// A number with a comma before every third digit.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in the largest fitting binary unit.
pub fn bytes(size: u64) -> String {
    const KIB: f64 = 1024.0;
    let size = size as f64;
    if size < KIB {
        format!("{size} B")
    } else if size < KIB * KIB {
        format!("{:.1} KiB", size / KIB)
    } else if size < KIB * KIB * KIB {
        format!("{:.1} MiB", size / KIB / KIB)
    } else {
        format!("{:.2} GiB", size / KIB / KIB / KIB)
    }
}

#[cfg(test)]
mod tests;
