//! Values of properties as text, which is what they are to the hub and to every other protocol (device-protocols.md 3.8,
//! service-protocols.md 3.4). Pure.

use ironhub_domain::HubError;
use ironhub_domain::time::UnixMs;
use ironhub_domain::uuid::Uuid;
use ironhub_wire::amqp::Value;

/// Why a value has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotText {
    /// Properties are text to every consumer, and a replacement character would change data unseen.
    #[error("a binary property is not UTF-8")]
    Binary,
    /// Lists, maps, decimals and the like.
    #[error("a property is neither text nor a number, time or UUID")]
    Type,
}

impl From<NotText> for HubError {
    fn from(why: NotText) -> Self {
        Self::InvalidArgument(why.to_string())
    }
}

/// A value as text, as the other protocols would have brought it; null stays null.
pub(super) fn text_of(value: &Value) -> Result<Option<String>, NotText> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.as_str().to_owned(),
        Value::Symbol(symbol) => symbol.as_str().to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Timestamp(ms) => iso8601(*ms),
        Value::Ulong(n) => n.to_string(),
        Value::Float(n) => n.to_string(),
        Value::Double(n) => n.to_string(),
        Value::Char(c) => c.to_string(),
        Value::Uuid(bytes) => Uuid(*bytes).to_string(),
        Value::Binary(bytes) => std::str::from_utf8(bytes).map_err(|_| NotText::Binary)?.to_owned(),
        Value::Ubyte(_)
        | Value::Ushort(_)
        | Value::Uint(_)
        | Value::Byte(_)
        | Value::Short(_)
        | Value::Int(_)
        | Value::Long(_) => value.as_integer().unwrap_or_default().to_string(),
        Value::Decimal32(_)
        | Value::Decimal64(_)
        | Value::Decimal128(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Array(_)
        | Value::Described(_) => return Err(NotText::Type),
    }))
}

/// A time before 1970 shows as its beginning.
pub(super) fn iso8601(ms: i64) -> String {
    UnixMs(u64::try_from(ms).unwrap_or(0)).iso8601()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ironhub_wire::amqp::Map;

    use super::*;

    fn check(value: Value, expected: Result<Option<&str>, NotText>) {
        let shown = text_of(&value);
        assert_eq!(shown.as_ref().map(Option::as_deref).map_err(|why| *why), expected, "{value:?}");
    }

    #[test]
    fn every_plain_type_has_a_text_and_nothing_else_has() {
        let id = [0x0f, 0x1e, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255];
        check(Value::string("v"), Ok(Some("v")));
        check(Value::symbol("s"), Ok(Some("s")));
        check(Value::Null, Ok(None));
        check(Value::Bool(true), Ok(Some("true")));
        check(Value::Int(-5), Ok(Some("-5")));
        check(Value::Ulong(u64::MAX), Ok(Some("18446744073709551615")));
        check(Value::Double(1.5), Ok(Some("1.5")));
        check(Value::Timestamp(1_767_323_045_678), Ok(Some("2026-01-02T03:04:05.678Z")));
        check(Value::Timestamp(-1), Ok(Some("1970-01-01T00:00:00.000Z")));
        check(Value::Uuid(id), Ok(Some("0f1e0203-0405-0607-0809-0a0b0c0d0eff")));
        check(Value::Binary(Bytes::from_static(b"b")), Ok(Some("b")));
        check(Value::Binary(Bytes::from_static(&[0xff])), Err(NotText::Binary));
        check(Value::List(Vec::new()), Err(NotText::Type));
        check(Value::Map(Map::default()), Err(NotText::Type));
    }
}
