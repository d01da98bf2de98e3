//! The registry calls of the command line. Every call is a connection of its own.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;

use super::ClientError;
use super::connection_string::ServiceConnectionString;
use super::percent::encode;
use super::sas::{KeyForm, expiry_from_now, token};
use super::tls::{self, Address, Trust};

/// Sent with every call; the hub accepts any.
const API_VERSION: &str = "2021-04-12";
/// An answer must be complete within this.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Largest answer read: a full page of devices, each with the longest fields.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

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
        self.call(Method::PUT, &device_path(id), None, Some(device)).await
    }

    /// One identity.
    pub async fn device(&self, id: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, &device_path(id), None, None).await
    }

    /// Up to `top` identities.
    pub async fn devices(&self, top: usize) -> Result<Vec<Value>, ClientError> {
        match self.call(Method::GET, &format!("/devices?top={top}"), None, None).await? {
            Value::Array(devices) => Ok(devices),
            other => Err(self.bad_reply(format!("a list was expected, not {other}"))),
        }
    }

    /// Deletes an identity, whatever its ETag.
    pub async fn delete_device(&self, id: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, &device_path(id), Some("\"*\""), None).await.map(|_| ())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let request = self.request(method, path, if_match, body)?;
        let stream = tls::connect(&self.address, &self.trust, &[b"http/1.1"]).await?;
        let exchange = self.exchange(TokioIo::new(stream), request);
        timeout(ANSWER_TIME_MAX, exchange).await.map_err(|_| ClientError::Timeout {
            address: self.address.connect_to.clone(),
            waited: ANSWER_TIME_MAX,
        })?
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let ServiceConnectionString { host, policy, key, .. } = &self.account;
        let token = token(host, policy, key, KeyForm::Decoded, expiry_from_now())?;
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}{separator}api-version={API_VERSION}"))
            .header(HOST, host)
            .header(AUTHORIZATION, token);
        if let Some(etag) = if_match {
            request = request.header(IF_MATCH, etag);
        }
        let body = match body {
            Some(json) => {
                request = request.header(CONTENT_TYPE, "application/json; charset=utf-8");
                Bytes::from(json.to_string())
            }
            None => Bytes::new(),
        };
        request
            .body(Full::new(body))
            .map_err(|error| ClientError::ConnectionString(error.to_string()))
    }

    async fn exchange<IO>(
        &self,
        io: IO,
        request: Request<Full<Bytes>>,
    ) -> Result<Value, ClientError>
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

    async fn read(&self, reply: Response<Incoming>) -> Result<Value, ClientError> {
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
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&text).map_err(|error| self.bad_reply(error.to_string()))
    }

    fn bad_reply(&self, reason: String) -> ClientError {
        ClientError::BadReply { address: self.address.connect_to.clone(), reason }
    }
}

fn device_path(id: &str) -> String {
    format!("/devices/{}", encode(id))
}

/// The hub's own words out of an error body: what follows the code name in `Message`.
fn refusal(status: u16, name: &str, body: &[u8]) -> ClientError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json["Message"].as_str());
    let message = match message {
        Some(message) => message.split_once(';').map_or(message, |(_, text)| text).to_owned(),
        None => "the hub refused without saying why".to_owned(),
    };
    ClientError::Refused { status, name: name.to_owned(), message }
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
    }

    #[test]
    fn ids_are_encoded_into_paths() {
        assert_eq!(device_path("a/b#c"), "/devices/a%2Fb%23c");
    }
}
