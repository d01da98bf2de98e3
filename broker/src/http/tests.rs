//! The rules of the frontend without sockets: requests against the domain's registry on memory.

mod bad_input;
mod memory_registry;
mod registry_calls;
mod scans;
mod sockets;

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use serde_json::Value;
use tokio::sync::watch;

use super::{HttpContext, UpgradeHandler, handle};
use memory_registry::MemoryRegistry;

/// Text of every policy's and every test device's key.
const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
const HOST: &str = "hub1.example.test";
/// 2100: no test run outlives it.
const FAR_FUTURE: u64 = 4_102_444_800;

fn context(upgrade: Option<Arc<dyn UpgradeHandler>>) -> HttpContext {
    // A receiver whose sender is gone never drains.
    let draining = watch::channel(false).1;
    let registry = Arc::new(MemoryRegistry::default());
    HttpContext {
        registry,
        hub: None,
        upgrade,
        blob: None,
        upload_ms: 0,
        upload_notifications: false,
        deliveries: Default::default(),
        draining,
    }
}

/// A token of a policy for the whole hub.
fn token(policy: &str) -> String {
    scoped_token(policy, HOST, FAR_FUTURE)
}

fn scoped_token(policy: &str, resource: &str, expiry: u64) -> String {
    use crate::client::sas::{KeyForm, token};
    token(resource, policy, KEY, KeyForm::Decoded, expiry).unwrap()
}

/// A hub on memory and one who asks it.
struct Hub(HttpContext);

struct Answer {
    status: StatusCode,
    error_code: String,
    etag: String,
    body: Value,
}

impl Answer {
    /// `status` or `status number` of an error, whose body and header were seen to agree.
    fn summary(&self) -> String {
        match self.body["errorCode"].as_u64() {
            Some(code) => format!("{} {code}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }
}

impl Hub {
    fn new() -> Self {
        Self(context(None))
    }

    /// `request` is `METHOD /path`, then headers, one a line.
    async fn ask_with(&self, request: &str, body: impl Into<Vec<u8>>) -> Answer {
        let mut lines = request.lines();
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let mut builder = Request::builder().method(method).uri(path);
        for line in lines {
            let (name, value) = line.trim().split_once(": ").unwrap();
            builder = builder.header(name, value);
        }
        let request = builder.body(Full::from(body.into())).unwrap();
        let reply = handle(request, &self.0).await;
        let header = |name| {
            let value = reply.headers().get(name).map(|value| value.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        let (status, error_code, etag) =
            (reply.status(), header("iothub-errorcode"), header("etag"));
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        let body: Value =
            if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        let answer = Answer { status, error_code, etag, body };
        if !answer.status.is_success() {
            answer.assert_error_form();
        }
        answer
    }

    /// As the owner of the hub, with a JSON body.
    async fn ask(&self, request: &str, body: &str) -> Answer {
        let authorization = token("iothubowner");
        self.ask_with(&format!("{request}\nAuthorization: {authorization}"), body).await
    }
}

impl Answer {
    /// service-protocols.md 2.2: the header names the code of the body, and there is an id to look for in the log.
    fn assert_error_form(&self) {
        let message = self.body["Message"].as_str().unwrap();
        let (code, text) = message.split_once(';').unwrap();
        assert_eq!(code, format!("ErrorCode:{}", self.error_code));
        assert!(!text.is_empty());
        let exception = self.body["ExceptionMessage"].as_str().unwrap();
        assert!(exception.starts_with("Tracking ID:") && exception.contains("-TimeStamp:"));
        let number = self.body["errorCode"].as_u64().unwrap();
        assert_eq!(number / 1000, u64::from(self.status.as_u16()));
    }
}
