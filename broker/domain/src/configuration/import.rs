//! Configurations in the files of exports and imports: a line of JSON for each (service-protocols.md 2.10). A line is the
//! configuration as services read it; one that is imported may say in `importMode` what is to be done.

use serde_json::Value;

use crate::HubError;
use crate::configuration::id::ConfigurationId;
use crate::configuration::metrics::MetricResults;
use crate::configuration::record::Configuration;
use crate::configuration::request::ConfigurationRequest;
use crate::limits::{CONFIGURATION_ID_CHARS_MAX, CONFIGURATION_JSON_BYTES_MAX};
use crate::registry::{IfMatch, ImportMode};
use crate::twin::Object;
use crate::twin::parse::read;

/// A line that is good.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigurationItem {
    /// What it asks for.
    pub request: ConfigurationRequest,
    /// If there is one of that id already, it must have this ETag.
    pub precondition: IfMatch,
}

/// A line that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationFault {
    /// The configuration as the line names it; empty if it does not, and then it may be no id.
    pub id: String,
    /// Why.
    pub error: HubError,
}

impl ConfigurationItem {
    /// Reads and checks one line. `importMode` is `createOrUpdateIfMatchETag`, the only one that the original knows for
    /// configurations and what a line means that says nothing, or `createOrUpdate`, which asks for no ETag. As with
    /// devices, a line with the first and without an ETag may create, and matches nothing that exists.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigurationFault> {
        let object = read(json, CONFIGURATION_JSON_BYTES_MAX)
            .map_err(|error| ConfigurationFault { id: String::new(), error })?;
        let named = object.get("id").and_then(Value::as_str).unwrap_or_default();
        let fault = |error| ConfigurationFault { id: named.to_owned(), error };
        let item = || {
            let id = ConfigurationId::new(named)?;
            let precondition = precondition(&object)?;
            Ok(Self { request: ConfigurationRequest::parse(id, json)?, precondition })
        };
        item().map_err(fault)
    }

    /// Whether there is nothing to do: the configuration is what the line asks for. ETags do not count.
    pub fn is_so_already(&self, found: &Configuration) -> bool {
        found.request() == self.request
    }
}

fn precondition(object: &Object) -> Result<IfMatch, HubError> {
    let text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(HubError::Malformed(format!("{name} is no text"))),
    };
    let mode = match text("importMode")? {
        None => Some(ImportMode::CreateOrUpdateIfMatch),
        Some(word) => ImportMode::parse(word),
    };
    match mode {
        Some(ImportMode::CreateOrUpdate) => Ok(IfMatch::Any),
        Some(ImportMode::CreateOrUpdateIfMatch) => {
            Ok(text("etag")?.map_or(IfMatch::Tags(Vec::new()), IfMatch::parse))
        }
        Some(
            ImportMode::Create
            | ImportMode::Update
            | ImportMode::UpdateIfMatch
            | ImportMode::Delete
            | ImportMode::DeleteIfMatch
            | ImportMode::UpdateTwin
            | ImportMode::UpdateTwinIfMatch,
        )
        | None => Err(HubError::InvalidArgument(
            "importMode of a configuration is createOrUpdateIfMatchETag or createOrUpdate".into(),
        )),
    }
}

impl ConfigurationFault {
    /// A line of `importErrors.log`, without its end; the first line of the configurations' blob is 1.
    pub fn log_line(&self, line: u64) -> String {
        let mut object = Object::new();
        // It may be anything.
        let id: String = self.id.chars().take(CONFIGURATION_ID_CHARS_MAX).collect();
        object.insert("configurationId".into(), id.into());
        object.insert("line".into(), line.into());
        object.insert("errorCode".into(), self.error.code().number.into());
        object.insert("errorStatus".into(), self.error.told().into());
        Value::Object(object).to_string()
    }
}

impl Configuration {
    /// The line of an export, without its end. What was counted of it is not in it.
    pub fn line(&self) -> String {
        self.json(&MetricResults::default()).to_string()
    }
}
