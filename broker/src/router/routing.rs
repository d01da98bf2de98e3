//! The hub's routing as it is stored and as this node follows it: a document with the log of each endpoint beside it.
//!
//! A log's number is never used again. That of an endpoint which is gone stays in the document until every partition has
//! forgotten the log, so that a node that dies in between goes on where it stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::document::{Document, DocumentKind};
use ironhub_domain::partition::{Command, Stream};
use ironhub_domain::registry::{IfMatch, PutMode};
use ironhub_domain::routing::{Routing, RoutingTable};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Router;
use super::local::HubState;
use crate::actor::Routes;
use crate::partition::{reader::hub_error, records};

/// The only document of its kind.
const ID: &str = "routing";

/// What is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    routing: Value,
    /// The log of each endpoint, by its name.
    streams: BTreeMap<String, u32>,
    /// What the next endpoint gets.
    next: u32,
    /// Logs of endpoints that are gone.
    retired: Vec<u32>,
}

impl Default for Stored {
    fn default() -> Self {
        // 0 is the built-in endpoint's.
        Self {
            routing: Routing::default().to_json(),
            streams: BTreeMap::new(),
            next: 1,
            retired: Vec::new(),
        }
    }
}

impl Stored {
    fn read(document: &Document) -> Result<Self, HubError> {
        let unreadable = |error| HubError::Internal(format!("the stored routing: {error}"));
        serde_json::from_slice(&document.body).map_err(unreadable)
    }

    /// After a change to `routing`: endpoints that are new get a log, those of endpoints that are gone retire. An endpoint is
    /// known by its name, in any case.
    fn changed(mut self, routing: &Routing) -> Self {
        let mut streams = BTreeMap::new();
        for endpoint in &routing.endpoints {
            let name = endpoint.name.to_ascii_lowercase();
            let stream = self.streams.remove(&name).unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            });
            streams.insert(name, stream);
        }
        self.retired.extend(self.streams.into_values());
        Self { routing: routing.to_json(), streams, next: self.next, retired: self.retired }
    }

    fn routes(&self, routing: &Routing, hub: &str) -> Result<Routes, HubError> {
        let table = RoutingTable::compile(routing, hub)?;
        let stream = |name: &str| self.streams.get(&name.to_ascii_lowercase()).copied();
        let streams: Option<Vec<_>> =
            routing.endpoints.iter().map(|endpoint| stream(&endpoint.name).map(Stream)).collect();
        let missing = || HubError::Internal("an endpoint of the stored routing has no log".into());
        Ok(Routes::new(table, streams.ok_or_else(missing)?))
    }
}

impl HubState {
    /// Takes the routing as it is applied now.
    fn refresh_routes(&self) -> Result<(), HubError> {
        let document = self.routing_document()?;
        let routes = match &document {
            None => Routes::default(),
            Some(document) => {
                let stored = Stored::read(document)?;
                let routing = Routing::from_json(&stored.routing)?;
                stored.routes(&routing, self.facts().hub_name())?
            }
        };
        self.facts().routes.store(Arc::new(routes));
        self.reading_changed();
        Ok(())
    }

    fn routing_document(&self) -> Result<Option<Document>, HubError> {
        records::document(self.store(), DocumentKind::Routing, ID).map_err(hub_error)
    }
}

impl Router {
    /// Follows the stored routing from here on, and ends what a change of it has left behind. At the start.
    pub(crate) async fn start_routing(&self) -> Result<(), HubError> {
        self.state.refresh_routes()?;
        self.forget_retired().await
    }

    /// The routing and its ETag, secrets included; the ETag of one that nobody ever changed is empty.
    pub fn routing(&self) -> Result<(Routing, String), HubError> {
        match self.state.routing_document()? {
            None => Ok((Routing::default(), String::new())),
            Some(document) => {
                let stored = Stored::read(&document)?;
                Ok((Routing::from_json(&stored.routing)?, document.etag))
            }
        }
    }

    /// Changes the routing; returns its ETag. Messages that come after this returned go by it. `InvalidArgument` names what
    /// is wrong; `PreconditionFailed`. Events of endpoints that are gone go with them.
    pub async fn put_routing(
        &self,
        mut routing: Routing,
        if_match: Option<IfMatch>,
    ) -> Result<String, HubError> {
        let document = self.state.routing_document()?;
        let (stored, mode) = match &document {
            None => {
                if_match.unwrap_or(IfMatch::Any).check_tag("")?;
                (Stored::default(), PutMode::Create)
            }
            Some(document) => {
                // Logs are given out by what is stored now: if that changes meanwhile, this put must not count.
                if_match.unwrap_or(IfMatch::Any).check_tag(&document.etag)?;
                let unchanged = IfMatch::Tags(vec![document.etag.clone()]);
                (Stored::read(document)?, PutMode::Update(unchanged))
            }
        };
        routing.keep_secrets(&Routing::from_json(&stored.routing)?);
        let stored = stored.changed(&routing);
        stored.routes(&routing, self.state.facts().hub_name())?;
        let put = self.put_stored(&stored, mode).await;
        // Also if the outcome is not known: what is applied counts.
        self.state.refresh_routes()?;
        let document = put?;
        self.forget_retired().await?;
        Ok(self.state.routing_document()?.map_or(document.etag, |document| document.etag))
    }

    async fn put_stored(&self, stored: &Stored, mode: PutMode) -> Result<Document, HubError> {
        let body = serde_json::to_vec(stored)
            .map_err(|error| HubError::Internal(format!("the routing: {error}")))?;
        self.put_document(DocumentKind::Routing, ID, body.into(), mode).await
    }

    /// Makes every partition forget the logs of endpoints that are gone.
    async fn forget_retired(&self) -> Result<(), HubError> {
        let Some(document) = self.state.routing_document()? else { return Ok(()) };
        let mut stored = Stored::read(&document)?;
        if stored.retired.is_empty() {
            return Ok(());
        }
        for stream in std::mem::take(&mut stored.retired) {
            for directory in self.state.directories() {
                let partition = directory.owner().partition();
                partition.change(&Command::ForgetStream(Stream(stream))).await?;
            }
        }
        let mode = PutMode::Update(IfMatch::Tags(vec![document.etag]));
        self.put_stored(&stored, mode).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing(endpoints: &[&str]) -> Routing {
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|name| serde_json::json!({ "name": name, "type": "eventHub" }))
            .collect();
        Routing::from_json(&serde_json::json!({ "endpoints": endpoints })).unwrap()
    }

    #[test]
    fn an_endpoint_keeps_its_log_and_no_log_is_given_twice() {
        let mut stored = Stored::default();
        for (endpoints, streams, retired) in [
            (&["a", "b"][..], &[("a", 1), ("b", 2)][..], &[][..]),
            (&["B", "c"], &[("b", 2), ("c", 3)], &[1]),
            (&["a"], &[("a", 4)], &[1, 2, 3]),
            (&[], &[], &[1, 2, 3, 4]),
        ] {
            stored = stored.changed(&routing(endpoints));
            let got: Vec<_> = stored.streams.iter().map(|(n, s)| (n.as_str(), *s)).collect();
            assert_eq!(got, streams);
            assert_eq!(stored.retired, retired);
        }
    }
}
