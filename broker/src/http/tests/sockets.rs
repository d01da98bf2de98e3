//! Whole connections on memory: what the bytes themselves can do wrong. Time is tokio's own, so waiting costs none.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::http::listener::{HEAD_BYTES_MAX, HEAD_TIME_MAX, speak_http};
use crate::http::patience::SEND_STALL_MAX;
use crate::http::{Reply, Serve};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

fn connect(context: HttpContext) -> DuplexStream {
    let (client, server) = duplex(64 * 1024);
    tokio::spawn(speak_http(server, PEER.into(), Arc::new(context)));
    client
}

/// Everything that the hub sends until it closes.
async fn rest(client: &mut DuplexStream) -> String {
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn exchange(request: &str) -> String {
    let mut client = connect(context(None));
    client.write_all(request.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    rest(&mut client).await
}

fn put(length: &str, body: &str) -> String {
    let token = token("iothubowner");
    format!(
        "PUT /devices/d1 HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\n{length}\r\n\r\n{body}"
    )
}

#[tokio::test(start_paused = true)]
async fn one_connection_carries_many_requests() {
    let mut client = connect(context(None));
    let get = |end| {
        let token = token("iothubowner");
        format!("GET /devices HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {token}\r\n{end}\r\n")
    };
    let requests = put("Content-Length: 2", "{}") + &get("") + &get("Connection: close\r\n");
    client.write_all(requests.as_bytes()).await.unwrap();
    let answers = rest(&mut client).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}

#[tokio::test(start_paused = true)]
async fn chunked_bodies_are_bodies() {
    let answer =
        exchange(&put("Transfer-Encoding: chunked", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let endless = "7ff\r\n".to_owned() + &"y".repeat(0x7ff) + "\r\n";
    let answer = exchange(&put("Transfer-Encoding: chunked", &endless.repeat(33))).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = exchange(&put("Transfer-Encoding: chunked", "zz\r\n{}\r\n")).await;
    assert!(answer.contains("400"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn lengths_that_lie_never_make_a_device() {
    // Announced too long: the rest never comes, the sender stops.
    let answer = exchange(&put("Content-Length: 10", "{}")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // Announced too short: a cut body is no device, and its tail is no request.
    let answer = exchange(&put("Content-Length: 1", "{}")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // Announced beyond the limit: refused without reading.
    let answer = exchange(&put("Content-Length: 99999999999", "{}")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    for length in [
        "Content-Length: -1",
        "Content-Length: two",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 99999999999999999999999",
    ] {
        let answer = exchange(&put(length, "{}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{length}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_stops_within_its_body_is_told_and_let_go() {
    let mut client = connect(context(None));
    client.write_all(put("Content-Length: 10", "{").as_bytes()).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_costs_the_connection() {
    for start in
        ["", "G", "GET /dev", "PRI * HTTP/2.0\r\n\r\n", "GET /devices HTTP/1.1\r\nHost: x\r\n"]
    {
        let mut client = connect(context(None));
        client.write_all(start.as_bytes()).await.unwrap();
        let ended = tokio::time::timeout(HEAD_TIME_MAX * 3, rest(&mut client)).await;
        assert!(ended.is_ok(), "{start:?} keeps its connection");
    }
    // One byte every ten seconds is no progress either.
    let mut client = connect(context(None));
    let drip = async {
        while client.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    assert!(tokio::time::timeout(HEAD_TIME_MAX * 3, drip).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_long_is_refused() {
    let answer =
        exchange(&format!("GET /devices HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX)))
            .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let answer = exchange("nonsense\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn draining_lets_idle_connections_go() {
    let (drain, draining) = watch::channel(false);
    let mut client = connect(HttpContext { draining, ..context(None) });
    client.write_all(put("Content-Length: 2", "{}").as_bytes()).await.unwrap();
    let mut first = [0; 15];
    client.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    drain.send(true).unwrap();
    rest(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_its_answer_is_let_go() {
    let hub = context(None);
    let (mut client, server) = duplex(512);
    let served = tokio::spawn(speak_http(server, PEER.into(), Arc::new(hub)));
    let ask = put("Content-Length: 2", "{}");
    let asking = async { while client.write_all(ask.as_bytes()).await.is_ok() {} };
    let ended = async { tokio::join!(asking, served).1 };
    tokio::time::timeout(SEND_STALL_MAX * 3, ended).await.expect("let go").unwrap();
}

struct Teapot;

impl UpgradeHandler for Teapot {
    fn wants(&self, request: &Request<Incoming>) -> bool {
        request.uri().path() == "/teapot"
    }

    fn upgrade(&self, _request: &Request<Incoming>) -> (Reply, Option<Serve>) {
        let mut reply = Reply::default();
        *reply.status_mut() = StatusCode::IM_A_TEAPOT;
        (reply, None)
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_upgrade_handler_wants_goes_to_it() {
    for (path, status) in [("/teapot", 418), ("/devices", 401)] {
        let mut client = connect(context(Some(Arc::new(Teapot))));
        let request = format!("GET {path} HTTP/1.1\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let answer = rest(&mut client).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
}

#[tokio::test]
async fn http_2_carries_the_same_calls_at_once() {
    let client = hyper_util::rt::TokioIo::new(connect(context(None)));
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(executor, client).await.unwrap();
    tokio::spawn(connection);
    let put = |n: usize, body: String| {
        let mut sender = sender.clone();
        let request = Request::builder()
            .method("PUT")
            .uri(format!("https://{HOST}/devices/d{n}"))
            .header("authorization", token("iothubowner"))
            .body(Full::new(bytes::Bytes::from(body)))
            .unwrap();
        async move { sender.send_request(request).await.unwrap().status().as_u16() }
    };
    let created = futures_util::future::join_all((0..100).map(|n| put(n, "{}".into()))).await;
    assert_eq!(created, [200; 100]);
    assert_eq!(put(200, "x".repeat(70_000)).await, 413);
    assert_eq!(put(201, "{".into()).await, 400);
    assert_eq!(put(202, "{}".into()).await, 200);
}

/// Sends a request in pieces, each when the one before is taken; the answer, or why it cannot be read.
async fn send_all_then_read(request: &str, buffer: usize) -> String {
    let (mut client, server) = duplex(buffer);
    tokio::spawn(speak_http(server, PEER.into(), Arc::new(context(None))));
    client.write_all(request.as_bytes()).await.expect("the hub takes all of it");
    rest(&mut client).await
}

#[tokio::test(start_paused = true)]
async fn who_sends_a_refused_body_to_its_end_gets_to_read_why() {
    let body = "y".repeat(300_000);
    let length = format!("Connection: close\r\nContent-Length: {}", body.len());
    let large = put(&length, &body);
    assert!(send_all_then_read(&large, 512).await.starts_with("HTTP/1.1 413"));
    let forged = large.replace("skn=iothubowner", "skn=nobody");
    assert!(send_all_then_read(&forged, 512).await.starts_with("HTTP/1.1 401"));
}

#[tokio::test(start_paused = true)]
async fn who_asks_before_sending_is_answered_at_once() {
    let mut client = connect(context(None));
    let length = "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 300000";
    client.write_all(put(length, "").as_bytes()).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let mut client = connect(context(None));
    let length = "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2";
    client.write_all(put(length, "").as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    client.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"{}").await.unwrap();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 200"));
}
