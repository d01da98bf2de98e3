//! What the hub keeps of a configuration: also of one that was deleted, until no twin has anything of it any more.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::configuration::{Configuration, ConfigurationId, ConfigurationRequest};
use ironhub_domain::document::Document;
use ironhub_domain::time::UnixMs;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A configuration, and whether every twin is as it wants it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    id: ConfigurationId,
    /// `None` if it was deleted.
    configuration: Option<Configuration>,
    /// Every twin has been looked at since it was put, or deleted.
    rolled_out: bool,
}

/// The body of the document.
#[derive(Serialize, Deserialize)]
struct Body {
    /// As a service puts it.
    configuration: Option<Value>,
    created_ms: u64,
    updated_ms: u64,
    etag_counter: u64,
    rolled_out: bool,
}

impl Stored {
    /// One that was just put.
    pub(super) fn new(configuration: Configuration) -> Self {
        let id = configuration.id.clone();
        Self { id, configuration: Some(configuration), rolled_out: false }
    }

    /// One that was just deleted.
    pub(super) fn deleted(id: ConfigurationId) -> Self {
        Self { id, configuration: None, rolled_out: false }
    }

    pub(super) fn rolled_out(self) -> Self {
        Self { rolled_out: true, ..self }
    }

    pub(super) fn id(&self) -> &ConfigurationId {
        &self.id
    }

    pub(super) fn configuration(&self) -> Option<&Configuration> {
        self.configuration.as_ref()
    }

    pub(super) fn into_configuration(self) -> Option<Configuration> {
        self.configuration
    }

    pub(super) fn is_rolled_out(&self) -> bool {
        self.rolled_out
    }

    pub(super) fn read(document: &Document) -> Result<Self, HubError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            HubError::Internal(format!("the stored configuration {:?}: {error}", document.id))
        };
        let id = ConfigurationId::new(&document.id).map_err(|error| unreadable(&error))?;
        let body: Body =
            serde_json::from_slice(&document.body).map_err(|error| unreadable(&error))?;
        let configuration = match &body.configuration {
            None => None,
            Some(request) => {
                let text = request.to_string();
                let request = ConfigurationRequest::parse(id.clone(), text.as_bytes())
                    .map_err(|error| unreadable(&error))?;
                Some(configuration(request, &body))
            }
        };
        Ok(Self { id, configuration, rolled_out: body.rolled_out })
    }

    /// The body of its document; `InvalidArgument` if there is more in it than can be read back.
    pub(super) fn write(&self) -> Result<Bytes, HubError> {
        let found = self.configuration.as_ref();
        let body = Body {
            configuration: found.map(request),
            created_ms: found.map_or(0, |found| found.created.0),
            updated_ms: found.map_or(0, |found| found.updated.0),
            etag_counter: found.map_or(0, |found| found.etag_counter),
            rolled_out: self.rolled_out,
        };
        if let Some(request) = &body.configuration {
            ConfigurationRequest::parse(self.id.clone(), request.to_string().as_bytes())?;
        }
        let text = serde_json::to_vec(&body);
        text.map(Bytes::from).map_err(|error| HubError::Internal(error.to_string()))
    }
}

fn request(configuration: &Configuration) -> Value {
    json!({
        "schemaVersion": configuration.schema_version,
        "labels": configuration.labels,
        "content": { configuration.content.kind(): configuration.content.object() },
        "targetCondition": configuration.target_condition,
        "priority": configuration.priority,
        "metrics": { "queries": configuration.metrics },
    })
}

fn configuration(request: ConfigurationRequest, body: &Body) -> Configuration {
    let ConfigurationRequest {
        id,
        schema_version,
        labels,
        content,
        target_condition,
        priority,
        metrics,
    } = request;
    Configuration {
        id,
        schema_version,
        labels,
        content,
        target_condition,
        priority,
        metrics,
        created: UnixMs(body.created_ms),
        updated: UnixMs(body.updated_ms),
        etag_counter: body.etag_counter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back() {
        let id = ConfigurationId::new("cfg-1").unwrap();
        let text = br#"{"schemaVersion":"2.0","labels":{"a":"b"},"targetCondition":"tags.x = 1",
            "content":{"deviceContent":{"properties.desired.a":1.50,"properties.desired.b.c":[1]}},
            "priority":7,"metrics":{"queries":{"m":"SELECT deviceId FROM devices"}}}"#;
        let request = ConfigurationRequest::parse(id.clone(), text).unwrap();
        let made = ironhub_domain::configuration::put(None, 0, request, None, UnixMs(5)).unwrap();
        for stored in
            [Stored::new(made.clone()), Stored::new(made).rolled_out(), Stored::deleted(id.clone())]
        {
            let body = stored.write().unwrap();
            let document = Document { id: id.as_str().into(), etag: "e".into(), body };
            assert_eq!(Stored::read(&document).unwrap(), stored);
        }
    }
}
