//! What makes a cloud-to-device message acceptable, and when it expires (device-protocols.md 6.2, 7.1, 7.4).

use crate::HubError;
use crate::c2d::message::{AckMode, C2dMessage, C2dProperties};
use crate::limits::{C2D_MESSAGE_BYTES_MAX, C2D_TTL_MS_MAX, MESSAGE_ID_CHARS_MAX};
use crate::time::UnixMs;

impl AckMode {
    /// The value of `iothub-ack`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Full => "full",
        }
    }

    /// The value of `iothub-ack` that a device is shown: none when nobody asked for feedback.
    pub fn shown(self) -> Option<&'static str> {
        (self != Self::None).then(|| self.as_str())
    }

    /// Reads a value of `iothub-ack`, in any letter case; the empty value means none. Java's service SDK sends the names of
    /// its constants, which have an `only` behind them.
    pub fn parse(text: &str) -> Option<Self> {
        let known = [
            ("", Self::None),
            (Self::None.as_str(), Self::None),
            (Self::Positive.as_str(), Self::Positive),
            ("positiveonly", Self::Positive),
            (Self::Negative.as_str(), Self::Negative),
            ("negativeonly", Self::Negative),
            (Self::Full.as_str(), Self::Full),
        ];
        known.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, mode)| mode)
    }
}

impl C2dProperties {
    /// The texts that are set, each with what it is.
    fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("message id", &self.message_id),
            ("correlation id", &self.correlation_id),
            ("user id", &self.user_id),
            ("content type", &self.content_type),
            ("content encoding", &self.content_encoding),
        ]
        .into_iter()
        .filter_map(|(what, text)| text.as_deref().map(|text| (what, text)))
    }
}

impl C2dMessage {
    /// The bytes that count against the limit: body, system property values (a time has 8), application property names
    /// and values (device-protocols.md 7.1).
    pub fn counted_size(&self) -> usize {
        const TIME_BYTES: usize = 8;
        let times = [self.system.creation_time, self.system.absolute_expiry];
        let system: usize = self.system.texts().map(|(_, text)| text.len()).sum();
        let application: usize = self
            .properties
            .iter()
            .map(|property| property.name.len() + property.value.as_ref().map_or(0, String::len))
            .sum();
        self.body.len() + system + times.iter().flatten().count() * TIME_BYTES + application
    }

    /// Whether the hub takes this message: its size (the limit is inclusive), its ids, and its properties.
    ///
    /// Every protocol must be able to carry it, and HTTPS carries properties as header fields. So a name is a token of RFC
    /// 9110 5.6.2 (which is the documented set of characters); names that begin with `$.` would read as system properties
    /// over MQTT. Each value is printable ASCII without a space at either end. A null has no form that all device SDKs
    /// survive (device-protocols.md 2.10).
    pub fn validate(&self) -> Result<(), HubError> {
        let size = self.counted_size();
        if size > C2D_MESSAGE_BYTES_MAX {
            return Err(HubError::MessageTooLarge { size, max: C2D_MESSAGE_BYTES_MAX });
        }
        for id in [&self.system.message_id, &self.system.correlation_id].into_iter().flatten() {
            if id.chars().count() > MESSAGE_ID_CHARS_MAX {
                return invalid(format!("an id has more than {MESSAGE_ID_CHARS_MAX} characters"));
            }
        }
        for (what, text) in self.system.texts() {
            if !is_header_value(text) {
                return invalid(format!("the {what} has a character that is not allowed"));
            }
        }
        for property in &self.properties {
            if !is_token(&property.name) || property.name.starts_with("$.") {
                return invalid(format!("{:?} cannot be a property's name", property.name));
            }
            match &property.value {
                Some(value) if is_header_value(value) => {}
                Some(_) => {
                    return invalid(format!(
                        "the value of property {:?} has a character that is not allowed",
                        property.name
                    ));
                }
                None => {
                    return invalid(format!("property {:?} has no value", property.name));
                }
            }
        }
        Ok(())
    }
}

/// When a message that a service sends now expires: when the sender says, else after `default_ttl_ms`. A time in the past
/// or beyond [`C2D_TTL_MS_MAX`] is refused (device-protocols.md 7.4).
pub fn expiry(message: &C2dMessage, now: UnixMs, default_ttl_ms: u64) -> Result<UnixMs, HubError> {
    let default = UnixMs(now.0.saturating_add(default_ttl_ms));
    let expires = message.system.absolute_expiry.unwrap_or(default);
    check_expiry(expires, now)?;
    Ok(expires)
}

/// Whether a message taken now may expire then.
pub fn check_expiry(expires: UnixMs, now: UnixMs) -> Result<(), HubError> {
    if expires <= now {
        return Err(HubError::InvalidExpiry(format!("{} is in the past", expires.iso8601())));
    }
    if expires.0 - now.0 > C2D_TTL_MS_MAX {
        let hours = C2D_TTL_MS_MAX / 3_600_000;
        let expires = expires.iso8601();
        return Err(HubError::InvalidExpiry(format!("{expires} is more than {hours} hours away")));
    }
    Ok(())
}

fn invalid(why: String) -> Result<(), HubError> {
    Err(HubError::InvalidArgument(why))
}

fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !text.starts_with(' ')
        && !text.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::AppProperty;

    fn with(name: &str, value: Option<&str>) -> C2dMessage {
        let property = AppProperty { name: name.into(), value: value.map(str::to_owned) };
        C2dMessage { properties: vec![property], ..C2dMessage::default() }
    }

    #[test]
    fn size_counts_body_system_values_and_application_names_and_values() {
        let mut message = with("name", Some("value"));
        message.body = vec![0; 100].into();
        assert_eq!(message.counted_size(), 109);
        message.system.message_id = Some("12345".into());
        message.system.absolute_expiry = Some(UnixMs(1));
        assert_eq!(message.counted_size(), 109 + 5 + 8);
        message.body = vec![0; 65_536 - 9 - 13].into();
        assert_eq!(message.validate(), Ok(()));
        message.system.user_id = Some("u".into());
        let refusal = HubError::MessageTooLarge { size: 65_537, max: 65_536 };
        assert_eq!(message.validate(), Err(refusal));
    }

    #[test]
    fn ids_have_at_most_128_printable_characters() {
        let refused = |id: &str| {
            let mut message = C2dMessage::default();
            message.system.message_id = Some(id.into());
            let as_message_id = message.validate().is_err();
            message.system.correlation_id = message.system.message_id.take();
            assert_eq!(message.validate().is_err(), as_message_id, "{id}");
            as_message_id
        };
        assert!(!refused(""));
        assert!(!refused("m-1 :=/"));
        assert!(!refused(&"i".repeat(128)));
        assert!(refused(&"i".repeat(129)));
        assert!(refused("\u{e9}"));
        assert!(refused("a\r\nb"));
    }

    #[test]
    fn a_property_can_be_carried_by_every_protocol() {
        for (name, value, ok) in [
            ("n", Some("v"), true),
            ("n", Some(""), true),
            ("n", Some("a value: {\"x\"=1}; ~"), true),
            ("A-z.0_9!#$%&'*+^`|~", Some("v"), true),
            ("n", None, false),
            ("", Some("v"), false),
            ("a b", Some("v"), false),
            ("a:b", Some("v"), false),
            ("$.mid", Some("v"), false),
            ("\u{e9}", Some("v"), false),
            ("n", Some("\u{e9}"), false),
            ("n", Some("a\nb"), false),
            ("n", Some("a\tb"), false),
            ("n", Some("\u{7f}"), false),
            ("n", Some(" v"), false),
            ("n", Some("v "), false),
        ] {
            assert_eq!(with(name, value).validate().is_ok(), ok, "{name:?} {value:?}");
        }
    }

    #[test]
    fn a_message_expires_when_its_sender_says_or_after_the_hubs_default() {
        const HOUR: u64 = 3_600_000;
        let at = |absolute: Option<u64>| {
            let mut message = C2dMessage::default();
            message.system.absolute_expiry = absolute.map(UnixMs);
            expiry(&message, UnixMs(1000), HOUR).ok().map(|time| time.0)
        };
        assert_eq!(at(None), Some(1000 + HOUR));
        assert_eq!(at(Some(1001)), Some(1001));
        assert_eq!(at(Some(1000 + 48 * HOUR)), Some(1000 + 48 * HOUR));
        assert_eq!(at(Some(1000)), None);
        assert_eq!(at(Some(0)), None);
        assert_eq!(at(Some(1001 + 48 * HOUR)), None);
        assert_eq!(at(Some(u64::MAX)), None);
    }

    #[test]
    fn an_ack_mode_is_read_in_any_letter_case() {
        for (text, mode) in [
            ("full", Some(AckMode::Full)),
            ("Positive", Some(AckMode::Positive)),
            ("NEGATIVE", Some(AckMode::Negative)),
            ("none", Some(AckMode::None)),
            ("", Some(AckMode::None)),
            ("all", None),
        ] {
            assert_eq!(AckMode::parse(text), mode, "{text}");
        }
    }
}
