//! `Range` and `x-ms-range`: one range of bytes.

use std::ops::Range;

use hyper::HeaderMap;
use hyper::header::RANGE;

use crate::blob::error::BlobError;

/// The bytes of a blob of `size` that a request asks for; `None` for all of them. `x-ms-range` wins over `Range`. What is
/// not one range of bytes is ignored (RFC 9110 14.2).
pub(super) fn asked(headers: &HeaderMap, size: u64) -> Result<Option<Range<u64>>, BlobError> {
    let header = headers.get("x-ms-range").or_else(|| headers.get(RANGE));
    let Some(text) = header.and_then(|value| value.to_str().ok()) else { return Ok(None) };
    parse(text, size)
}

fn parse(text: &str, size: u64) -> Result<Option<Range<u64>>, BlobError> {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|r| r.split_once('-'))
    else {
        return Ok(None);
    };
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than a u64 has is a position behind every end.
        plain.then(|| digits.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (number(first), number(last)) {
        (Some(start), Some(end)) if start <= end => start..end.saturating_add(1).min(size),
        (Some(start), None) if last.is_empty() => start..size,
        (None, Some(length)) if first.is_empty() => size.saturating_sub(length)..size,
        _ => return Ok(None),
    };
    if range.start >= size { Err(BlobError::Range { size }) } else { Ok(Some(range)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, size: u64, expected: Option<Option<Range<u64>>>) {
        assert_eq!(parse(text, size).ok(), expected, "{text} of {size}");
    }

    #[test]
    fn a_range_is_cut_to_the_blob() {
        check("bytes=0-0", 10, Some(Some(0..1)));
        check("bytes=2-5", 10, Some(Some(2..6)));
        check("bytes=2-500", 10, Some(Some(2..10)));
        check("bytes=9-", 10, Some(Some(9..10)));
        check("bytes=-3", 10, Some(Some(7..10)));
        check("bytes=-30", 10, Some(Some(0..10)));
        check("bytes=0-99999999999999999999999", 10, Some(Some(0..10)));
    }

    #[test]
    fn a_range_behind_the_end_is_refused() {
        for text in ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999999-", "bytes=-0"] {
            check(text, 10, None);
        }
        check("bytes=0-", 0, None);
        check("bytes=-5", 0, None);
    }

    #[test]
    fn what_is_not_one_range_of_bytes_is_ignored() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=0-1,4-5",
            "lines=0-1",
            "bytes=+1-2",
        ] {
            check(text, 10, Some(None));
        }
    }
}
