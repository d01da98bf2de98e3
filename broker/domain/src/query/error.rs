//! What is wrong with a query, and where.

/// Why a text is no query, or why it cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {cause}")]
pub struct QueryError {
    /// Which character of the text, counted from 1; one past the last is the end.
    pub position: usize,
    /// What is wrong there.
    pub cause: String,
}

impl QueryError {
    /// An error at a byte of the text.
    pub(super) fn at(text: &str, byte: usize, cause: impl Into<String>) -> Self {
        let position = text.get(..byte).unwrap_or(text).chars().count() + 1;
        Self { position, cause: cause.into() }
    }
}

impl From<QueryError> for crate::HubError {
    fn from(error: QueryError) -> Self {
        Self::InvalidArgument(error.to_string())
    }
}
