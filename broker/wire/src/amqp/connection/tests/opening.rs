use bytes::{Bytes, BytesMut};

use super::peer::Peer;
use crate::amqp::codec::Symbol;
use crate::amqp::event::Event;
use crate::amqp::frame::{AMQP_HEADER, FrameKind, SASL_HEADER, next_frame, put_frame};
use crate::amqp::limits::{HANDSHAKE_MS, IDLE_TIMEOUT_MS};
use crate::amqp::performative::{Close, Open, Performative, Role};
use crate::amqp::sasl::{SaslCode, SaslFrame};

fn sasl_init(peer: &mut Peer, mechanism: &'static str, response: Option<&'static [u8]>) {
    peer.input.extend_from_slice(&SASL_HEADER);
    let init = SaslFrame::Init {
        mechanism: Symbol::from_static(mechanism),
        initial_response: response.map(Bytes::from_static),
        hostname: None,
    };
    put_frame(&mut peer.input, FrameKind::Sasl, 0, |out| init.encode(out));
}

/// The server's header, its mechanisms, and its outcome if it gave one.
fn sasl_answer(peer: &mut Peer) -> Option<SaslCode> {
    let mut bytes = peer.take_output();
    assert_eq!(bytes.split_to(8)[..], SASL_HEADER);
    let mut next = || {
        let frame = next_frame(&mut bytes, 512).expect("a frame")?;
        assert_eq!(frame.kind, FrameKind::Sasl);
        Some(SaslFrame::decode(&frame.body).expect("decodes"))
    };
    match next() {
        Some(SaslFrame::Mechanisms(offered)) => {
            let names: Vec<_> = offered.iter().map(Symbol::as_str).collect();
            assert_eq!(names, ["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"]);
        }
        other => panic!("mechanisms, not {other:?}"),
    }
    next().map(|frame| match frame {
        SaslFrame::Outcome { code, .. } => code,
        other => panic!("an outcome, not {other:?}"),
    })
}

#[test]
fn mechanisms_without_proof_pass() {
    for (mechanism, response) in [
        ("MSSBCBS", None),
        ("ANONYMOUS", Some(&b"\0service"[..])),
        ("ANONYMOUS", None),
        ("EXTERNAL", Some(&b""[..])),
    ] {
        let mut peer = Peer::new();
        sasl_init(&mut peer, mechanism, response);
        peer.input.extend_from_slice(&AMQP_HEADER);
        assert_eq!(peer.events(), []);
        let mut bytes = peer.take_output();
        assert_eq!(bytes.split_off(bytes.len() - 8)[..], AMQP_HEADER, "{mechanism}");
    }
}

#[test]
fn plain_waits_for_the_owner() {
    let mut peer = Peer::new();
    sasl_init(&mut peer, "PLAIN", Some(b"\0service@sas.root.hub1\0token"));
    peer.input.extend_from_slice(&AMQP_HEADER);
    let Some(Event::SaslPlain { user, password }) = peer.event() else { panic!("credentials") };
    assert_eq!((user.as_str(), password.as_str()), ("service@sas.root.hub1", "token"));
    assert_eq!(peer.events(), []);
    assert_eq!(peer.input[..], AMQP_HEADER, "nothing is read while the owner looks");
    assert_eq!(sasl_answer(&mut peer), None);
    peer.connection.sasl_outcome(true);
    assert_eq!(peer.events(), []);
    assert!(peer.take_output().ends_with(&AMQP_HEADER));
}

#[test]
fn plain_refused_ends_the_connection() {
    let mut peer = Peer::new();
    sasl_init(&mut peer, "PLAIN", Some(b"\0u\0p"));
    peer.event();
    peer.connection.sasl_outcome(false);
    assert!(matches!(peer.events()[..], [Event::Closed { error: Some(_) }]));
    assert!(peer.connection.is_closed());
    assert_eq!(sasl_answer(&mut peer), Some(SaslCode::Auth));
}

#[test]
fn malformed_or_unknown_sasl_is_refused() {
    for (mechanism, response) in [
        ("PLAIN", Some(&b"no-nul"[..])),
        ("PLAIN", Some(&b"\0\0"[..])),
        ("PLAIN", Some(&b"a\0b\0c\0d"[..])),
        ("PLAIN", Some(&b"\0\xff\0x"[..])),
        ("PLAIN", None),
        ("SCRAM-SHA-256", None),
    ] {
        let mut peer = Peer::new();
        sasl_init(&mut peer, mechanism, response);
        assert!(matches!(peer.events()[..], [Event::Closed { .. }]), "{mechanism}");
        assert_eq!(sasl_answer(&mut peer), Some(SaslCode::Auth), "{mechanism}");
    }
}

#[test]
fn another_protocol_is_answered_with_ours_and_dropped() {
    for header in [b"AMQP\x02\x01\x00\x00", b"AMQP\x00\x00\x09\x01", b"GET / HT"] {
        let mut peer = Peer::new();
        peer.input.extend_from_slice(header);
        assert!(matches!(peer.events()[..], [Event::Closed { .. }]));
        assert_eq!(peer.take_output()[..], SASL_HEADER);
        assert!(peer.connection.is_closed());
    }
}

#[test]
fn open_announces_numbers_and_properties() {
    let mut peer = Peer::new();
    peer.input.extend_from_slice(&AMQP_HEADER);
    let open = Open { hostname: Some("hub1".into()), ..Open::default() };
    peer.write(0, Performative::Open(Box::new(open.clone())));
    assert_eq!(peer.events(), [Event::Opened(Box::new(open))]);
    let mut bytes = peer.take_output();
    let mut frames = bytes.split_off(8);
    let frame = next_frame(&mut frames, 512).expect("a frame").expect("complete");
    let Ok((Performative::Open(open), _)) = Performative::decode(&frame.body) else {
        panic!("an open");
    };
    assert_eq!(open.max_frame_size, Some(65536));
    assert_eq!(open.channel_max, Some(999));
    assert_eq!(open.idle_time_out, Some(240_000));
    assert!(open.properties.is_some());
}

#[test]
fn a_close_is_answered() {
    let mut peer = Peer::with_session(512, 10);
    peer.attach(0, Role::Sender, 10);
    peer.write(0, Performative::Close(Close::default()));
    assert_eq!(peer.events(), [Event::Closed { error: None }]);
    assert!(matches!(peer.read().pop(), Some((0, Performative::Close(_), _))));
    assert!(peer.connection.is_closed());
}

#[test]
fn our_close_is_over_with_the_peers_or_with_time() {
    for answered in [true, false] {
        let mut peer = Peer::open(512);
        peer.connection.close(None);
        assert!(!peer.connection.is_closed());
        if answered {
            peer.begin(1, 1);
            peer.write(0, Performative::Close(Close::default()));
            assert_eq!(peer.events(), []);
        } else {
            let deadline = peer.connection.next_deadline();
            peer.connection.tick(deadline - 1);
            assert!(!peer.connection.is_closed());
            peer.connection.tick(deadline);
        }
        assert!(peer.connection.is_closed());
        assert_eq!(peer.fault(), ("close", String::new()));
    }
}

#[test]
fn heartbeats_come_at_half_of_the_peers_time_out() {
    let mut peer = Peer::open(512);
    assert_eq!(peer.connection.next_deadline(), 30_000);
    peer.connection.tick(29_999);
    assert!(peer.take_output().is_empty());
    peer.now = 30_000;
    peer.connection.tick(30_000);
    assert_eq!(peer.take_output()[..], [0, 0, 0, 8, 2, 0, 0, 0]);
    assert_eq!(peer.connection.next_deadline(), 60_000);
}

#[test]
fn a_silent_peer_is_dropped_after_twice_our_time_out() {
    let mut peer = Peer::open(512);
    let limit = 2 * u64::from(IDLE_TIMEOUT_MS);
    // A heartbeat counts as a sign of life.
    peer.now = 1000;
    peer.input.extend_from_slice(&[0, 0, 0, 8, 2, 0, 0, 0]);
    assert_eq!(peer.events(), []);
    peer.connection.tick(limit + 999);
    assert!(peer.connection.is_open());
    peer.take_output();
    peer.connection.tick(limit + 1000);
    assert!(matches!(peer.events()[..], [Event::Closed { .. }]));
    assert_eq!(peer.fault(), ("close", "amqp:resource-limit-exceeded".to_owned()));
}

#[test]
fn a_peer_that_never_opens_is_dropped() {
    let mut peer = Peer::new();
    sasl_init(&mut peer, "ANONYMOUS", None);
    peer.events();
    assert_eq!(peer.connection.next_deadline(), HANDSHAKE_MS);
    peer.connection.tick(HANDSHAKE_MS);
    assert!(peer.connection.is_closed());
}

#[test]
fn every_split_of_the_input_gives_the_same_events_and_output() {
    let script = {
        let mut peer = Peer::new();
        sasl_init(&mut peer, "ANONYMOUS", None);
        peer.input.extend_from_slice(&AMQP_HEADER);
        peer.write(0, Performative::Open(Box::default()));
        peer.begin(0, 10);
        let attach = Peer::attach_frame(1, Role::Sender);
        peer.write(0, Performative::Attach(Box::new(attach)));
        peer.input.extend_from_slice(&[0, 0, 0, 8, 2, 0, 0, 0]);
        peer.write(0, Performative::Close(Close::default()));
        peer.input
    };
    let run = |cut: usize| {
        let mut peer = Peer::new();
        let mut events = Vec::new();
        for part in [&script[..cut], &script[cut..]] {
            peer.input.extend_from_slice(part);
            events.append(&mut peer.events());
        }
        (events, peer.take_output())
    };
    let whole = run(0);
    assert_eq!(whole.0.len(), 3);
    for cut in 1..script.len() {
        assert_eq!(run(cut), whole, "cut at {cut}");
    }
}

#[test]
fn an_idle_connection_holds_little_memory() {
    let mut peer = Peer::with_session(65536, 100);
    peer.attach(0, Role::Sender, 100);
    peer.attach(1, Role::Receiver, 0);
    peer.take_output();
    peer.connection.shrink();
    let small = size_of::<super::super::Connection>()
        + size_of::<crate::amqp::session::Session>()
        + 2 * size_of::<crate::amqp::link::Link>();
    assert!(small <= 1024, "{small} bytes");
    assert_eq!(peer.connection.outbox.bytes.capacity(), 0);
    assert_eq!(peer.connection.outbox.events.capacity(), 0);
    let empty = BytesMut::new();
    assert_eq!(empty.capacity(), 0);
}
