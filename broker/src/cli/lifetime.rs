//! How long a token is good, as somebody types it.

use std::time::{Duration, SystemTime};

/// Longest lifetime: ten years.
const DAYS_MAX: u64 = 3650;
const DAY: u64 = 24 * 3600;

/// Reads a number of seconds, or one with `s`, `m`, `h` or `d` behind it: 1 second to 3650 days.
pub fn lifetime(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], DAY),
        Some(_) | None => (text, 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match seconds.filter(|seconds| (1..=DAYS_MAX * DAY).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(format!("a time like 90s, 15m, 12h or 30d, up to {DAYS_MAX}d")),
    }
}

/// When a token made now ends, in seconds since 1970.
pub fn expiry(lifetime: Duration) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (now + lifetime).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_a_unit_or_seconds() {
        for (text, expected) in [
            ("1", Some(1)),
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("3650d", Some(315_360_000)),
            ("3651d", None),
            ("0", None),
            ("", None),
            ("h", None),
            ("-1h", None),
            ("1.5h", None),
            ("1y", None),
            ("1\u{e4}", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(lifetime(text).ok(), expected.map(Duration::from_secs), "{text}");
        }
    }
}
