//! The body of `POST /jobs/create`.

use std::fmt;

use serde_json::Value;

use crate::HubError;
use crate::job::transfer::{CONFIGURATIONS_BLOB, DEVICES_BLOB};
use crate::job::word::JobType;
use crate::limits::{BLOB_NAME_CHARS_MAX, CONTAINER_URI_BYTES_MAX};

/// Largest body: two URIs, two names, and words.
const BODY_BYTES_MAX: usize = 2 * CONTAINER_URI_BYTES_MAX + 2 * 6 * BLOB_NAME_CHARS_MAX + 8192;

/// A blob container: its address, with the signature that opens it as the query.
#[derive(Clone, PartialEq, Eq)]
pub struct Container(String);

impl Container {
    fn new(name: &str, uri: String) -> Result<Self, HubError> {
        if uri.len() > CONTAINER_URI_BYTES_MAX {
            return Err(wrong(format!("{name} has more than {CONTAINER_URI_BYTES_MAX} bytes")));
        }
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
        let is_good = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            && uri.chars().all(|c| c.is_ascii_graphic());
        if is_good { Ok(Self(uri)) } else { Err(wrong(format!("{name} is no URI of a container"))) }
    }

    /// A container that was stored.
    pub fn stored(uri: String) -> Self {
        Self(uri)
    }

    /// The whole, to open it with.
    pub fn uri(&self) -> &str {
        &self.0
    }

    /// Without the signature, to be shown.
    pub fn address(&self) -> &str {
        self.0.split(['?', '#']).next().unwrap_or_default()
    }
}

/// Signatures never reach a log.
impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.address())
    }
}

/// Which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferDirection {
    /// Out of the hub.
    Export {
        /// `outputBlobContainerUri`
        output: Container,
        /// `outputBlobName`
        blob: String,
        /// `excludeKeysInExport`
        without_keys: bool,
    },
    /// Into the hub.
    Import {
        /// `inputBlobContainerUri`
        input: Container,
        /// `inputBlobName`
        blob: String,
        /// `outputBlobContainerUri`: for the log of errors.
        output: Container,
    },
}

impl TransferDirection {
    /// The type of the job.
    pub const fn job_type(&self) -> JobType {
        match self {
            Self::Export { .. } => JobType::Export,
            Self::Import { .. } => JobType::Import,
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequest {
    /// Which way, and where.
    pub direction: TransferDirection,
    /// `configurationsBlobName`, if configurations go with it (`includeConfigurations`).
    pub configurations: Option<String>,
}

impl TransferRequest {
    /// Reads and checks a body. Unknown members are passed over; null is as good as absent.
    ///
    /// `storageAuthenticationType` `identityBased` is refused: it means an identity that the original's cloud gives a
    /// hub, and this hub has none.
    pub fn parse(body: &[u8]) -> Result<Self, HubError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(HubError::MessageTooLarge { size: body.len(), max: BODY_BYTES_MAX });
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the body is not JSON: {error}")))?;
        match text(&body, "storageAuthenticationType")? {
            None => {}
            Some(word) if word.eq_ignore_ascii_case("keyBased") => {}
            Some(word) if word.eq_ignore_ascii_case("identityBased") => {
                return Err(wrong(
                    "storageAuthenticationType identityBased needs a managed identity, which this \
                     hub has not: give the container's URI a shared access signature"
                        .into(),
                ));
            }
            Some(_) => return Err(wrong("storageAuthenticationType is unknown".into())),
        }
        let kind = text(&body, "type")?.ok_or_else(|| wrong("type is missing".into()))?;
        let direction = match JobType::parse(&kind) {
            Some(JobType::Export) => TransferDirection::Export {
                output: container(&body, "outputBlobContainerUri")?,
                blob: blob(&body, "outputBlobName", DEVICES_BLOB)?,
                without_keys: flag(&body, "excludeKeysInExport")?,
            },
            Some(JobType::Import) => TransferDirection::Import {
                input: container(&body, "inputBlobContainerUri")?,
                blob: blob(&body, "inputBlobName", DEVICES_BLOB)?,
                output: container(&body, "outputBlobContainerUri")?,
            },
            Some(JobType::UpdateTwin | JobType::DeviceMethod) | None => {
                return Err(wrong("type is neither export nor import".into()));
            }
        };
        let configurations = match flag(&body, "includeConfigurations")? {
            true => Some(blob(&body, "configurationsBlobName", CONFIGURATIONS_BLOB)?),
            false => None,
        };
        let (TransferDirection::Export { blob: devices, .. }
        | TransferDirection::Import { blob: devices, .. }) = &direction;
        if configurations.as_ref() == Some(devices) {
            return Err(wrong("configurationsBlobName is the blob of the devices".into()));
        }
        Ok(Self { direction, configurations })
    }
}

fn container(body: &Value, name: &str) -> Result<Container, HubError> {
    let uri = text(body, name)?.ok_or_else(|| wrong(format!("{name} is missing")))?;
    Container::new(name, uri)
}

fn blob(body: &Value, name: &str, default: &str) -> Result<String, HubError> {
    let blob = text(body, name)?.unwrap_or_else(|| default.to_owned());
    if blob.chars().count() > BLOB_NAME_CHARS_MAX {
        return Err(wrong(format!("{name} has more than {BLOB_NAME_CHARS_MAX} characters")));
    }
    if blob.chars().any(char::is_control) || blob.split('/').any(|part| matches!(part, "." | ".."))
    {
        return Err(wrong(format!("{name} cannot be the name of a blob")));
    }
    Ok(blob)
}

/// An empty text is one that nobody set.
fn text(body: &Value, name: &str) -> Result<Option<String>, HubError> {
    match &body[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong(format!("{name} is no text")))
        }
    }
}

fn flag(body: &Value, name: &str) -> Result<bool, HubError> {
    match &body[name] {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(wrong(format!("{name} is neither true nor false")))
        }
    }
}

fn wrong(why: String) -> HubError {
    HubError::InvalidArgument(why)
}
