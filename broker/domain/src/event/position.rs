//! Where a consumer starts reading, and the text it says that in (service-protocols.md 4.5).

use crate::HubError;
use crate::time::UnixMs;

/// Where in a partition a consumer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartPosition {
    /// The oldest event that is still there.
    Earliest,
    /// Only events that arrive from now on.
    Latest,
    /// By offset.
    Offset {
        /// The offset.
        value: u64,
        /// The event at this offset too.
        inclusive: bool,
    },
    /// By sequence number.
    Sequence {
        /// The sequence number.
        value: u64,
        /// The event with this number too.
        inclusive: bool,
    },
    /// By the time the hub took the event.
    EnqueuedTime {
        /// The time.
        time: UnixMs,
        /// Events of this millisecond too.
        inclusive: bool,
    },
}

/// Longest selector text that is parsed at all, in bytes.
pub const SELECTOR_BYTES_MAX: usize = 256;

#[derive(Clone, Copy)]
enum Field {
    Offset,
    Sequence,
    EnqueuedTime,
}

impl StartPosition {
    /// Reads the selector filter of a receiver's source:
    /// `amqp.annotation.` NAME (`>` or `>=`) VALUE, where VALUE may stand in single quotes.
    ///
    /// Any negative number means the beginning: `-1` is how clients say it, and some send a time before 1970 for it.
    pub fn parse_selector(text: &str) -> Result<Self, HubError> {
        let shown = || text.chars().take(SELECTOR_BYTES_MAX).collect::<String>();
        let refuse =
            |why: &str| HubError::InvalidArgument(format!("selector {:?}: {why}", shown()));
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(refuse("too long"));
        }
        let (name, rest) = text.split_once('>').ok_or_else(|| refuse("no > or >= in it"))?;
        let (inclusive, value) = match rest.strip_prefix('=') {
            Some(value) => (true, value),
            None => (false, rest),
        };
        let value = unquoted(value.trim()).ok_or_else(|| refuse("unbalanced quote"))?;
        let name = name.trim().to_ascii_lowercase();
        let field = match name.strip_prefix("amqp.annotation.") {
            Some("x-opt-offset") => Field::Offset,
            Some("x-opt-sequence-number") => Field::Sequence,
            Some("x-opt-enqueued-time" | "x-opt-enqueuedtimeutc") => Field::EnqueuedTime,
            Some(_) | None => return Err(refuse("unknown annotation")),
        };
        if value.eq_ignore_ascii_case("@latest") {
            return Ok(Self::Latest);
        }
        let value: i64 = value.parse().map_err(|_| refuse("the value is not a whole number"))?;
        let Ok(value) = u64::try_from(value) else {
            return Ok(Self::Earliest);
        };
        Ok(match field {
            Field::Offset => Self::Offset { value, inclusive },
            Field::Sequence => Self::Sequence { value, inclusive },
            Field::EnqueuedTime => Self::EnqueuedTime { time: UnixMs(value), inclusive },
        })
    }
}

fn unquoted(value: &str) -> Option<&str> {
    match (value.strip_prefix('\''), value.strip_suffix('\'')) {
        (None, None) => Some(value),
        (Some(_), Some(_)) => value.get(1..value.len() - 1).map(str::trim),
        (Some(_), None) | (None, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::StartPosition::{Earliest, EnqueuedTime, Latest, Offset, Sequence};
    use super::*;

    #[track_caller]
    fn check(rest: &str, expected: Option<StartPosition>) {
        let text = format!("amqp.annotation.{rest}");
        assert_eq!(StartPosition::parse_selector(&text).ok(), expected, "{text}");
    }

    #[test]
    fn every_spelling_of_every_client_is_understood() {
        let time = UnixMs(1_767_323_045_678);
        check("x-opt-offset > '-1'", Some(Earliest));
        check("x-opt-offset >= '-1'", Some(Earliest));
        check("x-opt-offset > '@latest'", Some(Latest));
        check("x-opt-offset > '4096'", Some(Offset { value: 4096, inclusive: false }));
        check("x-opt-offset >= '4096'", Some(Offset { value: 4096, inclusive: true }));
        check("x-opt-sequence-number > '5'", Some(Sequence { value: 5, inclusive: false }));
        check("x-opt-sequence-number >= '5'", Some(Sequence { value: 5, inclusive: true }));
        check("x-opt-sequence-number > 2995", Some(Sequence { value: 2995, inclusive: false }));
        check("x-opt-sequence-number > '-1'", Some(Earliest));
        check(
            "x-opt-enqueued-time > '1767323045678'",
            Some(EnqueuedTime { time, inclusive: false }),
        );
        check(
            "x-opt-enqueuedtimeutc > 1767323045678",
            Some(EnqueuedTime { time, inclusive: false }),
        );
        check("x-opt-enqueued-time > '-62135596800000'", Some(Earliest));
        check("x-opt-offset>='7'", Some(Offset { value: 7, inclusive: true }));
        check("X-Opt-Offset  >  ' 7 ' ", Some(Offset { value: 7, inclusive: false }));
    }

    #[test]
    fn anything_else_is_refused() {
        for rest in [
            "",
            "x-opt-offset",
            "x-opt-offset < '1'",
            "x-opt-offset = '1'",
            "x-opt-offset > ",
            "x-opt-offset > '1",
            "x-opt-offset > 1'",
            "x-opt-offset > '",
            "x-opt-offset > 'one'",
            "x-opt-offset > '1' or 1 > 0",
            "x-opt-offset > '99999999999999999999'",
            "x-opt-publisher > '1'",
        ] {
            check(rest, None);
        }
        assert!(StartPosition::parse_selector("x-opt-offset > '1'").is_err());
        assert!(StartPosition::parse_selector(&"x".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>(), rest in "[>=' @0-9a-z-]{0,20}") {
            let _ = StartPosition::parse_selector(&text);
            let _ = StartPosition::parse_selector(&format!("amqp.annotation.x-opt-offset{rest}"));
        }
    }
}
