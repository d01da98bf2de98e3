//! ETags as clients send them back (service-protocols.md 2.1, RFC 9110 13.1.1).

use crate::HubError;
use crate::device::DeviceIdentity;

/// The precondition of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Whatever the ETag is.
    Any,
    /// One of these ETags, without quotes.
    Tags(Vec<String>),
}

/// Most tags of one header that are looked at.
const TAGS_MAX: usize = 16;

impl IfMatch {
    /// Reads the header's value: `*`, `"*"` (Python and Node quote it), `"tag"`, `tag`, `W/"tag"`, or several with
    /// commas. An empty value matches nothing.
    pub fn parse(header: &str) -> Self {
        let mut tags = Vec::new();
        for tag in header.split(',').take(TAGS_MAX) {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
            let tag = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(tag);
            match tag {
                "*" => return Self::Any,
                "" => {}
                tag => tags.push(tag.to_owned()),
            }
        }
        Self::Tags(tags)
    }

    /// Whether the identity's current ETag is one of those asked for.
    pub fn check(&self, current: &DeviceIdentity) -> Result<(), HubError> {
        self.check_tag(&current.etag)
    }

    /// Whether `current`, without quotes, is one of the ETags asked for.
    pub fn check_tag(&self, current: &str) -> Result<(), HubError> {
        match self {
            Self::Any => Ok(()),
            Self::Tags(tags) if tags.iter().any(|tag| tag == current) => Ok(()),
            Self::Tags(_) => Err(HubError::PreconditionFailed { current: current.to_owned() }),
        }
    }
}
