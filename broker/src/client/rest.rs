//! The calls of the command line. Every call is a connection of its own.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, IF_MATCH};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;

use super::ClientError;
use super::connection_string::ServiceConnectionString;
use super::percent::encode;
use super::sas::{KeyForm, expiry_from_now, token};
use super::tls::{self, Address, Trust};

/// Sent with every call; the hub accepts any.
pub(super) const API_VERSION: &str = "2021-04-12";
/// An answer must be complete within this.
pub(super) const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Largest answer read: a full page of devices, each with the longest fields.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One request: what the endpoint's paths have in common.
pub(super) struct Call {
    /// GET, PUT …
    pub method: Method,
    /// Path, its ids encoded, and a query if there is one.
    pub path: String,
    /// Headers besides those of every call.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Bytes,
    /// The hub waits for others before it answers, so long at most.
    pub waits: Duration,
}

impl Call {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            waits: Duration::ZERO,
        }
    }

    pub(super) fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Only for this ETag, quoted or `*`.
    pub(super) fn if_match(self, etag: Option<&str>) -> Self {
        match etag.map(|etag| etag.trim_matches('"')) {
            Some(etag) => self.header(IF_MATCH.as_str(), format!("\"{etag}\"")),
            None => self,
        }
    }

    pub(super) fn json(self, json: &Value) -> Self {
        let body = Bytes::from(json.to_string());
        Self { body, ..self.header(CONTENT_TYPE.as_str(), "application/json; charset=utf-8") }
    }
}

/// What the hub answered.
pub(super) struct Answer {
    /// Without its quotes; empty if there is none.
    pub etag: String,
    /// All of its headers.
    pub headers: HeaderMap,
    /// `Null` for an empty body.
    pub json: Value,
}

/// Calls the hub's HTTPS endpoint as a shared access policy.
#[derive(Clone, Debug)]
pub struct RestClient {
    /// As whom.
    pub account: ServiceConnectionString,
    /// Where the HTTPS listener is.
    pub address: Address,
    /// What vouches for the hub.
    pub trust: Trust,
}

impl RestClient {
    /// Creates a device from its JSON form (service-protocols.md 2.4); the reply is the whole identity.
    pub async fn create_device(&self, id: &str, device: &Value) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::PUT, device_path(id)).json(device)).await?.json)
    }

    /// One identity.
    pub async fn device(&self, id: &str) -> Result<Value, ClientError> {
        Ok(self.call(Call::new(Method::GET, device_path(id))).await?.json)
    }

    /// One module of a device.
    pub async fn module(&self, device: &str, module: &str) -> Result<Value, ClientError> {
        let path = format!("{}/modules/{}", device_path(device), encode(module));
        Ok(self.call(Call::new(Method::GET, path)).await?.json)
    }

    /// Up to `top` identities.
    pub async fn devices(&self, top: usize) -> Result<Vec<Value>, ClientError> {
        match self.call(Call::new(Method::GET, format!("/devices?top={top}"))).await?.json {
            Value::Array(devices) => Ok(devices),
            other => Err(self.bad_reply(format!("a list was expected, not {other}"))),
        }
    }

    /// Deletes an identity, whatever its ETag.
    pub async fn delete_device(&self, id: &str) -> Result<(), ClientError> {
        let call = Call::new(Method::DELETE, device_path(id)).if_match(Some("*"));
        self.call(call).await.map(drop)
    }

    pub(super) async fn call(&self, call: Call) -> Result<Answer, ClientError> {
        let waited = ANSWER_TIME_MAX + call.waits;
        let request = self.request(call)?;
        let stream = tls::connect(&self.address, &self.trust, &[b"http/1.1"]).await?;
        let exchange = self.exchange(TokioIo::new(stream), request);
        timeout(waited, exchange).await.map_err(|_| ClientError::Timeout {
            address: self.address.connect_to.clone(),
            waited,
        })?
    }

    fn request(&self, call: Call) -> Result<Request<Full<Bytes>>, ClientError> {
        let ServiceConnectionString { host, policy, key, .. } = &self.account;
        let token = token(host, policy, key, KeyForm::Decoded, expiry_from_now())?;
        let path = call.path;
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("{path}{separator}api-version={API_VERSION}"))
            .header(HOST, host)
            .header(AUTHORIZATION, token);
        for (name, value) in call.headers {
            let named = HeaderName::try_from(&name)
                .map_err(|_| ClientError::Header { name: name.clone(), part: "name" })?;
            let value = HeaderValue::try_from(value)
                .ok()
                .filter(|value| value.to_str().is_ok())
                .ok_or(ClientError::Header { name, part: "value" })?;
            request = request.header(named, value);
        }
        request
            .body(Full::new(call.body))
            .map_err(|error| ClientError::ConnectionString(error.to_string()))
    }

    async fn exchange<IO>(
        &self,
        io: IO,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, ClientError>
    where
        IO: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| self.bad_reply(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(io).await.map_err(broken)?;
        // Drives the socket; ends with it, and reports what is wrong through the sender.
        tokio::spawn(connection);
        let reply = sender.send_request(request).await.map_err(broken)?;
        self.read(reply).await
    }

    async fn read(&self, reply: Response<Incoming>) -> Result<Answer, ClientError> {
        let (head, mut body) = reply.into_parts();
        let mut text = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.bad_reply(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            if text.len() + data.len() > ANSWER_BYTES_MAX {
                return Err(self.bad_reply(format!("it is over {ANSWER_BYTES_MAX} bytes long")));
            }
            text.extend_from_slice(&data);
        }
        if !head.status.is_success() {
            let name = head.headers.get("iothub-errorcode").and_then(|value| value.to_str().ok());
            return Err(refusal(head.status.as_u16(), name.unwrap_or_default(), &text));
        }
        let etag = head.headers.get(ETAG).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let etag = etag.trim_matches('"').to_owned();
        let json = match text.is_empty() {
            true => Value::Null,
            false => {
                serde_json::from_slice(&text).map_err(|error| self.bad_reply(error.to_string()))?
            }
        };
        Ok(Answer { etag, headers: head.headers, json })
    }

    pub(super) fn bad_reply(&self, reason: String) -> ClientError {
        ClientError::BadReply { address: self.address.connect_to.clone(), reason }
    }
}

pub(super) fn device_path(id: &str) -> String {
    format!("/devices/{}", encode(id))
}

/// The hub's own words out of an error body: what follows the code name in `Message`.
pub(super) fn refusal(status: u16, name: &str, body: &[u8]) -> ClientError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json["Message"].as_str());
    let message = match message {
        Some(message) => said(message.split_once(';').map_or(message, |(_, text)| text)),
        None => "the hub refused without saying why".to_owned(),
    };
    ClientError::Refused { status, name: name.to_owned(), message }
}

/// Of a method that failed the hub tells in JSON (service-protocols.md 2.8), for everything else in plain words.
fn said(text: &str) -> String {
    let json: Option<Value> = serde_json::from_str(text).ok();
    json.as_ref().and_then(|json| json["message"].as_str()).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_hub_said() {
        let body = br#"{"Message":"ErrorCode:DeviceNotFound;device \"d1\" is not registered"}"#;
        let error = refusal(404, "DeviceNotFound", body);
        assert!(error.is_device_not_found());
        assert_eq!(error.to_string(), "device \"d1\" is not registered (DeviceNotFound, HTTP 404)");
        assert!(!refusal(404, "", b"<html>").is_device_not_found());
        let body = br#"{"Message":"ErrorCode:DeviceNotOnline;{\"message\":\"Timed out.\"}"}"#;
        let error = refusal(404, "DeviceNotOnline", body);
        assert_eq!(error.to_string(), "Timed out. (DeviceNotOnline, HTTP 404)");
    }

    #[test]
    fn ids_are_encoded_into_paths() {
        assert_eq!(device_path("a/b#c"), "/devices/a%2Fb%23c");
    }
}
