//! A call, as services ask for it (service-protocols.md 2.8).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::HubError;
use crate::limits::{
    METHOD_CONNECT_SECONDS, METHOD_ENVELOPE_BYTES_MAX, METHOD_NAME_CHARS_MAX,
    METHOD_RESPONSE_SECONDS,
};

/// A call of a direct method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodCall {
    /// Name; case-sensitive.
    pub name: String,
    /// JSON; `null` if the service sent none.
    pub payload: Bytes,
    /// How long to wait for the device to answer.
    pub response_timeout: Duration,
    /// How long to wait for the device to connect; 0 for not at all.
    pub connect_timeout: Duration,
}

impl MethodCall {
    /// How long a call waits for its answer that does not say.
    pub const RESPONSE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

    /// Reads a service's JSON: `methodName`, and perhaps `payload`, `responseTimeoutInSeconds` (older clients:
    /// `timeoutInSeconds`) and `connectTimeoutInSeconds`; null is as good as absent. The payload stays as it was written,
    /// at most `payload_bytes_max` of it.
    pub fn parse(body: &[u8], payload_bytes_max: usize) -> Result<Self, HubError> {
        let max = payload_bytes_max.saturating_add(METHOD_ENVELOPE_BYTES_MAX);
        if body.len() > max {
            return Err(HubError::MessageTooLarge { size: body.len(), max });
        }
        let members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the body is not a JSON object: {error}")))?;
        let member = |name: &str| {
            members.get(name).map(|value| value.get()).filter(|value| *value != "null")
        };
        let name = member("methodName").ok_or_else(|| wrong("methodName is missing".into()))?;
        let name = serde_json::from_str(name).map_err(|_| wrong("methodName is no text".into()))?;
        let seconds = |name: &str| {
            let read = |value| {
                serde_json::from_str(value)
                    .map(Duration::from_secs)
                    .map_err(|_| wrong(format!("{name} is not a number of seconds")))
            };
            member(name).map(read).transpose()
        };
        let response = match seconds("responseTimeoutInSeconds")? {
            Some(timeout) => Some(timeout),
            None => seconds("timeoutInSeconds")?,
        };
        let call = Self {
            name,
            payload: Bytes::copy_from_slice(member("payload").unwrap_or("null").as_bytes()),
            response_timeout: response.unwrap_or(Self::RESPONSE_TIMEOUT_DEFAULT),
            connect_timeout: seconds("connectTimeoutInSeconds")?.unwrap_or_default(),
        };
        call.validate(payload_bytes_max)?;
        Ok(call)
    }

    /// Whether name, timeouts and size keep their rules.
    pub fn validate(&self, payload_bytes_max: usize) -> Result<(), HubError> {
        check_name(&self.name)?;
        for (name, timeout, seconds) in [
            ("responseTimeoutInSeconds", self.response_timeout, METHOD_RESPONSE_SECONDS),
            ("connectTimeoutInSeconds", self.connect_timeout, METHOD_CONNECT_SECONDS),
        ] {
            check_timeout(name, timeout, &seconds)?;
        }
        match self.payload.len() {
            size if size > payload_bytes_max => {
                Err(HubError::MessageTooLarge { size, max: payload_bytes_max })
            }
            _ => Ok(()),
        }
    }
}

/// ASCII without controls, white space and what has a meaning in HTTP or in a topic that the name becomes part of: some
/// clients take the name from the topic as it stands, others decode it.
fn check_name(name: &str) -> Result<(), HubError> {
    if name.is_empty() {
        return Err(wrong("methodName is empty".into()));
    }
    if name.chars().count() > METHOD_NAME_CHARS_MAX {
        return Err(wrong(format!("methodName has more than {METHOD_NAME_CHARS_MAX} characters")));
    }
    let is_bad = |c: &char| !c.is_ascii_graphic() || "$()<>@,;:\\\"/[]?={}#+%".contains(*c);
    match name.chars().find(is_bad) {
        Some(bad) => Err(wrong(format!("methodName has the character {bad:?}"))),
        None => Ok(()),
    }
}

fn check_timeout(
    name: &str,
    timeout: Duration,
    seconds: &RangeInclusive<u64>,
) -> Result<(), HubError> {
    let (min, max) = (seconds.start(), seconds.end());
    if (Duration::from_secs(*min)..=Duration::from_secs(*max)).contains(&timeout) {
        return Ok(());
    }
    Err(wrong(format!("{name} is not in {min} to {max}")))
}

fn wrong(why: String) -> HubError {
    HubError::InvalidArgument(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Result<(&str, &str, u64, u64), &str>) {
        let call = MethodCall::parse(body.as_bytes(), 16);
        match (call, expected) {
            (Ok(call), Ok((name, payload, response, connect))) => assert_eq!(
                call,
                MethodCall {
                    name: name.into(),
                    payload: Bytes::copy_from_slice(payload.as_bytes()),
                    response_timeout: Duration::from_secs(response),
                    connect_timeout: Duration::from_secs(connect),
                },
                "{body}"
            ),
            (Err(HubError::InvalidArgument(why)), Err(expected)) => {
                assert!(why.contains(expected), "{body}: {why}");
            }
            (call, expected) => panic!("{body}: {call:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_call_is_read_as_the_sdks_write_it() {
        for (body, expected) in [
            (r#"{"methodName":"reboot"}"#, ("reboot", "null", 30, 0)),
            (r#"{"methodName":"a","payload":null}"#, ("a", "null", 30, 0)),
            (r#"{"methodName":"a","payload":[ 1.0, 2 ]}"#, ("a", "[ 1.0, 2 ]", 30, 0)),
            (r#"{"methodName":"a","payload":12345678901234567}"#, ("a", "", 0, 0)),
            (r#"{"methodName":"a","responseTimeoutInSeconds":5}"#, ("a", "null", 5, 0)),
            (r#"{"methodName":"a","timeoutInSeconds":300}"#, ("a", "null", 300, 0)),
            (
                r#"{"methodName":"a","responseTimeoutInSeconds":7,"timeoutInSeconds":8}"#,
                ("a", "null", 7, 0),
            ),
            (
                r#"{"methodName":"a","responseTimeoutInSeconds":null,"connectTimeoutInSeconds":300}"#,
                ("a", "null", 30, 300),
            ),
            (
                r#"{"methodName":"t1*get-Max.Min_9~","other":{}}"#,
                ("t1*get-Max.Min_9~", "null", 30, 0),
            ),
        ] {
            if expected.2 == 0 {
                let large = MethodCall::parse(body.as_bytes(), 16);
                assert_eq!(large, Err(HubError::MessageTooLarge { size: 17, max: 16 }));
            } else {
                check(body, Ok(expected));
            }
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        for (body, why) in [
            ("", "JSON"),
            ("[]", "JSON"),
            ("{} {}", "JSON"),
            ("{}", "methodName is missing"),
            (r#"{"methodName":null}"#, "missing"),
            (r#"{"methodName":7}"#, "no text"),
            (r#"{"methodName":""}"#, "empty"),
            (r#"{"methodName":"a","responseTimeoutInSeconds":4}"#, "5 to 300"),
            (r#"{"methodName":"a","responseTimeoutInSeconds":301}"#, "5 to 300"),
            (r#"{"methodName":"a","timeoutInSeconds":0}"#, "5 to 300"),
            (r#"{"methodName":"a","connectTimeoutInSeconds":301}"#, "0 to 300"),
            (r#"{"methodName":"a","connectTimeoutInSeconds":-1}"#, "number of seconds"),
            (r#"{"methodName":"a","connectTimeoutInSeconds":"1"}"#, "number of seconds"),
            (r#"{"methodName":"a","responseTimeoutInSeconds":1e99}"#, "number of seconds"),
        ] {
            check(body, Err(why));
        }
        for bad in "$()<>@,;:/[]?={}#+% \u{e4}".chars() {
            check(&format!(r#"{{"methodName":"a{bad}"}}"#), Err("the character"));
        }
        for bad in [r"\\", "\\\"", r"\t", r"\n", r"\u0000", r"\u007f"] {
            check(&format!(r#"{{"methodName":"{bad}"}}"#), Err("the character"));
        }
        let name = |chars| format!(r#"{{"methodName":"{}"}}"#, "n".repeat(chars));
        assert!(MethodCall::parse(name(METHOD_NAME_CHARS_MAX).as_bytes(), 0).is_err(), "null is 4");
        assert!(MethodCall::parse(name(METHOD_NAME_CHARS_MAX).as_bytes(), 4).is_ok());
        check(&name(METHOD_NAME_CHARS_MAX + 1), Err("characters"));
    }

    #[test]
    fn a_body_is_not_looked_at_if_it_is_too_large() {
        let body = " ".repeat(16 + METHOD_ENVELOPE_BYTES_MAX + 1);
        let refused = MethodCall::parse(body.as_bytes(), 16).unwrap_err();
        assert!(matches!(refused, HubError::MessageTooLarge { .. }), "{refused}");
        let deep = format!(r#"{{"methodName":"a","payload":{}"#, "[".repeat(100_000));
        assert!(MethodCall::parse(deep.as_bytes(), 200_000).is_err());
    }
}
