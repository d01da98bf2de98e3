//! What makes a D2C message acceptable (device-protocols.md 6.2 and 7.1).

use crate::HubError;
use crate::event::message::{D2cMessage, SystemProperties};
use crate::limits::{D2C_MESSAGE_BYTES_MAX, MESSAGE_ID_CHARS_MAX};

impl SystemProperties {
    /// The values that are set, in no particular order.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        [
            &self.message_id,
            &self.correlation_id,
            &self.user_id,
            &self.to,
            &self.content_type,
            &self.content_encoding,
            &self.absolute_expiry_time,
            &self.creation_time,
            &self.output_name,
            &self.interface_id,
            &self.component_name,
            &self.message_schema,
        ]
        .into_iter()
        .filter_map(|value| value.as_deref())
    }
}

impl D2cMessage {
    /// The bytes that count against the limit: body, system property values, application property names and values.
    pub fn counted_size(&self) -> usize {
        let system: usize = self.system.values().map(str::len).sum();
        let application: usize = self
            .properties
            .iter()
            .map(|p| p.name.len() + p.value.as_ref().map_or(0, String::len))
            .sum();
        self.body.len() + system + application
    }

    /// Whether the hub takes this message: its size (the limit is inclusive) and the length of its ids.
    pub fn validate(&self) -> Result<(), HubError> {
        let size = self.counted_size();
        if size > D2C_MESSAGE_BYTES_MAX {
            return Err(HubError::MessageTooLarge { size, max: D2C_MESSAGE_BYTES_MAX });
        }
        check_id("message id", self.system.message_id.as_deref())?;
        check_id("correlation id", self.system.correlation_id.as_deref())
    }
}

fn check_id(what: &str, id: Option<&str>) -> Result<(), HubError> {
    // Bytes first: counting characters of an ordinary id costs more than it is worth.
    match id {
        Some(id)
            if id.len() > MESSAGE_ID_CHARS_MAX && id.chars().count() > MESSAGE_ID_CHARS_MAX =>
        {
            Err(HubError::InvalidArgument(format!(
                "the {what} has more than {MESSAGE_ID_CHARS_MAX} characters"
            )))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::AppProperty;

    fn message(body: usize) -> D2cMessage {
        D2cMessage { body: vec![0; body].into(), ..D2cMessage::default() }
    }

    #[test]
    fn size_counts_body_system_values_and_application_names_and_values() {
        let mut message = message(100);
        assert_eq!(message.counted_size(), 100);
        message.system.message_id = Some("12345".into());
        message.system.message_schema = Some("x".into());
        message.properties.push(AppProperty { name: "name".into(), value: Some("value".into()) });
        message.properties.push(AppProperty { name: "null".into(), value: None });
        assert_eq!(message.counted_size(), 100 + 5 + 1 + 9 + 4);
    }

    #[test]
    fn the_size_limit_is_inclusive() {
        assert_eq!(message(262_144).validate(), Ok(()));
        assert_eq!(
            message(262_145).validate(),
            Err(HubError::MessageTooLarge { size: 262_145, max: 262_144 })
        );
        let mut with_property = message(262_143);
        with_property.properties.push(AppProperty { name: "ab".into(), value: None });
        assert!(with_property.validate().is_err());
    }

    #[test]
    fn ids_have_at_most_128_characters() {
        let mut message = message(0);
        message.system.message_id = Some("\u{e9}".repeat(128));
        message.system.correlation_id = Some("c".repeat(128));
        assert_eq!(message.validate(), Ok(()));
        message.system.correlation_id = Some("c".repeat(129));
        assert!(matches!(message.validate(), Err(HubError::InvalidArgument(_))));
        message.system.correlation_id = None;
        message.system.message_id = Some("\u{e9}".repeat(129));
        assert!(matches!(message.validate(), Err(HubError::InvalidArgument(_))));
    }
}
