//! The registry to blobs and back (service-protocols.md 2.10).

use hyper::Method;
use serde_json::Value;

use super::ClientError;
use super::percent::encode;
use super::rest::{Call, RestClient};

impl RestClient {
    /// Begins an import or export; the job as it is then.
    pub async fn create_transfer(&self, request: &Value) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::POST, "/jobs/create").json(request)).await?.json)
    }

    /// An import or export as it is now.
    pub async fn transfer(&self, id: &str) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::GET, format!("/jobs/{}", encode(id)))).await?.json)
    }

    /// Ends an import or export.
    pub async fn cancel_transfer(&self, id: &str) -> Result<(), ClientError> {
        self.call(Call::new(Method::DELETE, format!("/jobs/{}", encode(id)))).await.map(drop)
    }
}
