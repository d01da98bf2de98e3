//! The parameters of a request, as the operation and the token in its query are written.

use super::name::percent_decode;

/// The decoded parameters of a request's query, in their order.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// What cannot be decoded is dropped: no parameter of the protocol is ever written so. The bytes are bounded by
    /// the longest request head.
    pub fn parse(query: &str) -> Self {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            Some((percent_decode(key)?.to_ascii_lowercase(), percent_decode(value)?))
        };
        Self(query.split('&').filter_map(pair).collect())
    }

    /// The value of a parameter that is there exactly once.
    pub fn only(&self, key: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(name, _)| name == key);
        let value = found.next()?;
        found.next().is_none().then_some(value.1.as_str())
    }

    /// Whether a parameter is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }
}
