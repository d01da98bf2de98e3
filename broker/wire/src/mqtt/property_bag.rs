//! The property bag at the end of a topic: `key=value&key&key=` (device-protocols.md 2.6, 2.7).
//!
//! ```text
//! bag  = [ "?" ] [ pair *( "&" pair ) ] [ "/" ]
//! pair = key [ "=" value ]
//! ```
//!
//! A key alone has no value (null), `key=` has the empty one. Each side is percent-decoded once. Pieces without a
//! character between two `&` are skipped. Decoding that gives bytes which are not UTF-8, or a pair with an empty key,
//! is an error: properties are text to every consumer, and a replacement character would change data unseen.

use std::borrow::Cow;

use super::percent::{self, NotUtf8};

/// Most pairs in one bag. A pair costs 50 times its two bytes once it is decoded, so the topic's length alone does not bound memory.
pub const PAIRS_MAX: usize = 1024;

/// Why a bag cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BagError {
    /// See [`NotUtf8`].
    #[error("property bag: {0}")]
    NotUtf8(#[from] NotUtf8),
    /// `=value` without a key.
    #[error("property bag: a pair has no key")]
    EmptyKey,
    /// More than [`PAIRS_MAX`].
    #[error("property bag: more than {PAIRS_MAX} properties")]
    TooMany,
}

/// One property, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Not empty. A system property starts with `$.`, however the client wrote the dollar sign.
    pub key: Cow<'a, str>,
    /// `None` for a key without `=`.
    pub value: Option<Cow<'a, str>>,
}

/// The pairs of a bag, in order; names may repeat. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: Option<&'a str>,
    count: usize,
}

/// Reads everything that follows `messages/events/`.
pub fn pairs(bag: &str) -> Pairs<'_> {
    let bag = bag.strip_prefix('?').unwrap_or(bag);
    let bag = bag.strip_suffix('/').unwrap_or(bag);
    Pairs { rest: Some(bag), count: 0 }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<Pair<'a>, BagError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = loop {
            let rest = self.rest?;
            let piece = match rest.split_once('&') {
                Some((piece, after)) => {
                    self.rest = Some(after);
                    piece
                }
                None => {
                    self.rest = None;
                    rest
                }
            };
            if !piece.is_empty() {
                break piece;
            }
        };
        self.count += 1;
        let pair = if PAIRS_MAX < self.count { Err(BagError::TooMany) } else { pair(piece) };
        if pair.is_err() {
            self.rest = None;
        }
        Some(pair)
    }
}

fn pair(piece: &str) -> Result<Pair<'_>, BagError> {
    let (key, value) = match piece.split_once('=') {
        Some((key, value)) => (key, Some(percent::decode(value)?)),
        None => (piece, None),
    };
    if key.is_empty() {
        return Err(BagError::EmptyKey);
    }
    Ok(Pair { key: percent::decode(key)?, value })
}
