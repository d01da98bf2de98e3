use http::Request;

use crate::websocket::handshake::{Subprotocol, answer, is_endpoint};

/// What a client sends, as lines: the request line and headers.
const GOOD: &str = "GET /$iothub/websocket
connection: Upgrade
upgrade: websocket
sec-websocket-version: 13
sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==
sec-websocket-protocol: mqtt";

fn request(text: &str) -> Request<()> {
    let mut lines = text.lines();
    let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    request.body(()).unwrap()
}

/// `good` with one line replaced, or removed.
fn with(line: &str, instead: &str) -> String {
    assert!(GOOD.contains(line));
    GOOD.replace(line, instead)
}

fn accepted(text: &str, subprotocol: Subprotocol, spelled: &str) {
    let (reply, found) = answer(&request(text));
    assert_eq!(found, Some(subprotocol), "{text}");
    assert_eq!(reply.status(), 101, "{text}");
    let headers = reply.headers();
    assert_eq!(headers["sec-websocket-protocol"], spelled, "{text}");
    // The example of RFC 6455 1.3.
    assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(headers["connection"], "Upgrade");
    assert_eq!(headers["upgrade"], "websocket");
    assert!(!headers.contains_key("sec-websocket-extensions"), "{text}");
}

fn refused(text: &str, status: u16) {
    let (reply, found) = answer(&request(text));
    assert_eq!((reply.status().as_u16(), found), (status, None), "{text}");
    assert_eq!(reply.headers().contains_key("sec-websocket-version"), status == 426, "{text}");
}

#[test]
fn the_subprotocol_decides_and_is_echoed_as_the_client_spelled_it() {
    for spelled in ["mqtt", "MQTT", "Mqtt"] {
        let text = with("protocol: mqtt", &format!("protocol: {spelled}"));
        accepted(&text, Subprotocol::Mqtt, spelled);
    }
    for spelled in ["AMQPWSB10", "amqpwsb10"] {
        let text = with("protocol: mqtt", &format!("protocol: {spelled}"));
        accepted(&text, Subprotocol::Amqp, spelled);
    }
    accepted(
        &with("protocol: mqtt", "protocol: foo,mqttv3.1, AMQPWSB10 ,mqtt"),
        Subprotocol::Amqp,
        "AMQPWSB10",
    );
    let two = with("protocol: mqtt", "protocol: foo\nsec-websocket-protocol: MQTT");
    accepted(&two, Subprotocol::Mqtt, "MQTT");
}

#[test]
fn headers_are_lists_and_nobody_minds_letter_case_extensions_or_origin() {
    accepted(
        &with("connection: Upgrade", "connection: keep-alive, upgrade"),
        Subprotocol::Mqtt,
        "mqtt",
    );
    accepted(&with("upgrade: websocket", "upgrade: WebSocket"), Subprotocol::Mqtt, "mqtt");
    let more = format!(
        "{GOOD}\norigin: https://elsewhere.example\nhost: hub:443\nsec-websocket-extensions: permessage-deflate"
    );
    accepted(&more, Subprotocol::Mqtt, "mqtt");
}

#[test]
fn both_endpoints_take_connections_in_every_spelling() {
    for path in [
        "/$iothub/websocket",
        "/$iothub/websocket/",
        "/%24iothub/websocket",
        "/$IotHub/WebSocket",
        "/$servicebus/websocket",
        "/$servicebus/websocket/",
        "/%24servicebus/websocket/",
    ] {
        assert!(is_endpoint(path), "{path}");
        let query = format!("{path}?iothub-no-client-cert=true");
        accepted(&with("/$iothub/websocket", &query), Subprotocol::Mqtt, "mqtt");
    }
    for path in ["/", "/iothub/websocket", "/$iothub", "/$iothub/websocket/x", "/devices"] {
        assert!(!is_endpoint(path), "{path}");
        refused(&with("/$iothub/websocket", path), 404);
    }
}

#[test]
fn what_is_no_handshake_is_told_why() {
    refused(&with("GET", "POST"), 405);
    refused(&with("upgrade: websocket\n", ""), 426);
    refused(&with("upgrade: websocket", "upgrade: h2c"), 426);
    refused(&with("version: 13", "version: 8"), 426);
    refused(&with("sec-websocket-version: 13\n", ""), 426);
    refused(&with("connection: Upgrade", "connection: close"), 400);
    for key in ["", "dGhlIHNhbXBsZQ==", "not base64"] {
        refused(&with("dGhlIHNhbXBsZSBub25jZQ==", key), 400);
    }
    for subprotocol in ["", "mqttv3.1", "mqtt5", "AMQP", "mqtt/x"] {
        let line = format!("protocol: {subprotocol}");
        refused(&with("protocol: mqtt", &line), 400);
    }
    refused(&with("\nsec-websocket-protocol: mqtt", ""), 400);
}

#[test]
fn older_and_newer_http_cannot_be_left() {
    for version in [http::Version::HTTP_10, http::Version::HTTP_2] {
        let mut request = request(GOOD);
        *request.version_mut() = version;
        let (reply, found) = answer(&request);
        assert_eq!((reply.status().as_u16(), found), (400, None), "{version:?}");
    }
}
