//! Routes, endpoints and enrichments over HTTPS.

use hyper::Method;
use serde_json::Value;

use super::percent::encode;
use super::rest::Call;
use super::{ClientError, RestClient};

/// Lists of a routing document whose elements have paths of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingList {
    /// `routes`
    Routes,
    /// `endpoints`
    Endpoints,
}

impl RestClient {
    /// The whole document, secrets masked, and its ETag.
    pub async fn routing(&self) -> Result<(Value, String), ClientError> {
        let answer = self.call(Call::new(Method::GET, "/routing")).await?;
        Ok((answer.json, answer.etag))
    }

    /// Puts a whole document in place of the old one; the new one.
    pub async fn put_routing(&self, document: &Value) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::PUT, "/routing").json(document)).await?.json)
    }

    /// One route or endpoint.
    pub async fn routing_part(&self, list: RoutingList, name: &str) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::GET, path(list, name))).await?.json)
    }

    /// Adds or replaces one route or endpoint; as the hub has it then.
    pub async fn put_routing_part(
        &self,
        list: RoutingList,
        name: &str,
        part: &Value,
    ) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::PUT, path(list, name)).json(part)).await?.json)
    }

    /// Removes one route or endpoint; false if there is none.
    pub async fn delete_routing_part(
        &self,
        list: RoutingList,
        name: &str,
    ) -> Result<bool, ClientError> {
        match self.call(Call::new(Method::DELETE, path(list, name))).await {
            Ok(_) => Ok(true),
            Err(ClientError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How deliveries to an endpoint go.
    pub async fn endpoint_health(&self, name: &str) -> Result<Value, ClientError> {
        let path = format!("{}/health", path(RoutingList::Endpoints, name));
        Ok(self.call(Call::new(Method::GET, path)).await?.json)
    }

    /// Which routes a message would take; with a `route` in the body, whether it would take that.
    pub async fn try_routes(&self, trial: &Value) -> Result<Value, ClientError> {
        let path = match trial.get("route") {
            Some(_) => "/routing/testnew",
            None => "/routing/testall",
        };
        Ok(self.call(Call::new(Method::POST, path).json(trial)).await?.json)
    }
}

fn path(list: RoutingList, name: &str) -> String {
    let list = match list {
        RoutingList::Routes => "routes",
        RoutingList::Endpoints => "endpoints",
    };
    format!("/routing/{list}/{}", encode(name))
}
