//! The id of a job, which whoever asks for the job chooses.

use std::fmt;
use std::sync::Arc;

use crate::HubError;
use crate::limits::JOB_ID_CHARS_MAX;

/// A job's id: 1 to [`JOB_ID_CHARS_MAX`] ASCII letters, digits and `- _ . : +`; case-sensitive. The original's page allows
/// letters, digits and `-` only; the others do no harm and stand in ids that samples make.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Arc<str>);

impl JobId {
    /// Checks the grammar.
    pub fn new(text: &str) -> Result<Self, HubError> {
        let good = !text.is_empty()
            && text.len() <= JOB_ID_CHARS_MAX
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:+".contains(c));
        if good {
            return Ok(Self(text.into()));
        }
        Err(HubError::InvalidArgument(format!(
            "a job's id has 1 to {JOB_ID_CHARS_MAX} ASCII letters, digits and - _ . : +"
        )))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}
