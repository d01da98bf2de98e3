//! The protocols of the other ports over WebSocket (RFC 6455), on the port of HTTPS.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::Empty;
use hyper::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use ironhub_wire::websocket::{CloseCode, Decoder, masked};
use ring::digest;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::ClientError;
use super::rest::ANSWER_TIME_MAX;
use super::tls::{self, Address, Stream, Trust};

/// Where the hub takes WebSocket connections; the parameter asks it not to ask for a certificate (device-protocols.md 2.13).
const ENDPOINT: &str = "/$iothub/websocket?iothub-no-client-cert=true";
/// What the server appends to the key (RFC 6455 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes that wait in each direction, and most that one frame carries.
const BUFFER_BYTES: usize = 16 * 1024;

/// Connects, and gives the stream that the frames carry. `subprotocol` is `mqtt` or `AMQPWSB10`. Whatever ends the
/// connection ends the stream.
pub async fn connect(
    address: &Address,
    trust: &Trust,
    subprotocol: &'static str,
) -> Result<DuplexStream, ClientError> {
    let stream = tls::connect(address, trust, &[b"http/1.1"]).await?;
    let waited = ANSWER_TIME_MAX;
    let carrier = timeout(waited, open(stream, address, subprotocol))
        .await
        .map_err(|_| ClientError::Timeout { address: address.connect_to.clone(), waited })??;
    let (ours, inside) = duplex(BUFFER_BYTES);
    tokio::spawn(carry(carrier, inside));
    Ok(ours)
}

async fn open(
    stream: TlsStream<TcpStream>,
    address: &Address,
    subprotocol: &'static str,
) -> Result<TokioIo<Upgraded>, ClientError> {
    let bad =
        |reason: String| ClientError::BadReply { address: address.connect_to.clone(), reason };
    let broken = |error: hyper::Error| bad(error.to_string());
    let key = BASE64_STANDARD.encode(rand::random::<[u8; 16]>());
    let request = Request::get(ENDPOINT)
        .header(HOST, &address.host)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .header(SEC_WEBSOCKET_PROTOCOL, subprotocol)
        .body(Empty::<&[u8]>::new())
        .map_err(|error| ClientError::ConnectionString(error.to_string()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Drives the socket until the upgrade, and reports what is wrong through the sender.
    tokio::spawn(connection.with_upgrades());
    let reply = sender.send_request(request).await.map_err(broken)?;
    if reply.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(bad(format!("it does not open a WebSocket (HTTP {})", reply.status())));
    }
    if reply.headers().get(SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| *accept != proof(&key)) {
        return Err(bad("it has not read the key of the WebSocket".to_owned()));
    }
    let upgraded = hyper::upgrade::on(reply).await.map_err(broken)?;
    Ok(TokioIo::new(upgraded))
}

/// What shows that the key was read (RFC 6455 4.2.2); SHA-1 is no protection here and need not be.
fn proof(key: &str) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(KEY_SUFFIX);
    BASE64_STANDARD.encode(hash.finish())
}

/// Carries bytes between the frames outside and the stream inside, until either ends. Neither direction waits for the other.
async fn carry(outside: impl Stream, inside: DuplexStream) {
    let (from_hub, to_hub) = split(outside);
    let (from_us, to_us) = split(inside);
    // Of several pings only the last needs an answer; one that finds no room is answered with a later one.
    let (pings, unanswered) = mpsc::channel(1);
    tokio::select! {
        () = inward(from_hub, to_us, pings) => {}
        () = outward(from_us, to_hub, unanswered) => {}
    }
}

async fn inward(
    mut from_hub: impl AsyncRead + Unpin,
    mut to_us: impl AsyncWrite + Unpin,
    pings: mpsc::Sender<Vec<u8>>,
) {
    let (mut decoder, mut bytes) = (Decoder::of_server(), vec![0; BUFFER_BYTES]);
    while let Ok(count @ 1..) = from_hub.read(&mut bytes).await {
        let count = decoder.decode(&mut bytes[..count]);
        if to_us.write_all(&bytes[..count]).await.is_err() || decoder.end().is_some() {
            return;
        }
        if let Some(ping) = decoder.take_ping() {
            let _ = pings.try_send(ping);
        }
    }
}

async fn outward(
    mut from_us: impl AsyncRead + Unpin,
    mut to_hub: impl AsyncWrite + Unpin,
    mut pings: mpsc::Receiver<Vec<u8>>,
) {
    let (mut bytes, mut frames) = (vec![0; BUFFER_BYTES], Vec::new());
    let mut open = true;
    while open {
        frames.clear();
        tokio::select! {
            count = from_us.read(&mut bytes) => match count {
                Ok(count @ 1..) => masked::data(&mut frames, &bytes[..count], rand::random()),
                Ok(0) | Err(_) => {
                    masked::close(&mut frames, CloseCode::NORMAL, rand::random());
                    open = false;
                }
            },
            Some(ping) = pings.recv() => masked::pong(&mut frames, &ping, rand::random()),
        }
        if to_hub.write_all(&frames).await.is_err() || to_hub.flush().await.is_err() {
            return;
        }
    }
    let _ = to_hub.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_rfc() {
        // RFC 6455 1.3.
        assert_eq!(proof("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn bytes_travel_both_ways_in_frames_and_the_end_is_told() {
        let (mut ours, inside) = duplex(BUFFER_BYTES);
        let (outside, mut hub) = duplex(1024 * 1024);
        tokio::spawn(carry(outside, inside));
        let mut frame = ironhub_wire::websocket::encode::DataHeader::new(3).0.bytes().to_vec();
        frame.extend_from_slice(b"abc\x89\x01?");
        hub.write_all(&frame).await.unwrap();
        let mut read = [0; 3];
        ours.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abc");

        let long = vec![7; 100_000];
        ours.write_all(&long).await.unwrap();
        drop(ours);
        let mut sent = Vec::new();
        hub.read_to_end(&mut sent).await.unwrap();
        let mut decoder = Decoder::default();
        let count = decoder.decode(&mut sent);
        assert_eq!(sent[..count], long);
        assert!(decoder.end().is_some(), "no close frame");
    }
}
