use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::amqp::codec::{Map, Symbol, Text, Value};
use crate::amqp::condition;
use crate::amqp::frame::{FrameKind, next_frame, put_frame};
use crate::amqp::sasl::{SaslCode, SaslFrame};

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits"))
        .collect()
}

fn frame(kind: FrameKind, write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, 0, write);
    out.to_vec()
}

fn check(performative: &Performative, golden: &str) {
    let written = frame(FrameKind::Amqp, |out| performative.encode(out));
    assert_eq!(written, hex(golden), "{performative:?}");
    let mut buffer = BytesMut::from(&written[..]);
    let frame = next_frame(&mut buffer, 512).expect("a frame").expect("complete");
    let (read, payload) = Performative::decode(&frame.body).expect("decodes");
    assert_eq!((&read, payload.len()), (performative, 0));
}

#[test]
fn open_has_ten_fields() {
    let open = Open {
        container_id: Text::from_static("stub"),
        max_frame_size: Some(65536),
        channel_max: Some(4999),
        idle_time_out: Some(240_000),
        ..Open::default()
    };
    check(
        &Performative::Open(Box::new(open)),
        "0000002d 02 00 0000  00 53 10  d0 0000001d 0000000a  a1 04 73747562  40  70 00010000
         60 1387  70 0003a980  40 40 40 40 40",
    );
}

#[test]
fn begin_has_eight_fields() {
    let begin = Begin {
        remote_channel: Some(1),
        incoming_window: 2048,
        outgoing_window: u32::MAX,
        handle_max: Some(255),
        ..Begin::default()
    };
    check(
        &Performative::Begin(Box::new(begin)),
        "00000027 02 00 0000  00 53 11  d0 00000017 00000008  60 0001  43  70 00000800
         70 ffffffff  52 ff  40 40 40",
    );
}

#[test]
fn flow_has_eleven_fields() {
    let flow = Flow {
        next_incoming_id: Some(0),
        incoming_window: 2048,
        outgoing_window: u32::MAX,
        handle: Some(1),
        delivery_count: Some(0),
        link_credit: Some(1000),
        ..Flow::default()
    };
    check(
        &Performative::Flow(flow),
        "0000002c 02 00 0000  00 53 13  d0 0000001c 0000000b  43  70 00000800  43  70 ffffffff
         52 01  43  70 000003e8  40 40 40 40",
    );
}

#[test]
fn disposition_has_six_fields() {
    let disposition = Disposition {
        role: Role::Receiver,
        first: 0,
        last: Some(0),
        settled: true,
        state: Some(DeliveryState::Accepted),
        batchable: false,
    };
    check(
        &Performative::Disposition(disposition),
        "0000001d 02 00 0000  00 53 15  d0 0000000d 00000006  41  43  43  41  00 53 24 45  40",
    );
}

#[test]
fn detach_end_and_close_are_never_empty_lists() {
    let detach = Detach { handle: 0, closed: true, error: None };
    check(
        &Performative::Detach(detach),
        "00000017 02 00 0000  00 53 16  d0 00000007 00000003  43  41  40",
    );
    let golden = "00000015 02 00 0000  00 53 17  d0 00000005 00000001  40";
    check(&Performative::End(End::default()), golden);
    check(&Performative::Close(Close::default()), &golden.replace("53 17", "53 18"));
}

#[test]
fn a_sasl_outcome_has_both_fields() {
    let outcome = SaslFrame::Outcome { code: SaslCode::Ok, additional_data: None };
    let written = frame(FrameKind::Sasl, |out| outcome.encode(out));
    let golden = "00000017 02 01 0000  00 53 44  d0 00000007 00000002  50 00  40";
    assert_eq!(written, hex(golden));
    let body = Bytes::copy_from_slice(&written[8..]);
    assert_eq!(SaslFrame::decode(&body), Ok(outcome));
}

/// How many fields the outer list of a performative has.
fn field_count(performative: &Performative) -> u32 {
    let mut out = BytesMut::new();
    performative.encode(&mut out);
    assert_eq!(out[..2], [0x00, 0x53]);
    assert_eq!(out[3], 0xd0);
    u32::from_be_bytes(out[8..12].try_into().expect("four bytes"))
}

#[test]
fn attach_and_transfer_have_fourteen_and_eleven_fields_even_when_empty() {
    assert_eq!(field_count(&Performative::Attach(Box::default())), 14);
    assert_eq!(field_count(&Performative::Transfer(Transfer::default())), 11);
}

#[test]
fn an_error_has_three_fields() {
    let error = Error::new(condition::NOT_FOUND, "x");
    let mut out = BytesMut::new();
    error.encode(&mut out);
    assert_eq!(u32::from_be_bytes(out[8..12].try_into().expect("four bytes")), 3);
}

#[test]
fn lists_that_end_early_and_other_descriptors_are_read() {
    let read = |bytes: &[u8]| Performative::decode(&Bytes::copy_from_slice(bytes)).map(|p| p.0);
    let close = Performative::Close(Close::default());
    assert_eq!(read(&hex("00 53 18 45")), Ok(close.clone()));
    assert_eq!(read(&hex("00 53 18 c0 01 00")), Ok(close.clone()));
    assert_eq!(read(&hex("00 80 0000000000000018 45")), Ok(close.clone()));
    let mut symbolic = vec![0x00, 0xa3, 15];
    symbolic.extend(b"amqp:close:list");
    symbolic.push(0x45);
    assert_eq!(read(&symbolic), Ok(close));
    let open = Open { container_id: Text::from_static("c"), ..Open::default() };
    assert_eq!(read(&hex("00 53 10 c0 04 01 a1 01 63")), Ok(Performative::Open(Box::new(open))));
    assert_eq!(read(&hex("00 53 10 45")), Err(DecodeError::Missing("container-id")));
    assert_eq!(read(&hex("00 53 24 45")), Err(DecodeError::UnknownDescriptor));
}

#[test]
fn a_single_symbol_stands_for_an_array_of_one() {
    let body = Bytes::from(hex("00 53 10 c0 0d 08 a1 01 63 40 40 40 40 40 40 a3 01 78"));
    let Ok((Performative::Open(open), _)) = Performative::decode(&body) else {
        panic!("an open");
    };
    assert_eq!(open.offered_capabilities, [Symbol::from_static("x")]);
}

fn delivery_state() -> impl Strategy<Value = DeliveryState> {
    prop_oneof![
        Just(DeliveryState::Accepted),
        Just(DeliveryState::Released),
        Just(DeliveryState::Rejected(None)),
        "[a-z]{0,20}".prop_map(|text| DeliveryState::rejected(
            Error::new(condition::NOT_FOUND, text)
                .with_info(Map::default().with("k", Value::Int(1)))
        )),
        any::<(u32, u64)>().prop_map(|(section_number, section_offset)| {
            DeliveryState::Received { section_number, section_offset }
        }),
        any::<(bool, bool)>().prop_map(|(delivery_failed, undeliverable_here)| {
            DeliveryState::Modified { delivery_failed, undeliverable_here, annotations: None }
        }),
    ]
}

prop_compose! {
    fn transfer()(
        handle in any::<u32>(),
        delivery_id in any::<Option<u32>>(),
        tag in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..32)),
        message_format in any::<Option<u32>>(),
        settled in any::<Option<bool>>(),
        flags in any::<[bool; 4]>(),
        state in proptest::option::of(delivery_state()),
    ) -> Transfer {
        let [more, resume, aborted, batchable] = flags;
        let delivery_tag = tag.map(Bytes::from);
        Transfer {
            handle, delivery_id, delivery_tag, message_format, settled, more,
            rcv_settle_mode: None, state, resume, aborted, batchable,
        }
    }
}

prop_compose! {
    fn attach()(
        name in "[a-z]{0,300}",
        handle in any::<u32>(),
        receiver in any::<bool>(),
        address in proptest::option::of("[a-z/$]{0,40}"),
        timeout in any::<Option<u32>>(),
        size in any::<Option<u64>>(),
        count in any::<Option<u32>>(),
    ) -> Attach {
        let filter = Map::default().with("f", Value::string("x > '1'"));
        Attach {
            name: name.into(),
            handle,
            role: Role::from_flag(receiver),
            snd_settle_mode: Some(SenderSettleMode::Mixed),
            rcv_settle_mode: Some(ReceiverSettleMode::Second),
            source: Some(Source {
                address: address.clone().map(Text::from),
                timeout,
                filter: Some(filter),
                outcomes: vec![Symbol::from_static("amqp:accepted:list")],
                ..Source::default()
            }),
            target: Some(Target { address: address.map(Text::from), ..Target::default() }),
            initial_delivery_count: count,
            max_message_size: size,
            desired_capabilities: vec![Symbol::from_static("a"), Symbol::from_static("b")],
            properties: Some(Map::default().with("epoch", Value::Long(3))),
            ..Attach::default()
        }
    }
}

fn round_trip(performative: &Performative) -> (Performative, Bytes) {
    let mut out = BytesMut::new();
    performative.encode(&mut out);
    out.extend_from_slice(b"payload");
    Performative::decode(&out.freeze()).expect("decodes")
}

proptest! {
    #[test]
    fn transfers_come_back_with_their_payload(transfer in transfer()) {
        let transfer = Performative::Transfer(transfer);
        prop_assert_eq!(round_trip(&transfer), (transfer, Bytes::from_static(b"payload")));
    }

    #[test]
    fn attaches_come_back(attach in attach()) {
        let attach = Performative::Attach(Box::new(attach));
        prop_assert_eq!(round_trip(&attach).0, attach);
    }

    #[test]
    fn no_bytes_make_a_performative_panic(
        code in 0x10u8..0x19,
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut body = vec![0x00, 0x53, code];
        body.extend(&bytes);
        let _ = Performative::decode(&Bytes::from(body));
        let mut sasl = vec![0x00, 0x53, 0x40 + code % 5];
        sasl.extend(bytes);
        let _ = SaslFrame::decode(&Bytes::from(sasl));
    }
}
