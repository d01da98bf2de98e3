//! Time as the rules see it: a number that somebody else read from a clock.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Iso8601;
use time::macros::format_description;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixMs(pub u64);

/// What a timestamp that was never set looks like in the registry's JSON (service-protocols.md 2.1).
pub const NEVER_ISO8601: &str = "0001-01-01T00:00:00Z";

const WRITTEN: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

impl UnixMs {
    /// ISO 8601 in UTC with milliseconds, e.g. `2026-11-22T21:55:00.000Z`. A time after the year 9999 shows as that
    /// year's last moment.
    pub fn iso8601(self) -> String {
        const YEAR_9999_END_MS: u64 = 253_402_300_799_999;
        let nanos = i128::from(self.0.min(YEAR_9999_END_MS)) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .ok()
            .and_then(|time| time.format(WRITTEN).ok())
            .unwrap_or_else(|| NEVER_ISO8601.to_owned())
    }

    /// As the registry's JSON shows a time: seven digits of a second, and zero as [`NEVER_ISO8601`].
    pub fn registry_time(self) -> String {
        match self {
            Self(0) => NEVER_ISO8601.to_owned(),
            time => format!("{}0000Z", time.iso8601().trim_end_matches('Z')),
        }
    }

    /// Reads ISO 8601 with any number of fraction digits; without an offset it is UTC, as Python's SDK writes it.
    /// `None` for anything else and for times before 1970.
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        // No timestamp is longer; the parser need not see more.
        const CHARS_MAX: usize = 40;
        if text.len() > CHARS_MAX {
            return None;
        }
        let time = OffsetDateTime::parse(text, &Iso8601::PARSING)
            .or_else(|_| {
                time::PrimitiveDateTime::parse(text, &Iso8601::PARSING)
                    .map(|time| time.assume_utc())
            })
            .ok()?;
        u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds() {
        assert_eq!(UnixMs(0).iso8601(), "1970-01-01T00:00:00.000Z");
        assert_eq!(UnixMs(1_767_323_045_678).iso8601(), "2026-01-02T03:04:05.678Z");
        assert_eq!(UnixMs(u64::MAX).iso8601(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_registry_shows_seven_digits_and_zero_as_never() {
        assert_eq!(UnixMs(0).registry_time(), "0001-01-01T00:00:00Z");
        assert_eq!(UnixMs(1_767_323_045_678).registry_time(), "2026-01-02T03:04:05.6780000Z");
    }

    #[test]
    fn a_time_is_read_as_the_sdks_write_it() {
        for (text, expected) in [
            ("2026-01-02T03:04:05.678Z", Some(1_767_323_045_678)),
            ("2026-01-02T03:04:05.6789999Z", Some(1_767_323_045_678)),
            ("2026-01-02T03:04:05Z", Some(1_767_323_045_000)),
            ("2026-01-02T03:04:05", Some(1_767_323_045_000)),
            ("2026-01-02T04:04:05+01:00", Some(1_767_323_045_000)),
            ("0001-01-01T00:00:00Z", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(UnixMs::parse_iso8601(text), expected.map(UnixMs), "{text}");
        }
        assert_eq!(UnixMs::parse_iso8601(&"2".repeat(100_000)), None);
    }
}
