use proptest::collection::vec;
use proptest::prelude::*;

use super::encode::{self, DATA_BYTES_MAX, DataHeader};
use super::{CloseCode, Decoder, End, Violation, masked};

/// A frame as a client sends it. `first` is the whole first byte.
fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=65_535 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

fn frames(parts: &[(u8, &[u8])]) -> Vec<u8> {
    parts.iter().flat_map(|(first, payload)| frame(*first, payload, [1, 2, 3, 4])).collect()
}

fn decode(decoder: &mut Decoder, bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let count = decoder.decode(&mut piece);
        stream.extend_from_slice(&piece[..count]);
    }
    stream
}

fn check(parts: &[(u8, &[u8])], stream: &[u8], ping: Option<&[u8]>, end: Option<End>) {
    let bytes = frames(parts);
    for piece in [1, 2, 3, 7, bytes.len().max(1)] {
        let mut decoder = Decoder::default();
        let found = decode(&mut decoder, &bytes, piece);
        assert_eq!(found, stream, "{parts:?} in pieces of {piece}");
        assert_eq!(decoder.end(), end, "{parts:?} in pieces of {piece}");
        assert_eq!(decoder.take_ping().as_deref(), ping, "{parts:?} in pieces of {piece}");
    }
}

#[test]
fn messages_are_one_stream_however_they_are_cut() {
    check(&[], b"", None, None);
    check(&[(0x82, b"Hello")], b"Hello", None, None);
    check(&[(0x82, b""), (0x82, b"a"), (0x82, b"bc")], b"abc", None, None);
    check(&[(0x02, b"ab"), (0x00, b""), (0x00, b"c"), (0x80, b"d")], b"abcd", None, None);
    let long = vec![7; 70_000];
    check(&[(0x82, &long[..200]), (0x82, &long)], &[7; 70_200], None, None);
}

#[test]
fn control_frames_may_stand_between_the_parts_of_a_message() {
    check(&[(0x02, b"ab"), (0x89, b"?"), (0x80, b"c")], b"abc", Some(b"?"), None);
    check(&[(0x02, b"ab"), (0x8a, b"late"), (0x80, b"c")], b"abc", None, None);
    check(&[(0x02, b"ab"), (0x88, b"")], b"ab", None, Some(End::Closed(None)));
}

#[test]
fn of_several_pings_the_last_is_answered() {
    check(&[(0x89, b"1"), (0x82, b"x"), (0x89, &[9; 125])], b"x", Some(&[9; 125]), None);
    check(&[(0x89, b"")], b"", Some(b""), None);
}

#[test]
fn a_close_ends_the_stream_and_tells_its_code() {
    let closed = |code| Some(End::Closed(CloseCode::received(code)));
    check(&[(0x82, b"a"), (0x88, b"\x03\xe8"), (0x82, b"b")], b"a", None, closed(1000));
    check(&[(0x88, b"\x0f\xa0going")], b"", None, closed(4000));
    for bad in [&b"\x03"[..], b"\x00\x00", b"\x03\xed", b"\x03\xf7", b"\x13\x88"] {
        check(&[(0x88, bad)], b"", None, Some(End::Violation(Violation::CloseCode)));
    }
}

#[test]
fn what_breaks_the_protocol_ends_the_stream() {
    let violation = |violation| Some(End::Violation(violation));
    check(&[(0x82, b"a"), (0x81, b"text")], b"a", None, violation(Violation::Text));
    check(&[(0x01, b"part of a text")], b"", None, violation(Violation::Text));
    check(&[(0x80, b"?")], b"", None, violation(Violation::Order));
    check(&[(0x02, b"a"), (0x82, b"b")], b"a", None, violation(Violation::Order));
    check(&[(0x02, b"a"), (0x80, b"b"), (0x80, b"c")], b"ab", None, violation(Violation::Order));
    check(&[(0xc2, b"compressed")], b"", None, violation(Violation::ReservedBits));
    check(&[(0x83, b"")], b"", None, violation(Violation::Opcode(3)));
    check(&[(0x8b, b"")], b"", None, violation(Violation::Opcode(11)));
    check(&[(0x09, b"")], b"", None, violation(Violation::Control));
    check(&[(0x89, &[0; 126])], b"", None, violation(Violation::Control));
}

#[test]
fn lengths_are_judged_before_anything_of_them_arrives() {
    for (header, end) in [
        (&b"\x82\x05"[..], Some(Violation::Unmasked)),
        (b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", Some(Violation::Length)),
        (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", None),
        // Longer forms than needed are taken: what they announce is as good.
        (b"\x82\xfe\x00\x01\0\0\0\0a", None),
    ] {
        let mut decoder = Decoder::default();
        decode(&mut decoder, header, 1);
        assert_eq!(decoder.end(), end.map(End::Violation), "{}", header.escape_ascii());
    }
}

#[test]
fn the_server_sends_whole_unmasked_binary_messages() {
    let header = |length| {
        let (header, taken) = DataHeader::new(length);
        (header.bytes().to_vec(), taken)
    };
    assert_eq!(header(5), (b"\x82\x05".to_vec(), 5));
    assert_eq!(header(125), (b"\x82\x7d".to_vec(), 125));
    assert_eq!(header(126), (b"\x82\x7e\x00\x7e".to_vec(), 126));
    assert_eq!(header(1 << 40), (b"\x82\x7e\x3f\xfc".to_vec(), DATA_BYTES_MAX));
    let mut out = Vec::new();
    encode::pong(&mut out, b"hi");
    encode::close(&mut out, CloseCode::UNSUPPORTED);
    assert_eq!(out, b"\x8a\x02hi\x88\x02\x03\xeb");
}

#[test]
fn a_client_reads_what_a_server_writes() {
    let mut bytes = Vec::new();
    for length in [0, 5, 125, 126, 300] {
        let (header, taken) = DataHeader::new(length);
        bytes.extend_from_slice(header.bytes());
        bytes.extend(std::iter::repeat_n(7, taken));
    }
    bytes.extend_from_slice(b"\x82\x7f\0\0\0\0\0\0\0\x02ab");
    encode::pong(&mut bytes, b"late");
    encode::close(&mut bytes, CloseCode::NORMAL);
    for piece in [1, 2, 3, bytes.len()] {
        let mut decoder = Decoder::of_server();
        let found = decode(&mut decoder, &bytes, piece);
        assert_eq!(found, [&[7; 556][..], b"ab"].concat(), "in pieces of {piece}");
        assert_eq!(decoder.end(), Some(End::Closed(Some(CloseCode::NORMAL))), "{piece}");
    }
    let mut decoder = Decoder::of_server();
    decode(&mut decoder, b"\x82\x81", 2);
    assert_eq!(decoder.end(), Some(End::Violation(Violation::Masked)));
}

#[test]
fn a_client_writes_what_a_server_reads() {
    let long = vec![7; 70_000];
    let mut bytes = Vec::new();
    for payload in [&b"ab"[..], &long[..300], &long] {
        masked::data(&mut bytes, payload, [1, 2, 3, 4]);
    }
    assert!(bytes.starts_with(b"\x82\x82\x01\x02\x03\x04\x60\x60"));
    masked::pong(&mut bytes, b"?", [9; 4]);
    masked::close(&mut bytes, CloseCode::NORMAL, [5; 4]);
    let mut decoder = Decoder::default();
    let found = decode(&mut decoder, &bytes, 1000);
    assert_eq!(found.len(), 2 + 300 + 70_000);
    assert!(found[2..].iter().all(|byte| *byte == 7));
    assert_eq!(decoder.end(), Some(End::Closed(Some(CloseCode::NORMAL))));
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Decoder>() <= 112, "{}", size_of::<Decoder>());
}

/// Some data cut into the frames of messages, with pings and pongs between them.
fn conversation() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let part = (vec(any::<u8>(), 0..300), any::<[u8; 4]>(), any::<bool>(), 0..4u8);
    vec(part, 0..12).prop_map(|parts| {
        let (mut bytes, mut stream, mut inside) = (Vec::new(), Vec::new(), false);
        for (data, mask, fin, between) in parts {
            match between {
                0 => bytes.extend(frame(0x89, &data[..data.len().min(125)], mask)),
                1 => bytes.extend(frame(0x8a, &data[..data.len().min(125)], mask)),
                _ => {
                    let opcode = if inside { 0x0 } else { 0x2 };
                    bytes.extend(frame(u8::from(fin) << 7 | opcode, &data, mask));
                    stream.extend(data);
                    inside = !fin;
                }
            }
        }
        (bytes, stream)
    })
}

proptest! {
    #[test]
    fn any_cut_of_any_conversation_gives_its_data(
        (bytes, stream) in conversation(),
        cuts in vec(1..40usize, 1..200),
    ) {
        let (mut decoder, mut found, mut rest) = (Decoder::default(), Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            found.extend(decode(&mut decoder, piece, piece.len()));
            rest = after;
        }
        prop_assert_eq!(found, stream);
        prop_assert_eq!(decoder.end(), None);
    }
}
