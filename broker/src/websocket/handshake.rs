//! The opening handshake (RFC 6455 4.2). Pure: a request's head -> the reply.

use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use http_body_util::Full;
use ironhub_domain::HubError;
use ring::digest;

use crate::http::Reply;
use crate::http::errors::HttpError;
use crate::http::route::RouteError;

/// Where WebSocket connections are taken: of the hub, and of its Event Hubs face, which some clients also ask the hub for.
const ENDPOINTS: [&str; 2] = ["/$iothub/websocket", "/$servicebus/websocket"];

/// What the server appends to the client's key (RFC 6455 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a client's key.
const KEY_BYTES: usize = 16;

/// What travels in the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subprotocol {
    /// MQTT 3.1.1, `mqtt`. MQTT 3.1 has a name of its own, `mqttv3.1`, and is not offered.
    Mqtt,
    /// AMQP 1.0, `AMQPWSB10`.
    Amqp,
}

impl Subprotocol {
    fn named(name: &str) -> Option<Self> {
        [(Self::Mqtt, "mqtt"), (Self::Amqp, "AMQPWSB10")].into_iter().find_map(
            |(subprotocol, known)| known.eq_ignore_ascii_case(name).then_some(subprotocol),
        )
    }

    /// As metrics call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Mqtt => "websocket_mqtt",
            Self::Amqp => "websocket_amqp",
        }
    }
}

/// Why there will be no WebSocket.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Route(#[from] RouteError),
    #[error("{0}")]
    Malformed(&'static str),
    #[error("this is an endpoint for WebSocket connections of version 13 only")]
    UpgradeRequired,
}

/// Whether a path belongs to WebSocket. The query is no part of it; `$` may be encoded, letter case and a trailing slash
/// mean nothing (device-protocols.md 2.13, service-protocols.md 2.1).
pub fn is_endpoint(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path).replace("%24", "$");
    ENDPOINTS.iter().any(|endpoint| endpoint.eq_ignore_ascii_case(&path))
}

/// The reply with status 101 and what the connection then speaks, or the refusal. No extension is agreed on, and `Host`
/// and `Origin` are not looked at: credentials follow inside.
pub fn answer<B>(request: &Request<B>) -> (Reply, Option<Subprotocol>) {
    match negotiate(request) {
        Ok((reply, subprotocol)) => (reply, Some(subprotocol)),
        Err(refusal) => {
            tracing::debug!(reason = %refusal, "WebSocket handshake refused");
            (refuse(&refusal), None)
        }
    }
}

fn negotiate<B>(request: &Request<B>) -> Result<(Reply, Subprotocol), Refusal> {
    let (headers, path) = (request.headers(), request.uri().path());
    if !is_endpoint(path) {
        return Err(RouteError::unknown(path).into());
    }
    if request.method() != Method::GET {
        return Err(RouteError::MethodNotAllowed {
            method: request.method().to_string(),
            allowed: vec!["GET"],
        }
        .into());
    }
    if !lists(headers, UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket")) {
        return Err(Refusal::UpgradeRequired);
    }
    if request.version() != Version::HTTP_11 {
        return Err(Refusal::Malformed("WebSocket connections begin with HTTP/1.1"));
    }
    if !lists(headers, CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade")) {
        return Err(Refusal::Malformed("the Connection header does not ask for an upgrade"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::UpgradeRequired);
    }
    let accept =
        accept(headers).ok_or(Refusal::Malformed("Sec-WebSocket-Key is not 16 bytes in base64"))?;
    let (subprotocol, spelled) = lists(headers, SEC_WEBSOCKET_PROTOCOL)
        .find_map(|name| Some((Subprotocol::named(name)?, HeaderValue::from_str(name).ok()?)))
        .ok_or(Refusal::Malformed(
            "Sec-WebSocket-Protocol offers none of the subprotocols mqtt and AMQPWSB10",
        ))?;
    let mut reply = Reply::new(Full::default());
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    // Some clients compare it with their own spelling.
    headers.insert(SEC_WEBSOCKET_PROTOCOL, spelled);
    Ok((reply, subprotocol))
}

/// The elements of a header's comma-separated lists.
fn lists(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The proof that the key was read (RFC 6455 4.2.2); SHA-1 is no protection here and need not be.
fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let key = headers.get(SEC_WEBSOCKET_KEY)?.as_bytes();
    if BASE64_STANDARD.decode(key).ok()?.len() != KEY_BYTES {
        return None;
    }
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(KEY_SUFFIX);
    HeaderValue::from_str(&BASE64_STANDARD.encode(hash.finish())).ok()
}

fn refuse(refusal: &Refusal) -> Reply {
    let error = match refusal {
        Refusal::Route(error) => HttpError::Route(error.clone()),
        Refusal::Malformed(why) => HttpError::Hub(HubError::InvalidArgument((*why).into())),
        Refusal::UpgradeRequired => return upgrade_required(refusal.to_string()),
    };
    error.reply(rand::random(), SystemTime::now().into())
}

/// Says what to ask for instead (RFC 9110 15.5.22, RFC 6455 4.4).
fn upgrade_required(text: String) -> Reply {
    let mut reply = Reply::new(Full::new(text.into()));
    *reply.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = reply.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    reply
}
