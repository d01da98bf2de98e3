//! `ironhub device simulate`: plays devices against a hub, over whichever protocol.
//!
//! [`device`] has the rules: what a device does about what happens to it ([`happening`]), without I/O. [`transport`] is the
//! seam to the protocols ([`mqtt`], [`amqp`], [`https`]), [`run`] keeps the devices going, [`report`] says what happens, [`fleet`]
//! knows who takes part, [`telemetry`] what is sent.

pub mod amqp;
pub mod device;
pub mod fleet;
pub mod happening;
pub mod https;
pub mod mqtt;
mod mqtt_topic;
pub mod report;
pub mod run;
pub mod telemetry;
pub mod transport;

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::connection::ConnectionArgs;
pub use run::run;

/// Devices that are played at a time: each has a socket, and an ordinary limit of open files is 1024.
pub const DEVICES_MAX: usize = 500;
/// Shortest pause between two messages of a device.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

pub(super) const EXAMPLES: &str = "\
One device, registered if it is new: a message a second until Ctrl-C. It answers every
method with its payload, completes every message and reports what is desired of it:
  ironhub device simulate dev1 --create

In other terminals, while it runs:
  ironhub method invoke echo dev1 --payload '{\"ping\":1}'
  ironhub c2d send dev1 hello
  ironhub twin update dev1 --desired '{\"interval\":10}'
  ironhub events

A hundred devices sim-1 to sim-100 over AMQP, ten messages each, only the sum of it:
  ironhub device simulate --count 100 --create --protocol amqp --messages 10 --quiet

Content of one's own; {device}, {number}, {time} and {random} are filled in:
  ironhub device simulate dev1 --body '{\"t\":{random},\"n\":{number}}' --property room=kitchen

A device that only listens, for a minute; what happens as one JSON object per line:
  ironhub device simulate dev1 --messages 0 --duration 1m --json

A device of any hub, with nothing but its own connection string:
  ironhub device simulate --connection-string \"$(ironhub device create dev2)\" --messages 1

https carries telemetry and cloud-to-device messages only: no twin, no methods.
Exit code 1 if nothing could be sent, or a device had to give up.";

/// How devices connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// MQTT on port 8883
    Mqtt,
    /// MQTT in WebSocket on port 443
    MqttWs,
    /// AMQP on port 5671
    Amqp,
    /// AMQP in WebSocket on port 443
    AmqpWs,
    /// HTTPS on port 443: no twin and no methods
    Https,
}

impl Protocol {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::MqttWs => "mqtt-ws",
            Self::Amqp => "amqp",
            Self::AmqpWs => "amqp-ws",
            Self::Https => "https",
        }
    }
}

/// Options of `device simulate`.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// The devices' ids
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "count")]
    pub ids: Vec<String>,
    /// So many devices, named PREFIX1, PREFIX2 …
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=DEVICES_MAX as i64))]
    pub count: Option<u16>,
    /// How the names of --count begin [default: sim-]
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Register those that do not exist; they stay registered
    #[arg(long)]
    pub create: bool,
    /// How they connect
    #[arg(long, value_name = "PROTOCOL", default_value = "mqtt")]
    pub protocol: Protocol,
    /// Pause between two messages of a device, like 500ms, 10s, 2m
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// End after so many messages of each device; 0 only listens [default: goes on until Ctrl-C]
    #[arg(long, value_name = "N")]
    pub messages: Option<u64>,
    /// End after this time, like 30s, 10m, 2h; devices whose messages are sent listen until then
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub duration: Option<Duration>,
    /// Content of the messages, with {device}, {number}, {time}, {random} filled in [default: some JSON]
    #[arg(long, alias = "template", value_name = "TEXT")]
    pub body: Option<String>,
    /// Content of so many bytes instead
    #[arg(long, value_name = "BYTES", conflicts_with = "body", value_parser = clap::value_parser!(u32).range(0..=telemetry::BODY_BYTES_MAX as i64))]
    pub size: Option<u32>,
    /// An application property of every message; may be repeated
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = super::c2d::property)]
    pub properties: Vec<(String, String)>,
    /// Tell the end only; on a terminal a progress bar meanwhile
    #[arg(long)]
    pub quiet: bool,
    /// One JSON object per event and line
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

fn interval(text: &str) -> Result<Duration, String> {
    time(text).and_then(|interval| match interval < INTERVAL_MIN {
        true => Err("it is at least 1ms".into()),
        false => Ok(interval),
    })
}

/// A whole number with a unit.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let wrong = || "write it as a whole number with ms, s, m or h, like 500ms".to_owned();
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    // A year is longer than anybody waits, and every clock can add it.
    const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
    let time = number.checked_mul(milliseconds).map(Duration::from_millis);
    time.filter(|time| *time <= YEAR).ok_or_else(|| "that is longer than a year".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        simulate: SimulateArgs,
    }

    fn check(line: &str, expected: &str) {
        let found = match Line::try_parse_from(line.split_whitespace()) {
            Ok(Line { simulate: args }) => format!(
                "{:?} {:?} {} {:?} {:?}",
                args.ids,
                args.count,
                args.protocol.name(),
                args.interval,
                args.messages
            ),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{line}: {found}");
    }

    #[test]
    fn options_say_who_sends_what_and_how() {
        check("s d1 d2", r#"["d1", "d2"] None mqtt 1s None"#);
        check("s --count 3 --prefix x --protocol amqp-ws", "[] Some(3) amqp-ws 1s None");
        check("s d --interval 250ms --messages 0", "250ms Some(0)");
        check("s d --protocol coap", "possible values: mqtt, mqtt-ws, amqp, amqp-ws, https");
        check("s d --count 3", "cannot be used with");
        check("s --count 501", "1..=500");
        check("s d --size 1 --body x", "cannot be used with");
        check("s d --size 261121", "0..=261120");
        check("s d --property a", "NAME=VALUE");
    }

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [
            ("500ms", Ok(Duration::from_millis(500))),
            ("10s", Ok(Duration::from_secs(10))),
            ("2m", Ok(Duration::from_secs(120))),
            ("1h", Ok(Duration::from_secs(3600))),
            ("10", Err("like 500ms")),
            ("s", Err("like 500ms")),
            ("-1s", Err("like 500ms")),
            ("1.5s", Err("like 500ms")),
            ("9000h", Err("longer than a year")),
            ("99999999999999999h", Err("longer than a year")),
        ] {
            let found = time(text);
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected), "{text}"),
                Err(part) => {
                    assert!(found.as_ref().is_err_and(|e| e.contains(part)), "{text}: {found:?}");
                }
            }
        }
        assert!(interval("0s").is_err() && interval("1ms").is_ok());
    }
}
