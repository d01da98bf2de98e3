//! A configuration as it is stored, and what may become of it.

use std::collections::BTreeMap;

use base64::Engine as _;

use crate::HubError;
use crate::auth::symmetric_keys::BASE64;
use crate::configuration::content::{Content, Prepared};
use crate::configuration::id::ConfigurationId;
use crate::configuration::request::ConfigurationRequest;
use crate::configuration::target::{Target, TargetCondition, TargetSource};
use crate::limits::CONFIGURATIONS_MAX;
use crate::registry::IfMatch;
use crate::time::UnixMs;

/// A configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Its id.
    pub id: ConfigurationId,
    /// `schemaVersion`, as it was sent.
    pub schema_version: String,
    /// `labels`
    pub labels: BTreeMap<String, String>,
    /// What it sets.
    pub content: Content,
    /// `targetCondition`, as it was sent.
    pub target_condition: String,
    /// Higher goes before lower.
    pub priority: u32,
    /// `metrics.queries`
    pub metrics: BTreeMap<String, String>,
    /// Of two with one priority the one created later goes first.
    pub created: UnixMs,
    /// When it last changed.
    pub updated: UnixMs,
    /// What the ETag is made of: one more with every change.
    pub etag_counter: u64,
}

impl Configuration {
    /// The ETag, without quotes: base64 of the counter in digits, `MQ==` at first (service-protocols.md 2.11).
    pub fn etag(&self) -> String {
        BASE64.encode(self.etag_counter.to_string())
    }

    /// The request that would make it what it is.
    pub fn request(&self) -> ConfigurationRequest {
        ConfigurationRequest {
            id: self.id.clone(),
            schema_version: self.schema_version.clone(),
            labels: self.labels.clone(),
            content: self.content.clone(),
            target_condition: self.target_condition.clone(),
            priority: self.priority,
            metrics: self.metrics.clone(),
        }
    }

    /// Which twins it is for.
    pub fn target(&self) -> Target {
        // It was checked when it came; one that could not be read would be for none.
        Target::of(&self.target_condition, &self.content).unwrap_or(Target {
            source: TargetSource::Devices,
            condition: TargetCondition::Nothing,
        })
    }

    /// What many twins need of it, worked out once.
    pub fn prepare(&self) -> Prepared {
        Prepared::new(self.id.clone(), self.priority, self.created, &self.content)
    }
}

/// The configuration after a put: without If-Match a new one, with it a changed one, of which everything is replaced. The
/// original lets the content of a configuration alone once it is made; here it may change, and the twins follow.
///
/// `count` is how many there are: a new one beyond [`CONFIGURATIONS_MAX`] is refused.
pub fn put(
    existing: Option<&Configuration>,
    count: usize,
    request: ConfigurationRequest,
    precondition: Option<&IfMatch>,
    now: UnixMs,
) -> Result<Configuration, HubError> {
    let name = request.id.as_str().to_owned();
    let (created, etag_counter) = match (existing, precondition) {
        (Some(_), None) => return Err(HubError::ConfigurationAlreadyExists(name)),
        (None, Some(_)) => return Err(HubError::ConfigurationNotFound(name)),
        (None, None) if count >= CONFIGURATIONS_MAX => {
            return Err(HubError::TooManyConfigurations { max: CONFIGURATIONS_MAX });
        }
        (None, None) => (now, 1),
        (Some(existing), Some(precondition)) => {
            precondition.check_tag(&existing.etag())?;
            (existing.created, existing.etag_counter + 1)
        }
    };
    let ConfigurationRequest {
        id,
        schema_version,
        labels,
        content,
        target_condition,
        priority,
        metrics,
    } = request;
    Ok(Configuration {
        id,
        schema_version,
        labels,
        content,
        target_condition,
        priority,
        metrics,
        created,
        updated: now,
        etag_counter,
    })
}

/// Whether a configuration may be deleted now. What it set goes from the twins with the next [`resolve`](super::resolve()).
pub fn delete(
    existing: Option<&Configuration>,
    id: &ConfigurationId,
    precondition: Option<&IfMatch>,
) -> Result<(), HubError> {
    let missing = || HubError::ConfigurationNotFound(id.as_str().to_owned());
    let existing = existing.ok_or_else(missing)?;
    precondition.map_or(Ok(()), |precondition| precondition.check_tag(&existing.etag()))
}
