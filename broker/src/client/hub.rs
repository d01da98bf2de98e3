//! What the owner of a hub manages: shared access policies and consumer groups.

use hyper::Method;
use serde_json::{Value, json};

use super::percent::encode;
use super::rest::Call;
use super::{ClientError, RestClient};

impl RestClient {
    /// All shared access policies, keys included.
    pub async fn policies(&self) -> Result<Vec<Value>, ClientError> {
        self.values("/policies").await
    }

    /// One shared access policy.
    pub async fn policy(&self, name: &str) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::GET, policy_path(name))).await?.json)
    }

    /// Creates or changes a shared access policy; `rights` are names with commas.
    pub async fn put_policy(&self, name: &str, rights: &str) -> Result<Value, ClientError> {
        let call = Call::new(Method::PUT, policy_path(name)).json(&json!({ "rights": rights }));
        Ok(self.call(call).await?.json)
    }

    /// Makes a new `primary` or `secondary` key, or lets them `swap`.
    pub async fn regenerate_policy_key(&self, name: &str, key: &str) -> Result<Value, ClientError> {
        let path = format!("{}/regenerate", policy_path(name));
        Ok(self.call(Call::new(Method::POST, path).json(&json!({ "key": key }))).await?.json)
    }

    /// Deletes a shared access policy.
    pub async fn delete_policy(&self, name: &str) -> Result<(), ClientError> {
        self.call(Call::new(Method::DELETE, policy_path(name))).await.map(drop)
    }

    /// All consumer groups.
    pub async fn consumer_groups(&self) -> Result<Vec<Value>, ClientError> {
        self.values("/consumerGroups").await
    }

    /// Creates a consumer group if there is none of that name.
    pub async fn put_consumer_group(&self, name: &str) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::PUT, group_path(name))).await?.json)
    }

    /// Deletes a consumer group; its readers are detached.
    pub async fn delete_consumer_group(&self, name: &str) -> Result<(), ClientError> {
        self.call(Call::new(Method::DELETE, group_path(name))).await.map(drop)
    }

    async fn values(&self, path: &str) -> Result<Vec<Value>, ClientError> {
        match self.call(Call::new(Method::GET, path)).await?.json["value"].take() {
            Value::Array(values) => Ok(values),
            other => Err(self.bad_reply(format!("a list was expected, not {other}"))),
        }
    }
}

fn policy_path(name: &str) -> String {
    format!("/policies/{}", encode(name))
}

fn group_path(name: &str) -> String {
    format!("/consumerGroups/{}", encode(name))
}
