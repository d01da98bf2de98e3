//! Documents of the hub as a whole: what services keep in it by name, beside the devices. They live in the system partition.
//!
//! What is in a document is the business of the module it belongs to ([`DocumentKind`] says which); here it is a name, an
//! ETag and a text that whoever wrote it can read.

use bytes::Bytes;

use crate::HubError;
use crate::limits::{CONFIGURATIONS_MAX, JOBS_MAX};
use crate::registry::{IfMatch, PutMode};

/// What a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentKind {
    /// A configuration of automatic device management (service-protocols.md 2.11).
    Configuration,
    /// A job over many devices (service-protocols.md 2.9).
    Job,
    /// An import or export of the registry (service-protocols.md 2.10).
    Transfer,
    /// The routes, endpoints and enrichments of messages; there is one (service-protocols.md 4.11).
    Routing,
}

impl DocumentKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Configuration, Self::Job, Self::Transfer, Self::Routing];

    /// The number that stands for it in records and commands; none is ever given another meaning.
    pub const fn number(self) -> u8 {
        match self {
            Self::Configuration => 1,
            Self::Job => 2,
            Self::Transfer => 3,
            Self::Routing => 4,
        }
    }

    /// The kind with that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// How many of them a hub keeps.
    pub const fn max(self) -> usize {
        match self {
            Self::Configuration => CONFIGURATIONS_MAX,
            Self::Job | Self::Transfer => JOBS_MAX,
            Self::Routing => 1,
        }
    }

    /// There is none of that name.
    pub fn not_found(self, id: &str) -> HubError {
        match self {
            Self::Job | Self::Transfer => HubError::JobNotFound(id.to_owned()),
            Self::Configuration | Self::Routing => HubError::ConfigurationNotFound(id.to_owned()),
        }
    }

    fn exists(self, id: &str) -> HubError {
        match self {
            Self::Job | Self::Transfer => HubError::JobAlreadyExists(id.to_owned()),
            Self::Configuration | Self::Routing => {
                HubError::ConfigurationAlreadyExists(id.to_owned())
            }
        }
    }

    fn too_many(self) -> HubError {
        let max = self.max();
        match self {
            Self::Job | Self::Transfer => HubError::TooManyJobs { max },
            Self::Configuration | Self::Routing => HubError::TooManyConfigurations { max },
        }
    }
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Name; case-sensitive, without a zero byte.
    pub id: String,
    /// ETag, without quotes; another one with every put.
    pub etag: String,
    /// What its module wrote.
    pub body: Bytes,
}

/// Whether a document may be put, `count` being how many of its kind there are.
pub fn check_put(
    kind: DocumentKind,
    id: &str,
    existing: Option<&Document>,
    mode: &PutMode,
    count: usize,
) -> Result<(), HubError> {
    match (existing, mode) {
        (None, PutMode::Update(_)) => Err(kind.not_found(id)),
        (None, PutMode::Create | PutMode::CreateOrUpdate(_)) if count >= kind.max() => {
            Err(kind.too_many())
        }
        (None, _) => Ok(()),
        (Some(_), PutMode::Create) => Err(kind.exists(id)),
        (Some(existing), PutMode::Update(if_match) | PutMode::CreateOrUpdate(if_match)) => {
            if_match.check_tag(&existing.etag)
        }
    }
}

/// Whether a document may be deleted.
pub fn check_delete(
    kind: DocumentKind,
    id: &str,
    existing: Option<&Document>,
    if_match: &IfMatch,
) -> Result<(), HubError> {
    let existing = existing.ok_or_else(|| kind.not_found(id))?;
    if_match.check_tag(&existing.etag)
}
