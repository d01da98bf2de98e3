//! What simulated devices send.

use std::time::SystemTime;

use bytes::Bytes;
use ironhub_domain::time::UnixMs;

use super::SimulateArgs;
use crate::cli::CommandError;

/// Largest content: the hub takes 256 KiB with everything (device-protocols.md 6.2). Over MQTT it could only close the
/// connection on more, and the device would try for ever.
pub const BODY_BYTES_MAX: usize = 255 * 1024;
/// Names and values of all properties together; half of what is left is for the message's own.
const PROPERTY_BYTES_MAX: usize = 512;

/// Longest device id (device-protocols.md 1.1).
const DEVICE_ID_BYTES_MAX: usize = 128;

const USUAL: &str =
    r#"{"device":"{device}","number":{number},"time":"{time}","temperature":{random}}"#;

/// The content of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Telemetry {
    /// A text with gaps.
    Template(String),
    /// So many bytes of nothing in particular.
    Filler(Bytes),
}

impl Telemetry {
    /// What the options say.
    pub fn of(args: &SimulateArgs) -> Result<Self, CommandError> {
        let too_much = |what: &str, most: usize| {
            let text = format!("the {what} over {most} bytes, more than a message holds");
            Err(CommandError::Usage(text))
        };
        let properties = args.properties.iter().map(|(name, value)| name.len() + value.len());
        if properties.sum::<usize>() > PROPERTY_BYTES_MAX {
            return too_much("properties are", PROPERTY_BYTES_MAX);
        }
        if let Some(size) = args.size {
            return Ok(Self::Filler(vec![b'x'; size as usize].into()));
        }
        let template = args.body.clone().unwrap_or_else(|| USUAL.to_owned());
        let this = Self::Template(template);
        let longest =
            this.render(&"x".repeat(DEVICE_ID_BYTES_MAX), u64::MAX, SystemTime::now(), 1.0);
        match longest.len() > BODY_BYTES_MAX {
            true => too_much("content is", BODY_BYTES_MAX),
            false => Ok(this),
        }
    }

    /// The content of a device's message; `random` is from 0 to 1.
    pub fn render(&self, device: &str, number: u64, now: SystemTime, random: f64) -> Bytes {
        match self {
            Self::Filler(bytes) => bytes.clone(),
            Self::Template(template) => template
                .replace("{device}", device)
                .replace("{number}", &number.to_string())
                .replace("{time}", &iso8601(now))
                .replace("{random}", &format!("{:.1}", random * 100.0))
                .into(),
        }
    }

    /// `application/json` if that is what comes out.
    pub fn content_type(&self) -> Option<&'static str> {
        let sample = match self {
            Self::Filler(_) => return None,
            Self::Template(_) => self.render("d", 1, SystemTime::UNIX_EPOCH, 0.5),
        };
        let is_json = serde_json::from_slice::<serde_json::Value>(&sample).is_ok();
        is_json.then_some("application/json")
    }
}

/// ISO 8601, UTC, milliseconds.
pub(super) fn iso8601(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).iso8601()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expected: &str, content_type: Option<&str>) {
        let telemetry = Telemetry::Template(template.to_owned());
        let body = telemetry.render("dev1", 7, SystemTime::UNIX_EPOCH, 0.1234);
        assert_eq!(body, expected.as_bytes(), "{template}");
        assert_eq!(telemetry.content_type(), content_type, "{template}");
    }

    #[test]
    fn gaps_are_filled_and_json_is_known_as_such() {
        let json = Some("application/json");
        check(r#"{"n":{number},"t":{random}}"#, r#"{"n":7,"t":12.3}"#, json);
        check("{device} at {time}", "dev1 at 1970-01-01T00:00:00.000Z", None);
        check("{other} {", "{other} {", None);
        check(
            USUAL,
            r#"{"device":"dev1","number":7,"time":"1970-01-01T00:00:00.000Z","temperature":12.3}"#,
            json,
        );
    }

    #[test]
    fn what_no_message_holds_is_refused_before_anything_is_sent() {
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            simulate: SimulateArgs,
        }
        let of = |option: &str, value: String| {
            let line = ["s".to_owned(), "d".to_owned(), option.to_owned(), value];
            let line: Line = clap::Parser::try_parse_from(line).unwrap();
            Telemetry::of(&line.simulate).map_err(|error| error.to_string())
        };
        assert!(of("--body", "x".repeat(1000)).is_ok());
        assert!(of("--body", "{device}".repeat(2100)).unwrap_err().contains("content"));
        assert!(of("--property", format!("a={}", "x".repeat(511))).is_ok());
        assert!(
            of("--property", format!("a={}", "x".repeat(512))).unwrap_err().contains("properties")
        );
    }

    #[test]
    fn a_filler_has_its_size_and_no_type() {
        let telemetry = Telemetry::Filler(vec![b'x'; 300].into());
        assert_eq!(telemetry.render("d", 1, SystemTime::UNIX_EPOCH, 0.0).len(), 300);
        assert_eq!(telemetry.content_type(), None);
    }
}
