use super::peer::Peer;
use crate::amqp::codec::Text;
use crate::amqp::event::Event;
use crate::amqp::frame::{FrameKind, put_frame};
use crate::amqp::limits::LINK_NAME_BYTES_MAX;
use crate::amqp::performative::{
    Attach, Detach, Disposition, End, Error, Flow, Performative, Role, Transfer,
};

/// What the server does about frames: the last thing it says, and whether the connection lives on.
fn check(script: impl FnOnce(&mut Peer), expected: (&str, &str)) {
    let mut peer = Peer::with_session(512, 100);
    script(&mut peer);
    peer.events();
    let (kind, condition) = peer.fault();
    assert_eq!((kind, condition.as_str()), expected);
    assert_eq!(peer.connection.is_closed(), kind == "close");
    if kind == "close" {
        peer.begin(9, 1);
        assert_eq!((peer.events(), peer.read().len()), (vec![], 0), "nothing is read any more");
    }
}

#[test]
fn malformed_frames_close_the_connection() {
    let raw = |bytes: &'static [u8]| move |peer: &mut Peer| peer.input.extend_from_slice(bytes);
    let framing = ("close", "amqp:connection:framing-error");
    check(raw(&[0, 0, 0, 7, 2, 0, 0, 0]), framing);
    check(raw(&[0, 0, 0, 8, 1, 0, 0, 0]), framing);
    check(raw(&[0, 0, 0, 8, 3, 0, 0, 0]), framing);
    check(raw(&[0, 0, 0, 8, 2, 9, 0, 0]), framing);
    check(raw(&[0, 1, 0, 1, 2, 0, 0, 0]), framing);
    check(raw(&[0, 0, 0, 12, 2, 1, 0, 0, 0, 0x53, 0x41, 0x45]), framing);
    let decode = ("close", "amqp:decode-error");
    check(raw(&[0, 0, 0, 9, 2, 0, 0, 0, 0x40]), decode);
    check(raw(&[0, 0, 0, 12, 2, 0, 0, 0, 0, 0x53, 0x99, 0x45]), decode);
    check(raw(&[0, 0, 0, 12, 2, 0, 0, 0, 0, 0x53, 0x12, 0x45]), decode);
    check(raw(&[0, 0, 0, 13, 2, 0, 0, 0, 0, 0x53, 0x12, 0xc0, 0xff]), decode);
}

#[test]
fn frames_out_of_state_close_the_connection() {
    let not_allowed = ("close", "amqp:not-allowed");
    check(|peer| peer.write(0, Performative::Open(Box::default())), not_allowed);
    check(|peer| peer.begin(3, 1), not_allowed);
    check(|peer| peer.write(7, Performative::End(End::default())), not_allowed);
    check(|peer| peer.transfer(1, 0, false, b""), ("end", "amqp:session:unattached-handle"));
    let attach = Performative::Attach(Box::new(Peer::attach_frame(0, Role::Sender)));
    check(|peer| peer.write(7, attach), not_allowed);
    check(|peer| peer.begin(1000, 1), ("close", "amqp:connection:framing-error"));
}

#[test]
fn leftovers_of_an_ended_session_are_dropped() {
    let mut peer = Peer::with_session(512, 100);
    peer.write(3, Performative::End(End::default()));
    peer.events();
    peer.read();
    peer.write(3, Performative::Detach(Detach::default()));
    peer.write(3, Performative::Flow(Flow::default()));
    peer.write(3, Performative::Disposition(Disposition::default()));
    assert_eq!((peer.events(), peer.read()), (vec![], vec![]));
    assert!(peer.connection.is_open());
}

#[test]
fn before_open_only_open_is_taken() {
    let mut peer = Peer::new();
    peer.input.extend_from_slice(&crate::amqp::frame::AMQP_HEADER);
    peer.begin(0, 1);
    assert!(matches!(peer.events()[..], [Event::Closed { error: Some(_) }]));
    let bytes = peer.take_output();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("amqp:not-allowed"), "an open and a close with the reason");
}

#[test]
fn an_amqp_frame_within_sasl_ends_the_connection() {
    let mut peer = Peer::new();
    peer.input.extend_from_slice(&crate::amqp::frame::SASL_HEADER);
    put_frame(&mut peer.input, FrameKind::Amqp, 0, |out| {
        Performative::Open(Box::default()).encode(out);
    });
    assert!(matches!(peer.events()[..], [Event::Closed { error: Some(_) }]));
    assert!(peer.connection.is_closed());
}

#[test]
fn handles_are_checked() {
    let attach = |handle| Performative::Attach(Box::new(Peer::attach_frame(handle, Role::Sender)));
    check(|peer| peer.write(3, attach(256)), ("close", "amqp:connection:framing-error"));
    let in_use = ("end", "amqp:session:handle-in-use");
    check(|peer| (0..2).for_each(|_| peer.write(3, attach(4))), in_use);
    let unattached = ("end", "amqp:session:unattached-handle");
    let flow = Flow { handle: Some(5), ..Flow::default() };
    check(|peer| peer.write(3, Performative::Flow(flow)), unattached);
    check(|peer| peer.write(3, Performative::Detach(Detach::default())), unattached);
    check(|peer| peer.transfer(70_000, 0, false, b""), unattached);
}

#[test]
fn a_transfer_against_the_direction_ends_the_session() {
    check(
        |peer| {
            peer.attach(1, Role::Receiver, 0);
            peer.transfer(1, 0, false, b"x");
        },
        ("end", "amqp:not-allowed"),
    );
}

#[test]
fn an_ended_session_drops_what_still_comes() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Sender, 10);
    peer.write(3, Performative::Detach(Detach { handle: 9, ..Detach::default() }));
    let events = peer.events();
    assert!(
        matches!(&events[..], [Event::Detached { link: told, error: Some(_) }] if *told == link)
    );
    peer.transfer(1, 0, false, b"late");
    assert_eq!(peer.events(), []);
    peer.read();
    peer.write(3, Performative::End(End::default()));
    assert_eq!(peer.events(), []);
    assert_eq!(peer.read(), [], "the end was ours");
    peer.begin(3, 10);
    assert_eq!((peer.events(), peer.read().len()), (vec![], 1), "the channel is free again");
}

#[test]
fn a_delivery_beyond_credit_detaches_the_link() {
    let exceeded = ("detach", "amqp:link:transfer-limit-exceeded");
    check(
        |peer| {
            peer.attach(1, Role::Sender, 1);
            peer.transfer(1, 0, false, b"x");
            peer.transfer(1, 1, false, b"x");
        },
        exceeded,
    );
    check(
        |peer| {
            peer.write(3, Performative::Attach(Box::new(Peer::attach_frame(1, Role::Sender))));
            peer.transfer(1, 0, false, b"before the answer");
        },
        exceeded,
    );
}

#[test]
fn an_oversize_message_detaches_the_link_whether_whole_or_in_parts() {
    let exceeded = ("detach", "amqp:link:message-size-exceeded");
    check(
        |peer| {
            peer.attach(1, Role::Sender, 1);
            peer.transfer(1, 0, false, &[0; 1001]);
        },
        exceeded,
    );
    check(
        |peer| {
            peer.attach(1, Role::Sender, 1);
            peer.transfer(1, 0, true, &[0; 600]);
            peer.transfer(1, 0, true, &[0; 401]);
            peer.transfer(1, 0, false, &[0; 401]);
        },
        exceeded,
    );
}

#[test]
fn malformed_deliveries_detach_the_link() {
    let invalid = ("detach", "amqp:invalid-field");
    check(
        |peer| {
            peer.attach(1, Role::Sender, 10);
            let transfer = Transfer { handle: 1, ..Transfer::default() };
            peer.write(3, Performative::Transfer(transfer));
        },
        invalid,
    );
    check(
        |peer| {
            peer.attach(1, Role::Sender, 10);
            peer.transfer(1, 0, true, b"begin");
            peer.transfer(1, 1, false, b"another");
        },
        invalid,
    );
}

#[test]
fn refused_links_are_answered_and_detached() {
    for role in [Role::Sender, Role::Receiver] {
        let mut peer = Peer::with_session(512, 100);
        peer.write(3, Performative::Attach(Box::new(Peer::attach_frame(2, role))));
        let Some(Event::Attach { link, attach }) = peer.event() else { panic!("an attach") };
        peer.connection.refuse(link, &attach, Error::new("amqp:not-found", "no such node"));
        let read = peer.read();
        let [(_, Performative::Attach(answer), _), (_, Performative::Detach(detach), _)] =
            &read[..]
        else {
            panic!("an attach and a detach, not {read:?}");
        };
        assert_eq!(answer.name, Text::from_static("link-2"));
        assert_eq!(answer.source.as_ref().map(|source| source.address.clone()), Some(None));
        assert_eq!(answer.target.is_some(), role == Role::Receiver);
        assert!(detach.closed && detach.error.is_some());
        // The client's detach ends it; the handle is free again.
        peer.write(3, Performative::Detach(Detach { handle: 2, closed: true, error: None }));
        assert_eq!((peer.events(), peer.read()), (vec![], vec![]));
        peer.attach(2, role, 1);
    }
}

#[test]
fn a_coordinator_or_an_endless_name_is_refused_by_the_engine() {
    let coordinator =
        Attach { coordinator: true, target: None, ..Peer::attach_frame(0, Role::Sender) };
    let refused = ("detach", "amqp:not-implemented");
    check(|peer| peer.write(3, Performative::Attach(Box::new(coordinator))), refused);
    let name = Text::from("n".repeat(LINK_NAME_BYTES_MAX + 1));
    let endless = Attach { name, ..Peer::attach_frame(0, Role::Sender) };
    let refused = ("detach", "amqp:invalid-field");
    check(|peer| peer.write(3, Performative::Attach(Box::new(endless))), refused);
}

#[test]
fn commands_about_links_that_are_gone_do_nothing() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Receiver, 0);
    peer.write(3, Performative::Detach(Detach { handle: 1, closed: true, error: None }));
    assert!(matches!(peer.events()[..], [Event::Detached { error: None, .. }]));
    peer.attach(1, Role::Receiver, 0);
    peer.read();
    let sent = peer.connection.send(link, "t".into(), true, "m".into());
    assert_eq!(sent, Err(crate::amqp::event::SendError::Gone));
    peer.connection.detach(link, None);
    peer.connection.drained(link);
    peer.connection.consumed(link);
    assert_eq!(peer.read(), []);
}

#[test]
fn dispositions_about_nothing_are_ignored() {
    let mut peer = Peer::with_session(512, 100);
    let disposition = |role| Disposition {
        role,
        first: 0,
        last: Some(u32::MAX),
        settled: true,
        ..Disposition::default()
    };
    peer.write(3, Performative::Disposition(disposition(Role::Receiver)));
    peer.write(3, Performative::Disposition(disposition(Role::Sender)));
    peer.write(4, Performative::Begin(Box::default()));
    assert_eq!(peer.events(), []);
    assert!(peer.connection.is_open());
}
