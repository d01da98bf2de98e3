//! A device's own side of HTTPS (device-protocols.md 4): telemetry, and cloud-to-device messages that it asks for. One
//! connection, one request at a time.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, ETAG, HOST, HeaderName, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::percent::encode;
use super::rest::{ANSWER_TIME_MAX, API_VERSION, refusal};
use super::tls::{self, Address, Trust};
use super::{ClientError, DeviceConnectionString};

/// Largest answer read: a message has 64 KiB.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// What begins the header of an application property.
const PROPERTY_PREFIX: &str = "iothub-app-";

/// A connection of one device.
#[derive(Debug)]
pub struct DeviceHttp {
    sender: SendRequest<Full<Bytes>>,
    account: DeviceConnectionString,
    address: String,
}

/// A cloud-to-device message that is locked for the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedMessage {
    /// Names the message when it is completed.
    pub lock: String,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Application properties; HTTP gives their names in lower case.
    pub properties: Vec<(String, String)>,
    /// The content.
    pub body: Bytes,
}

impl DeviceHttp {
    /// Connects; nobody has looked at the key yet.
    pub async fn connect(
        account: &DeviceConnectionString,
        address: &Address,
        trust: &Trust,
    ) -> Result<Self, ClientError> {
        let stream = tls::connect(address, trust, &[b"http/1.1"]).await?;
        let address = address.connect_to.clone();
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| ClientError::BadReply {
            address: address.clone(),
            reason: error.to_string(),
        })?;
        // Drives the socket; ends with it, and reports what is wrong through the sender.
        tokio::spawn(connection);
        Ok(Self { sender, account: account.clone(), address })
    }

    /// Sends one telemetry message. `system` are header names, like `iothub-messageid`, and values.
    pub async fn send(
        &mut self,
        system: &[(&str, &str)],
        properties: &[(String, String)],
        body: Bytes,
    ) -> Result<(), ClientError> {
        let mut request = self.request(Method::POST, "events", "")?;
        let headers = request.headers_mut();
        for (name, value) in system {
            let (name, value) = header(name, value)?;
            headers.append(name, value);
        }
        for (name, value) in properties {
            let (name, value) = property_header(name, value)?;
            headers.append(name, value);
        }
        *request.body_mut() = Full::new(body);
        self.exchange(request).await.map(drop)
    }

    /// The first message of the queue, locked for a minute; `None` if there is none.
    pub async fn receive(&mut self) -> Result<Option<LockedMessage>, ClientError> {
        let request = self.request(Method::GET, "devicebound", "")?;
        let (head, body) = self.exchange(request).await?;
        if head.status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let text = |name: &str| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
        let lock = text(ETAG.as_str()).unwrap_or_default().trim_matches('"').to_owned();
        if lock.is_empty() {
            return Err(self.bad_reply("a message without an ETag"));
        }
        let property = |(name, value): (&HeaderName, &HeaderValue)| {
            let name = name.as_str().strip_prefix(PROPERTY_PREFIX)?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        };
        let properties = head.headers.iter().filter_map(property).collect();
        Ok(Some(LockedMessage { lock, id: text("iothub-messageid"), properties, body }))
    }

    /// Says that a message is dealt with.
    pub async fn complete(&mut self, lock: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, "devicebound", &format!("/{}", encode(lock)))?;
        self.exchange(request).await.map(drop)
    }

    fn request(
        &self,
        method: Method,
        kind: &str,
        rest: &str,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let device = encode(&self.account.device);
        Request::builder()
            .method(method)
            .uri(format!("/devices/{device}/messages/{kind}{rest}?api-version={API_VERSION}"))
            .header(HOST, &self.account.host)
            .header(AUTHORIZATION, self.account.token()?)
            .body(Full::default())
            .map_err(|error| ClientError::ConnectionString(error.to_string()))
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Parts, Bytes), ClientError> {
        let late = ClientError::Timeout { address: self.address.clone(), waited: ANSWER_TIME_MAX };
        let exchange = async {
            let reply = self.sender.send_request(request).await;
            let (head, body) =
                reply.map_err(|error| self.bad_reply(&error.to_string()))?.into_parts();
            let body = self.read(body).await?;
            if head.status.is_success() {
                return Ok((head, body));
            }
            let name = head.headers.get("iothub-errorcode").and_then(|value| value.to_str().ok());
            Err(refusal(head.status.as_u16(), name.unwrap_or_default(), &body))
        };
        timeout(ANSWER_TIME_MAX, exchange).await.unwrap_or(Err(late))
    }

    async fn read(&self, mut body: Incoming) -> Result<Bytes, ClientError> {
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.bad_reply(&error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > ANSWER_BYTES_MAX {
                return Err(self.bad_reply(&format!("it is over {ANSWER_BYTES_MAX} bytes long")));
            }
            read.extend_from_slice(&data);
        }
        Ok(read.freeze())
    }

    fn bad_reply(&self, reason: &str) -> ClientError {
        ClientError::BadReply { address: self.address.clone(), reason: reason.to_owned() }
    }
}

/// The header of an application property; fails for what HTTP cannot carry.
pub fn property_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), ClientError> {
    header(&format!("{PROPERTY_PREFIX}{name}"), value)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), ClientError> {
    let cannot = |part| ClientError::Header { name: name.to_owned(), part };
    let named = HeaderName::try_from(name).map_err(|_| cannot("name"))?;
    let valued = HeaderValue::try_from(value).ok().filter(|value| value.to_str().is_ok());
    Ok((named, valued.ok_or_else(|| cannot("value"))?))
}
