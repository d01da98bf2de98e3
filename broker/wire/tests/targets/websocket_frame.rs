//! A client's WebSocket bytes: what comes out does not depend on how they arrive, and is never more than what went in.

use ironhub_wire::websocket::encode::{DATA_BYTES_MAX, DataHeader};
use ironhub_wire::websocket::{CONTROL_BYTES_MAX, Decoder, End};

/// The first byte says how the rest is cut.
pub fn run(data: &[u8]) {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let whole = decode(bytes, bytes.len().max(1));
    assert_eq!(decode(bytes, usize::from(cut).max(1)), whole);
    let (stream, ping, _) = whole;
    assert!(stream.len() <= bytes.len(), "more came out than went in");
    assert!(ping.is_none_or(|ping| ping.len() <= CONTROL_BYTES_MAX));
    let (header, length) = DataHeader::new(bytes.len() * usize::from(cut));
    assert!(length <= DATA_BYTES_MAX && !header.bytes().is_empty());
}

fn decode(bytes: &[u8], piece: usize) -> (Vec<u8>, Option<Vec<u8>>, Option<End>) {
    let (mut decoder, mut stream) = (Decoder::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let count = decoder.decode(&mut piece);
        stream.extend_from_slice(&piece[..count]);
    }
    let ping = decoder.take_ping();
    (stream, ping, decoder.end())
}
