//! The id of a configuration.

use std::fmt;
use std::sync::Arc;

use crate::HubError;
use crate::limits::CONFIGURATION_ID_CHARS_MAX;

/// 1 to [`CONFIGURATION_ID_CHARS_MAX`] ASCII characters: no capitals, no blanks, none of `& ^ [ ] { } \ | " < > /`
/// (service-protocols.md 2.11).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigurationId(Arc<str>);

impl ConfigurationId {
    /// Checks the grammar.
    pub fn new(text: &str) -> Result<Self, HubError> {
        let is_good = |c: char| {
            c.is_ascii_graphic() && !c.is_ascii_uppercase() && !"&^[]{}\\|\"<>/".contains(c)
        };
        if (1..=CONFIGURATION_ID_CHARS_MAX).contains(&text.len()) && text.chars().all(is_good) {
            return Ok(Self(text.into()));
        }
        Err(HubError::InvalidArgument(format!(
            "a configuration's id has 1 to {CONFIGURATION_ID_CHARS_MAX} ASCII characters, no capitals, no blanks and \
             none of & ^ [ ] {{ }} \\ | \" < > /"
        )))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfigurationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConfigurationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}
