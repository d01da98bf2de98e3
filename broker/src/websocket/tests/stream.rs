use std::io;

use bytes::Bytes;
use ironhub_wire::websocket::encode::DATA_BYTES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::websocket::stream::FrameStream;

const MASK: [u8; 4] = [0xa1, 0x02, 0x33, 0x04];

/// A client's frame with a payload of at most 125 bytes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first, 0x80 | payload.len() as u8];
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

fn opened(room: usize) -> (DuplexStream, FrameStream<DuplexStream>) {
    let (client, server) = duplex(room);
    (client, FrameStream::new(server, Bytes::new()))
}

/// The next frame that the server sent: first byte and payload.
async fn next(client: &mut DuplexStream) -> (u8, Vec<u8>) {
    let [first, length] = [client.read_u8().await.unwrap(), client.read_u8().await.unwrap()];
    let length = match length {
        126 => client.read_u16().await.unwrap().into(),
        length => usize::from(length),
    };
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).await.unwrap();
    (first, payload)
}

#[tokio::test]
async fn what_came_with_the_handshake_comes_first() {
    let (mut client, server) = duplex(1000);
    let bytes = frame(0x82, b"early");
    let (early, late) = bytes.split_at(4);
    let mut stream = FrameStream::new(server, Bytes::copy_from_slice(early));
    client.write_all(late).await.unwrap();
    client.write_all(&frame(0x82, b" late")).await.unwrap();
    let mut text = [0; 10];
    stream.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"early late");
}

#[tokio::test]
async fn bytes_before_the_readers_own_stay_as_they_are() {
    let (mut client, mut stream) = opened(1000);
    client.write_all(&frame(0x82, b"more")).await.unwrap();
    let mut buffer = b"some ".to_vec();
    stream.read_buf(&mut buffer).await.unwrap();
    assert_eq!(buffer, b"some more");
}

#[tokio::test]
async fn pings_are_answered_while_nothing_is_read_or_written() {
    let (mut client, mut stream) = opened(1000);
    client.write_all(&[frame(0x89, b"one"), frame(0x8a, b"?")].concat()).await.unwrap();
    let mut byte = [0];
    tokio::select! {
        _ = stream.read(&mut byte) => panic!("nothing came"),
        pong = next(&mut client) => assert_eq!(pong, (0x8a, b"one".to_vec())),
    }
}

#[tokio::test]
async fn a_write_is_a_message_and_a_large_one_several() {
    let (mut client, mut stream) = opened(100_000);
    let large: Vec<u8> = (0..40_000).map(|n| n as u8).collect();
    stream.write_all(b"small").await.unwrap();
    stream.write_all(&large).await.unwrap();
    assert_eq!(next(&mut client).await, (0x82, b"small".to_vec()));
    let mut found = Vec::new();
    while found.len() < large.len() {
        let (first, payload) = next(&mut client).await;
        assert!(first == 0x82 && payload.len() <= DATA_BYTES_MAX);
        found.extend(payload);
    }
    assert_eq!(found, large);
}

#[tokio::test]
async fn frames_stay_whole_in_a_narrow_connection_with_pings_from_the_client() {
    for room in [1, 2, 3, 5, 130] {
        let (client, mut stream) = opened(room);
        let (mut from_server, mut to_server) = tokio::io::split(client);
        let sent: Vec<u8> = (0..2000).map(|n| (n / 7) as u8).collect();
        let talk = async {
            for part in sent.chunks(300) {
                stream.write_all(part).await.unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
            }
            stream.shutdown().await.unwrap();
        };
        let ask = async {
            for _ in sent.chunks(300) {
                let bytes = [frame(0x89, &[7; 125]), frame(0x82, b"x")].concat();
                to_server.write_all(&bytes).await.unwrap();
            }
        };
        let listen = async {
            let (mut bytes, mut found, mut pongs) = (Vec::new(), Vec::new(), 0);
            from_server.read_to_end(&mut bytes).await.unwrap();
            let (mut copy, mut server) = duplex(bytes.len());
            server.write_all(&bytes).await.unwrap();
            loop {
                match next(&mut copy).await {
                    (0x82, payload) => found.extend(payload),
                    (0x8a, payload) => {
                        assert_eq!(payload, [7; 125]);
                        pongs += 1;
                    }
                    (0x88, payload) => break assert_eq!(payload, [0x03, 0xe8]),
                    other => panic!("{other:?}"),
                }
            }
            (found, pongs)
        };
        let ((), (), (found, pongs)) = tokio::join!(talk, ask, listen);
        assert_eq!(found, sent, "room for {room}");
        assert!(pongs > 0, "room for {room}");
    }
}

async fn ended(frames: &[u8], expected: io::Result<&[u8]>, close: u16) {
    let (mut client, mut stream) = opened(1000);
    client.write_all(frames).await.unwrap();
    let mut read = Vec::new();
    let outcome = stream.read_to_end(&mut read).await;
    match (&outcome, &expected) {
        (Ok(_), Ok(expected)) => assert_eq!(&read, expected),
        (Err(error), Err(expected)) => assert_eq!(error.kind(), expected.kind()),
        _ => panic!("{outcome:?}, expected {expected:?}"),
    }
    assert_eq!(next(&mut client).await, (0x88, close.to_be_bytes().to_vec()));
    // Whoever ends the session does this, and it says nothing more.
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "{rest:?}");
    assert!(stream.write_all(b"x").await.is_err());
}

#[tokio::test]
async fn a_close_is_answered_with_its_code_and_is_the_end() {
    let close = |payload: &[u8]| [frame(0x82, b"last"), frame(0x88, payload)].concat();
    ended(&close(b""), Ok(b"last"), 1000).await;
    ended(&close(b"\x03\xe9away"), Ok(b"last"), 1001).await;
}

#[tokio::test]
async fn a_violation_is_told_and_is_an_error() {
    let invalid = || Err(io::ErrorKind::InvalidData.into());
    ended(b"\x82\x02hi", invalid(), 1002).await;
    ended(&frame(0x81, b"text"), invalid(), 1003).await;
    ended(&frame(0xc2, b"compressed"), invalid(), 1002).await;
    ended(&[frame(0x82, b"good"), frame(0x83, b"bad")].concat(), invalid(), 1002).await;
}

#[tokio::test]
async fn a_lost_connection_is_the_end_without_a_close() {
    let (mut client, mut stream) = opened(1000);
    client.write_all(&frame(0x82, b"all")[..7]).await.unwrap();
    drop(client);
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"a");
}

#[tokio::test]
async fn a_client_that_only_pings_and_never_reads_costs_next_to_nothing() {
    let (mut client, mut stream) = opened(64);
    let ping = frame(0x89, &[1; 125]);
    let mut byte = [0];
    tokio::select! {
        _ = stream.read(&mut byte) => panic!("nothing came"),
        () = async { for _ in 0..1000 { client.write_all(&ping).await.unwrap(); } } => {}
    }
    assert!(stream.control.capacity() <= 256, "{}", stream.control.capacity());
}

#[test]
fn an_idle_connection_is_small() {
    let own = size_of::<FrameStream<DuplexStream>>() - size_of::<DuplexStream>();
    assert!(own <= 256, "{own}");
}
