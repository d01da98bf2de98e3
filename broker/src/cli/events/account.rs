//! Whose event hub is read, and with which right.

use crate::cli::connection::HubConnection;
use crate::client::ClientError;
use crate::client::sas::{KeyForm, expiry_from_now, token};

/// Who reads what.
pub(super) struct Account {
    pub(super) host: String,
    pub(super) entity: String,
    policy: String,
    key: String,
}

impl Account {
    /// The event hub if it is known, else its path on the hub's own name.
    pub(super) fn of(hub: &HubConnection) -> Self {
        match &hub.event_hub {
            Some(events) => Self {
                host: events.host.clone(),
                entity: events.entity_path.clone(),
                policy: events.policy.clone(),
                key: events.key.clone(),
            },
            None => Self {
                host: hub.service.host.clone(),
                entity: "messages/events".to_owned(),
                policy: hub.service.policy.clone(),
                key: hub.service.key.clone(),
            },
        }
    }

    /// A fresh token, and what it is for.
    pub(super) fn token(&self) -> Result<(String, String), ClientError> {
        let audience = format!("sb://{}/{}", self.host, self.entity);
        let token = token(&audience, &self.policy, &self.key, KeyForm::Text, expiry_from_now())?;
        Ok((audience, token))
    }
}
