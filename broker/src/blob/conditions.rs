//! Conditional requests: `If-Match`, `If-None-Match` and the two dates (RFC 9110 13, and Azure's answers to them).

use hyper::HeaderMap;
use hyper::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use ironhub_domain::time::UnixMs;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::error::BlobError;

/// RFC 1123, as HTTP writes dates.
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// A time as HTTP writes it, in whole seconds.
pub fn http_date(at: UnixMs) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(HTTP_DATE).ok())
        .unwrap_or_default()
}

/// Seconds since 1970 of a date; `None` for what is none.
fn parse_date(text: &str) -> Option<i64> {
    Some(PrimitiveDateTime::parse(text, HTTP_DATE).ok()?.assume_utc().unix_timestamp())
}

/// What a request demands of the blob as it is.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    matches: Option<String>,
    none_matches: Option<String>,
    modified_since: Option<i64>,
    unmodified_since: Option<i64>,
    /// The token creates only.
    pub must_be_new: bool,
}

/// The blob as it is, as far as conditions look at it.
#[derive(Clone, Copy, Debug)]
pub struct Current<'a> {
    /// Its ETag, quoted.
    pub etag: &'a str,
    /// Its last write.
    pub modified: UnixMs,
}

impl Conditions {
    /// Those of a token that may only create.
    pub fn of_token(create_only: bool) -> Self {
        Self { must_be_new: create_only, ..Self::default() }
    }

    /// Reads the headers. A date that is none is as good as absent (RFC 9110 13.1.3).
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.trim().to_owned());
        Self {
            matches: text(IF_MATCH),
            none_matches: text(IF_NONE_MATCH),
            modified_since: text(IF_MODIFIED_SINCE).and_then(|date| parse_date(&date)),
            unmodified_since: text(IF_UNMODIFIED_SINCE).and_then(|date| parse_date(&date)),
            must_be_new: false,
        }
    }

    /// Whether the blob may be written or deleted.
    pub fn check_write(&self, current: Option<Current<'_>>) -> Result<(), BlobError> {
        if current.is_some() && (self.must_be_new || self.none_matches.as_deref() == Some("*")) {
            return Err(BlobError::AlreadyExists);
        }
        match self.check_read(current) {
            Err(BlobError::NotModified) => Err(BlobError::ConditionNotMet),
            outcome => outcome,
        }
    }

    /// Whether the blob may be read, or need not be.
    pub fn check_read(&self, current: Option<Current<'_>>) -> Result<(), BlobError> {
        let Some(Current { etag, modified }) = current else {
            let wants_one = self.matches.is_some();
            return if wants_one { Err(BlobError::ConditionNotMet) } else { Ok(()) };
        };
        let seconds = i64::try_from(modified.0 / 1000).unwrap_or(i64::MAX);
        let holds = match (&self.matches, self.unmodified_since) {
            (Some(wanted), _) => names(wanted, etag),
            (None, Some(date)) => seconds <= date,
            (None, None) => true,
        };
        if !holds {
            return Err(BlobError::ConditionNotMet);
        }
        let unchanged = match (&self.none_matches, self.modified_since) {
            (Some(known), _) => names(known, etag),
            (None, Some(date)) => seconds <= date,
            (None, None) => false,
        };
        if unchanged { Err(BlobError::NotModified) } else { Ok(()) }
    }
}

/// Whether a list of ETags names this one. Clients are seen to leave the quotes away.
fn names(list: &str, etag: &str) -> bool {
    let bare = etag.trim_matches('"');
    list.split(',').map(str::trim).any(|one| one == "*" || one.trim_matches('"') == bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIED: UnixMs = UnixMs(1_767_323_045_678);

    fn check(headers: &[(HeaderName, &str)], exists: bool, write: &str, read: &str) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let conditions = Conditions::of(&headers);
        let current = exists.then_some(Current { etag: "\"0x1\"", modified: MODIFIED });
        let show = |outcome: Result<(), BlobError>| match outcome {
            Ok(()) => "ok",
            Err(BlobError::AlreadyExists) => "exists",
            Err(BlobError::ConditionNotMet) => "not met",
            Err(BlobError::NotModified) => "not modified",
            Err(_) => "another error",
        };
        assert_eq!(show(conditions.check_write(current)), write, "{headers:?} write");
        assert_eq!(show(conditions.check_read(current)), read, "{headers:?} read");
    }

    #[test]
    fn dates_are_written_as_http_does() {
        assert_eq!(http_date(MODIFIED), "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(parse_date("Fri, 02 Jan 2026 03:04:05 GMT"), Some(1_767_323_045));
    }

    #[test]
    fn conditions_look_at_the_blob_as_it_is() {
        check(&[], true, "ok", "ok");
        check(&[], false, "ok", "ok");
        check(&[(IF_NONE_MATCH, "*")], true, "exists", "not modified");
        check(&[(IF_NONE_MATCH, "*")], false, "ok", "ok");
        check(&[(IF_NONE_MATCH, "\"0x1\"")], true, "not met", "not modified");
        check(&[(IF_NONE_MATCH, "\"0x2\"")], true, "ok", "ok");
        check(&[(IF_MATCH, "0x1")], true, "ok", "ok");
        check(&[(IF_MATCH, "\"0x2\", \"0x1\"")], true, "ok", "ok");
        check(&[(IF_MATCH, "\"0x2\"")], true, "not met", "not met");
        check(&[(IF_MATCH, "*")], false, "not met", "not met");
        let at = "Fri, 02 Jan 2026 03:04:05 GMT";
        let before = "Fri, 02 Jan 2026 03:04:04 GMT";
        check(&[(IF_UNMODIFIED_SINCE, at)], true, "ok", "ok");
        check(&[(IF_UNMODIFIED_SINCE, before)], true, "not met", "not met");
        check(&[(IF_MODIFIED_SINCE, at)], true, "not met", "not modified");
        check(&[(IF_MODIFIED_SINCE, before)], true, "ok", "ok");
        check(&[(IF_MODIFIED_SINCE, "tomorrow")], true, "ok", "ok");
    }
}
