//! Twins and direct methods over HTTPS (service-protocols.md 2.6, 2.8).

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::percent::encode;
use super::rest::Call;
use super::{ClientError, RestClient};

/// A device, or one of its modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The device's id.
    pub device: &'a str,
    /// The module's id.
    pub module: Option<&'a str>,
}

/// A direct method's call.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodRequest {
    /// Its name, as the device knows it.
    pub name: String,
    /// What the device gets; `None` for nothing.
    pub payload: Option<Value>,
    /// How long the device may take to answer; the hub takes 5 to 300 s.
    pub response_timeout: Duration,
    /// How long the hub waits for a device that is away; 0 to 300 s.
    pub connect_timeout: Duration,
}

impl RestClient {
    /// A twin.
    pub async fn twin(&self, target: Target<'_>) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::GET, twin_path(target))).await?.json)
    }

    /// Merges the patch into a twin or, with `replace`, puts the sections that it has in place of the old ones; with
    /// `etag` only if that is still the twin's. Gives the whole new twin.
    pub async fn update_twin(
        &self,
        target: Target<'_>,
        patch: &Value,
        replace: bool,
        etag: Option<&str>,
    ) -> Result<Value, ClientError> {
        let method = if replace { Method::PUT } else { Method::PATCH };
        let call = Call::new(method, twin_path(target)).if_match(etag).json(patch);
        Ok(self.call(call).await?.json)
    }

    /// Calls a direct method and waits for the device's answer: `{"status": …, "payload": …}`.
    pub async fn invoke(
        &self,
        target: Target<'_>,
        request: &MethodRequest,
    ) -> Result<Value, ClientError> {
        let mut body = json!({
            "methodName": request.name,
            "responseTimeoutInSeconds": request.response_timeout.as_secs(),
            "connectTimeoutInSeconds": request.connect_timeout.as_secs(),
        });
        if let Some(payload) = &request.payload {
            body["payload"] = payload.clone();
        }
        let mut call =
            Call::new(Method::POST, format!("{}/methods", twin_path(target))).json(&body);
        call.waits = request.response_timeout + request.connect_timeout;
        Ok(self.call(call).await?.json)
    }
}

fn twin_path(target: Target<'_>) -> String {
    match target.module {
        Some(module) => format!("/twins/{}/modules/{}", encode(target.device), encode(module)),
        None => format!("/twins/{}", encode(target.device)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_s_twin_is_below_its_device_s() {
        let path = |module| twin_path(Target { device: "a#b", module });
        assert_eq!(path(None), "/twins/a%23b");
        assert_eq!(path(Some("m/1")), "/twins/a%23b/modules/m%2F1");
    }
}
