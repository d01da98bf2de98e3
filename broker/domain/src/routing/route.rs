//! What a service sets.

use super::endpoint::Endpoint;
use crate::event::MessageSource;

/// The name of the built-in endpoint.
pub(super) const BUILT_IN: &str = "events";

/// A route: the messages of a source that meet a condition go to endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Letters, digits, `-`, `.`, `_`; unlike every other's.
    pub name: String,
    /// Messages of what.
    pub source: MessageSource,
    /// Which of them: a condition as in [`Dialect::Routing`](crate::query::Dialect::Routing); all if it is empty.
    pub condition: String,
    /// Where they go: `events`, which is built in, or an endpoint's name. At least one; the original has one.
    pub endpoints: Vec<String>,
    /// Whether it is in force.
    pub enabled: bool,
}

/// The route of what devices send and no other route took, to the built-in endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Whether it is in force.
    pub enabled: bool,
}

/// An application property that messages get on their way to endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrichment {
    /// Its name: letters, digits, `-`, `_`, `.`.
    pub key: String,
    /// Its value: a text as it is, or `$iothubname`, or a path into the sender's twin: `$twin.tags.`,
    /// `$twin.properties.desired.` or `$twin.properties.reported.`.
    pub value: String,
    /// On the way to which endpoints.
    pub endpoints: Vec<String>,
}

/// All of a hub's routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// The routes; a message takes every one that it matches.
    pub routes: Vec<Route>,
    /// The endpoints beside the built-in one.
    pub endpoints: Vec<Endpoint>,
    /// The enrichments.
    pub enrichments: Vec<Enrichment>,
    /// What is done with the rest.
    pub fallback: Fallback,
}

impl Default for Routing {
    /// That of a new hub: what devices send goes to the built-in endpoint, and events of the hub's own go nowhere.
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            endpoints: Vec::new(),
            enrichments: Vec::new(),
            fallback: Fallback { enabled: true },
        }
    }
}
