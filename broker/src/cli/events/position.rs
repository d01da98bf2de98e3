//! `--from`: where to start, and the selector that says it to the hub (service-protocols.md 4.5).

use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// The oldest event that the hub keeps.
    Earliest,
    /// Only what comes after attaching.
    Latest,
    /// From the event at this offset on.
    Offset(u64),
    /// From the event with this number on.
    Sequence(u64),
    /// From this time on, milliseconds since 1970.
    Time(i64),
}

impl StartAt {
    /// Whether it means something in one partition only.
    pub(super) fn is_of_one_partition(self) -> bool {
        matches!(self, Self::Offset(_) | Self::Sequence(_))
    }

    /// The filter's text.
    pub(super) fn selector(self) -> String {
        let (name, comparison, value) = match self {
            Self::Earliest => ("x-opt-offset", ">", "-1".to_owned()),
            Self::Latest => ("x-opt-offset", ">", "@latest".to_owned()),
            Self::Offset(offset) => ("x-opt-offset", ">=", offset.to_string()),
            Self::Sequence(sequence) => ("x-opt-sequence-number", ">=", sequence.to_string()),
            Self::Time(ms) => ("x-opt-enqueued-time", ">", ms.saturating_sub(1).to_string()),
        };
        format!("amqp.annotation.{name} {comparison} '{value}'")
    }
}

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |value: &str| value.parse().map_err(|_| format!("{value:?} is not a number"));
        match text.split_once(':') {
            None if text == "earliest" => Ok(Self::Earliest),
            None if text == "latest" => Ok(Self::Latest),
            Some(("offset", value)) => number(value).map(Self::Offset),
            Some(("sequence", value)) => number(value).map(Self::Sequence),
            Some(("time", value)) => {
                let time = OffsetDateTime::parse(value, &Rfc3339)
                    .map_err(|_| format!("{value:?} is not a time like 2026-01-31T08:00:00Z"))?;
                let ms = time.unix_timestamp_nanos() / 1_000_000;
                i64::try_from(ms).map(Self::Time).map_err(|_| "the time is out of range".into())
            }
            None | Some(_) => {
                Err("use earliest, latest, time:RFC3339, offset:N or sequence:N".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, ()>) {
        let selector = text.parse::<StartAt>().map(StartAt::selector);
        let expected = expected.map(|rest| format!("amqp.annotation.{rest}"));
        assert_eq!(selector.map_err(drop), expected, "{text}");
    }

    #[test]
    fn every_position_has_its_selector() {
        check("earliest", Ok("x-opt-offset > '-1'"));
        check("latest", Ok("x-opt-offset > '@latest'"));
        check("offset:4096", Ok("x-opt-offset >= '4096'"));
        check("sequence:5", Ok("x-opt-sequence-number >= '5'"));
        check("time:2026-01-02T03:04:05.679Z", Ok("x-opt-enqueued-time > '1767323045678'"));
        check("time:2026-01-02T04:04:05.679+01:00", Ok("x-opt-enqueued-time > '1767323045678'"));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "first", "offset", "offset:", "offset:-1", "sequence:x", "time:noon"] {
            check(text, Err(()));
        }
    }
}
