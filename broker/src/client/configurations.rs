//! Configurations of automatic device management (service-protocols.md 2.11).

use hyper::Method;
use serde_json::Value;

use super::percent::encode;
use super::rest::Call;
use super::{ClientError, RestClient};

impl RestClient {
    /// All configurations.
    pub async fn configurations(&self) -> Result<Vec<Value>, ClientError> {
        match self.call(Call::new(Method::GET, "/configurations")).await?.json {
            Value::Array(all) => Ok(all),
            other => Err(self.bad_reply(format!("a list was expected, not {other}"))),
        }
    }

    /// One configuration, with what was counted of it.
    pub async fn configuration(&self, id: &str) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::GET, path(id))).await?.json)
    }

    /// Creates a configuration from its JSON form, or with an ETag (`*` for any) replaces one. Gives the whole new one.
    pub async fn put_configuration(
        &self,
        id: &str,
        configuration: &Value,
        etag: Option<&str>,
    ) -> Result<Value, ClientError> {
        let call = Call::new(Method::PUT, path(id)).if_match(etag).json(configuration);
        Ok(self.call(call).await?.json)
    }

    /// Deletes a configuration, whatever its ETag.
    pub async fn delete_configuration(&self, id: &str) -> Result<(), ClientError> {
        let call = Call::new(Method::DELETE, path(id)).if_match(Some("*"));
        self.call(call).await.map(drop)
    }
}

fn path(id: &str) -> String {
    format!("/configurations/{}", encode(id))
}
