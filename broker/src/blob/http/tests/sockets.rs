//! Whole connections on memory: what the bytes themselves can do wrong. Time is tokio's own, so waiting costs none.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::super::receive::{PROGRESS_BYTES, PROGRESS_TIME};
use super::*;

fn connect(endpoint: &Endpoint) -> DuplexStream {
    let (client, server) = duplex(64 * 1024);
    let service = endpoint.service.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(handle(request, &service, NOW).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(server), answer);
    tokio::spawn(async move {
        // How it ends is what the client sees.
        let _ = serving.await;
    });
    client
}

fn put(endpoint: &Endpoint, headers: &str) -> String {
    let url = endpoint.url("d1/a", "");
    format!(
        "PUT {url} HTTP/1.1\r\nHost: hub.test\r\nx-ms-blob-type: BlockBlob\r\n{headers}\r\n\r\n"
    )
}

/// Everything that comes until the connection ends.
async fn rest(client: &mut DuplexStream) -> String {
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn exchange(endpoint: &Endpoint, request: String) -> String {
    let mut client = connect(endpoint);
    client.write_all(request.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    rest(&mut client).await
}

/// Waits for the clean-up behind a connection that is gone.
async fn no_files(endpoint: &Endpoint) {
    let gone = async {
        while endpoint.files() > 0 {
            tokio::task::yield_now().await;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), gone).await.expect("files are left");
}

#[tokio::test]
async fn bodies_may_be_chunked() {
    let endpoint = Endpoint::new();
    let chunked = put(&endpoint, "Transfer-Encoding: chunked\r\nConnection: close");
    let answer = exchange(&endpoint, chunked + "5\r\nhello\r\n5\r\n blob\r\n0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(answer.contains("content-length: 0"), "{answer}");
    assert_eq!(endpoint.get("d1/a", "").await.text(), "hello blob");
}

#[tokio::test]
async fn who_asks_before_sending_hears_yes_or_why_not() {
    let endpoint = Endpoint::new();
    let mut client = connect(&endpoint);
    let request = put(&endpoint, "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut go = [0; 25];
    client.read_exact(&mut go).await.unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").await.unwrap();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 201"));

    let mut client = connect(&endpoint);
    let request = put(&endpoint, "Content-Length: 9999999\r\nExpect: 100-continue");
    client.write_all(request.replacen("sig=", "sig=A", 1).as_bytes()).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test]
async fn a_body_that_ends_before_its_announced_length_leaves_nothing() {
    let endpoint = Endpoint::new();
    let answer = exchange(&endpoint, put(&endpoint, "Content-Length: 10") + "short").await;
    assert!(!answer.contains("201"), "{answer}");
    no_files(&endpoint).await;
    // The connection is cut, not only the sending side.
    let mut client = connect(&endpoint);
    let begin = put(&endpoint, "Content-Length: 10000000") + &"x".repeat(200_000);
    client.write_all(begin.as_bytes()).await.unwrap();
    drop(client);
    no_files(&endpoint).await;
    let broken = put(&endpoint, "Transfer-Encoding: chunked") + "5\r\nhello\r\nzz\r\n";
    let answer = exchange(&endpoint, broken).await;
    assert!(!answer.contains("201"), "{answer}");
    no_files(&endpoint).await;
}

#[tokio::test]
async fn a_length_over_the_limit_is_refused_before_a_byte_is_taken() {
    let endpoint = Endpoint::new();
    let answer = exchange(&endpoint, put(&endpoint, "Content-Length: 5242880001")).await;
    assert!(answer.contains("x-ms-error-code: RequestBodyTooLarge"), "{answer}");
    let list = put(&endpoint, "Content-Length: 9000000").replacen('?', "?comp=blocklist&", 1);
    let answer = exchange(&endpoint, list).await;
    assert!(answer.contains("x-ms-error-code: RequestBodyTooLarge"), "{answer}");
    let more_than_the_disk = format!("Content-Length: {}", 4_u64 << 30);
    endpoint.free.store(1 << 30, Ordering::Relaxed);
    let answer = exchange(&endpoint, put(&endpoint, &more_than_the_disk)).await;
    assert!(answer.contains("x-ms-error-code: InsufficientStorage"), "{answer}");
    assert_eq!(endpoint.files(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_stops_or_drips_is_let_go_and_one_that_is_merely_slow_is_not() {
    let endpoint = Endpoint::new();
    let mut client = connect(&endpoint);
    client.write_all((put(&endpoint, "Content-Length: 10") + "half").as_bytes()).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.contains("x-ms-error-code: OperationTimedOut"), "{answer}");

    let mut client = connect(&endpoint);
    client.write_all(put(&endpoint, "Content-Length: 1000000").as_bytes()).await.unwrap();
    let drip = async {
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(PROGRESS_TIME / 10).await;
        }
    };
    assert!(tokio::time::timeout(PROGRESS_TIME * 20, drip).await.is_ok(), "dripping keeps a place");
    assert_eq!(endpoint.files(), 0);

    let mut client = connect(&endpoint);
    let length = format!("Content-Length: {}\r\nConnection: close", 5 * PROGRESS_BYTES);
    client.write_all(put(&endpoint, &length).as_bytes()).await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(PROGRESS_TIME * 2 / 3).await;
        client.write_all(&vec![b'x'; PROGRESS_BYTES]).await.unwrap();
    }
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn a_disk_that_fills_up_meanwhile_ends_the_upload_and_leaves_nothing() {
    let endpoint = Endpoint::new();
    let mut client = connect(&endpoint);
    client.write_all(put(&endpoint, "Transfer-Encoding: chunked").as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
    for _ in 0..8 {
        client.write_all(&chunk).await.unwrap();
    }
    assert!(endpoint.files() > 0);
    endpoint.free.store(RESERVE, Ordering::Relaxed);
    let (mut read, mut write) = tokio::io::split(client);
    let sending = tokio::spawn(async move { while write.write_all(&chunk).await.is_ok() {} });
    let mut answer = [0; 12];
    read.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 507");
    no_files(&endpoint).await;
    sending.abort();
}

#[tokio::test]
async fn one_connection_carries_many_requests_and_a_head_has_no_body() {
    let endpoint = Endpoint::new();
    let url = endpoint.url("d1/a", "");
    let head = format!("HEAD {url} HTTP/1.1\r\nHost: hub.test\r\n\r\n");
    let get = format!("GET {url} HTTP/1.1\r\nHost: hub.test\r\nConnection: close\r\n\r\n");
    let requests = put(&endpoint, "Content-Length: 5") + "hello" + &head + &head + &get;
    let answers = exchange(&endpoint, requests).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert_eq!(answers.matches("content-length: 5").count(), 3, "{answers}");
    assert!(answers.ends_with("\r\n\r\nhello"), "{answers}");
}
