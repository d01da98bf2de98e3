//! What the devices do, as text: a line for people, a JSON object for programs; and the sum of it.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::device::METHOD_STATUS;
use super::happening::{Event, Received};
use super::telemetry::iso8601;
use crate::cli::coloured_stdout;
use crate::cli::output::escaped;

/// Characters of a content that a line shows.
const TEXT_CHARS_SHOWN: usize = 200;

/// How much is told, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// JSON objects instead of lines.
    pub json: bool,
    /// The sum only.
    pub quiet: bool,
}

/// Tells events as they come, and counts them.
#[derive(Debug)]
pub struct Report {
    manner: Manner,
    coloured: bool,
    progress: ProgressBar,
    counts: RefCell<Counts>,
}

/// What has happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that came about.
    pub connected: u64,
    /// Connections that were lost, or did not come about.
    pub lost: u64,
    /// Devices that gave up.
    pub gave_up: u64,
    /// Why the last of them did.
    pub gave_up_why: Option<String>,
    /// Telemetry messages that the hub has.
    pub stored: u64,
    /// Telemetry messages that it does not take.
    pub not_taken: u64,
    /// Telemetry messages without an answer in the end.
    pub unanswered: u64,
    /// Cloud-to-device messages received.
    pub received: u64,
    /// Cloud-to-device messages completed.
    pub completed: u64,
    /// Methods answered.
    pub called: u64,
    /// Changes of desired properties.
    pub desired: u64,
    /// Reports that the hub accepted.
    pub reported: u64,
    /// Times to the acknowledgements together.
    pub took: Duration,
    /// The longest of them.
    pub took_longest: Duration,
}

impl Report {
    /// `messages` is how many telemetry messages all devices are to send, if that is known.
    pub fn new(manner: Manner, messages: Option<u64>) -> Self {
        // Lines on the same terminal would only push the bar up.
        let wanted = manner.quiet || !std::io::stdout().is_terminal();
        Self {
            manner,
            coloured: coloured_stdout(),
            progress: if wanted { progress(messages) } else { ProgressBar::hidden() },
            counts: RefCell::default(),
        }
    }

    /// Tells an event of a device. Fails if standard output is gone.
    pub fn tell(&self, device: &str, event: &Event) -> std::io::Result<()> {
        self.counts.borrow_mut().add(event);
        if let Event::Stored { .. } | Event::NotTaken { .. } = event {
            self.progress.inc(1);
        }
        if self.manner.quiet {
            return Ok(());
        }
        let now = SystemTime::now();
        let line = match self.manner.json {
            true => object(device, event, now).to_string(),
            false => line(device, event, now, self.coloured),
        };
        writeln!(std::io::stdout(), "{line}")
    }

    /// A device is through and leaves so many messages without an answer.
    pub fn leave(&self, unanswered: usize) {
        self.counts.borrow_mut().unanswered += unanswered as u64;
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }

    /// Tells the sum. Fails if standard output is gone.
    pub fn end(&self, devices: usize, protocol: &str, time: Duration) -> std::io::Result<()> {
        self.progress.finish_and_clear();
        let counts = self.counts();
        let text = match self.manner.json {
            true => counts.object(devices, protocol, time).to_string(),
            false => counts.text(devices, protocol, time),
        };
        writeln!(std::io::stdout(), "{text}")
    }
}

impl Counts {
    fn add(&mut self, event: &Event) {
        let count = match event {
            Event::Connected => &mut self.connected,
            Event::Lost { .. } => &mut self.lost,
            Event::GaveUp { why } => {
                self.gave_up_why = Some(why.clone());
                &mut self.gave_up
            }
            Event::Stored { took, .. } => {
                self.took += *took;
                self.took_longest = self.took_longest.max(*took);
                &mut self.stored
            }
            Event::NotTaken { .. } => &mut self.not_taken,
            Event::Received(_) => &mut self.received,
            Event::Completed { .. } => &mut self.completed,
            Event::Called { .. } => &mut self.called,
            Event::Desired { .. } => &mut self.desired,
            Event::Reported { .. } => &mut self.reported,
            Event::Twin { .. } | Event::TwinRefused { .. } => return,
        };
        *count += 1;
    }

    fn mean(&self) -> Duration {
        self.took.checked_div(u32::try_from(self.stored).unwrap_or(u32::MAX)).unwrap_or_default()
    }

    fn per_second(&self, time: Duration) -> f64 {
        self.stored as f64 / time.as_secs_f64().max(0.001)
    }

    fn text(&self, devices: usize, protocol: &str, time: Duration) -> String {
        let Self { stored, not_taken, unanswered, received, completed, .. } = self;
        let Self { connected, lost, gave_up, called, desired, reported, .. } = self;
        let (rate, mean, longest) = (self.per_second(time), ms(self.mean()), ms(self.took_longest));
        let seconds = time.as_secs_f64();
        let noun = if devices == 1 { "device" } else { "devices" };
        format!(
            "{devices} {noun} over {protocol} for {seconds:.1} s\n\
             telemetry    {stored} stored ({rate:.1}/s; mean {mean} ms, longest {longest} ms), \
             {not_taken} not taken, {unanswered} without answer\n\
             messages     {received} received, {completed} completed\n\
             methods      {called} answered\n\
             twin         {desired} desired changes, {reported} reports\n\
             connections  {connected} made, {lost} lost, {gave_up} given up"
        )
    }

    fn object(&self, devices: usize, protocol: &str, time: Duration) -> Value {
        json!({
            "event": "summary", "devices": devices, "protocol": protocol,
            "seconds": time.as_secs_f64(), "telemetryStored": self.stored,
            "telemetryNotTaken": self.not_taken, "telemetryUnanswered": self.unanswered,
            "perSecond": self.per_second(time), "meanMilliseconds": exact_ms(self.mean()),
            "longestMilliseconds": exact_ms(self.took_longest),
            "messagesReceived": self.received, "messagesCompleted": self.completed,
            "methodsAnswered": self.called, "desiredChanges": self.desired,
            "reports": self.reported, "connections": self.connected,
            "connectionsLost": self.lost, "gaveUp": self.gave_up,
        })
    }
}

/// For people: when, who, what.
pub fn line(device: &str, event: &Event, now: SystemTime, coloured: bool) -> String {
    let paint = |code: &str, text: &str| match coloured {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let bad = matches!(
        event,
        Event::NotTaken { .. }
            | Event::TwinRefused { .. }
            | Event::Lost { .. }
            | Event::GaveUp { .. }
    );
    // What the hub passes on must not move the cursor.
    let told = escaped(&words(event));
    let told = if bad { paint("31", &told) } else { told };
    format!("{}  {}  {told}", paint("2", &iso8601(now)), paint("1;36", &escaped(device)))
}

fn words(event: &Event) -> String {
    let of =
        |id: &Option<String>| id.as_ref().map_or("message".into(), |id| format!("message {id}"));
    match event {
        Event::Connected => "connected".to_owned(),
        Event::Stored { number, took } => {
            format!("telemetry {number} stored after {} ms", ms(*took))
        }
        Event::NotTaken { number, why } => format!("telemetry {number} not taken: {why}"),
        Event::Received(Received { id, properties, body, .. }) => {
            let mut text = format!("{} received: {}", of(id), shown(body));
            for (name, value) in properties {
                text += "  ";
                text += name;
                text += &value.as_ref().map_or_else(String::new, |value| format!("={value}"));
            }
            text
        }
        Event::Completed { id } => format!("{} completed", of(id)),
        Event::Called { name, payload } => {
            format!("method {name} called: {}, answered {METHOD_STATUS}", shown(payload))
        }
        Event::Twin { desired, reported } => {
            format!("twin read: desired version {desired}, reported version {reported}")
        }
        Event::Desired { version, patch } => {
            format!("desired version {version}: {}", shown(patch.to_string().as_bytes()))
        }
        Event::Reported { version } => format!("reported version {version}"),
        Event::TwinRefused { status, why } => format!("twin refused ({status}): {why}"),
        Event::Lost { why, again_in } => {
            format!("not connected: {why}; again in {:.1} s", again_in.as_secs_f64())
        }
        Event::GaveUp { why } => format!("gave up: {why}"),
    }
}

/// A content as text, not too much of it.
fn shown(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return format!("<{} bytes>", bytes.len()) };
    match text.char_indices().nth(TEXT_CHARS_SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// For programs.
pub fn object(device: &str, event: &Event, now: SystemTime) -> Value {
    let (name, rest) = match event {
        Event::Connected => ("connected", json!({})),
        Event::Stored { number, took } => {
            ("telemetryStored", json!({"number": number, "milliseconds": exact_ms(*took)}))
        }
        Event::NotTaken { number, why } => {
            ("telemetryNotTaken", json!({"number": number, "reason": why}))
        }
        Event::Received(Received { id, properties, body, .. }) => {
            let properties: Map<String, Value> =
                properties.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let (key, content) = match std::str::from_utf8(body) {
                Ok(text) => ("body", text.to_owned()),
                Err(_) => ("bodyBase64", BASE64_STANDARD.encode(body)),
            };
            let rest = json!({"messageId": id, "properties": properties, key: content});
            ("messageReceived", rest)
        }
        Event::Completed { id } => ("messageCompleted", json!({"messageId": id})),
        Event::Called { name, payload } => {
            let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
            let rest = json!({"method": name, "payload": payload, "status": METHOD_STATUS});
            ("methodCalled", rest)
        }
        Event::Twin { desired, reported } => {
            ("twinRead", json!({"desiredVersion": desired, "reportedVersion": reported}))
        }
        Event::Desired { version, patch } => {
            ("desiredChanged", json!({"version": version, "patch": patch}))
        }
        Event::Reported { version } => ("reported", json!({"version": version})),
        Event::TwinRefused { status, why } => {
            ("twinRefused", json!({"status": status, "reason": why}))
        }
        Event::Lost { why, again_in } => {
            ("connectionLost", json!({"reason": why, "againInMilliseconds": exact_ms(*again_in)}))
        }
        Event::GaveUp { why } => ("gaveUp", json!({"reason": why})),
    };
    let mut object = json!({"time": iso8601(now), "deviceId": device, "event": name});
    if let (Some(object), Value::Object(rest)) = (object.as_object_mut(), rest) {
        object.extend(rest);
    }
    object
}

fn ms(time: Duration) -> String {
    format!("{:.1}", exact_ms(time))
}

fn exact_ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Draws itself on standard error, and only on a terminal.
fn progress(messages: Option<u64>) -> ProgressBar {
    let (bar, template) = match messages {
        Some(messages) => (ProgressBar::new(messages), "{bar:40} {pos}/{len} messages, {per_sec}"),
        None => (ProgressBar::new_spinner(), "{spinner} {pos} messages, {per_sec}, {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
