//! The authorities that devices may be certified by, over HTTPS (device-protocols.md 1.5).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Method;
use serde_json::{Value, json};

use super::percent::encode;
use super::rest::Call;
use super::{ClientError, RestClient};

impl RestClient {
    /// Adds an authority, or puts it in place of the one of that name, and vouches for it. `certificate` is PEM.
    pub async fn put_certificate(
        &self,
        name: &str,
        certificate: &[u8],
    ) -> Result<Value, ClientError> {
        let certificate = BASE64_STANDARD.encode(certificate);
        let body = json!({"properties": {"certificate": certificate, "isVerified": true}});
        Ok(self.call(Call::new(Method::PUT, path(name)).json(&body)).await?.json)
    }

    /// All of them.
    pub async fn certificates(&self) -> Result<Vec<Value>, ClientError> {
        match self.call(Call::new(Method::GET, "/certificates")).await?.json["value"].take() {
            Value::Array(certificates) => Ok(certificates),
            other => Err(self.bad_reply(format!("a list was expected, not {other}"))),
        }
    }

    /// Removes one, whatever its ETag.
    pub async fn delete_certificate(&self, name: &str) -> Result<(), ClientError> {
        let call = Call::new(Method::DELETE, path(name)).if_match(Some("*"));
        self.call(call).await.map(drop)
    }
}

fn path(name: &str) -> String {
    format!("/certificates/{}", encode(name))
}
