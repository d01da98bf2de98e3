use bytes::Bytes;

use super::peer::Peer;
use crate::amqp::condition;
use crate::amqp::event::{Event, SendError};
use crate::amqp::limits::{PENDING_MAX, SESSION_WINDOW};
use crate::amqp::performative::{
    DeliveryState, Disposition, Error, Flow, Performative, Role, Transfer,
};

fn messages(events: &[Event]) -> Vec<(u32, &[u8])> {
    let message = |event| match event {
        &Event::Transfer { delivery, ref message, .. } => (delivery, &message[..]),
        other => panic!("a transfer, not {other:?}"),
    };
    events.iter().map(message).collect()
}

#[test]
fn an_accepted_sender_gets_credit_at_once() {
    let mut peer = Peer::with_session(512, 100);
    peer.attach(1, Role::Sender, 100);
    let read = peer.read();
    let [(3, Performative::Attach(attach), _), (3, Performative::Flow(flow), _)] = &read[..] else {
        panic!("an attach and a flow, not {read:?}");
    };
    assert_eq!((attach.role, attach.max_message_size), (Role::Receiver, Some(1000)));
    assert_eq!((flow.handle, flow.link_credit, flow.delivery_count), (Some(1), Some(100), Some(0)));
}

#[test]
fn messages_come_whole_however_many_transfers_they_take() {
    let mut peer = Peer::with_session(512, 100);
    peer.attach(1, Role::Sender, 100);
    peer.attach(2, Role::Sender, 100);
    peer.transfer(1, 0, false, b"whole");
    peer.transfer(1, 1, true, b"in ");
    peer.transfer(2, 2, false, b"between");
    // Continuations need not repeat the number.
    let more = Transfer { handle: 1, more: true, ..Transfer::default() };
    peer.write_with(3, Performative::Transfer(more), b"three ");
    peer.transfer(1, 1, false, b"parts");
    let events = peer.events();
    let expected: [(u32, &[u8]); 3] = [(0, b"whole"), (2, b"between"), (1, b"in three parts")];
    assert_eq!(messages(&events), expected);
    let Event::Transfer { tag, .. } = &events[2] else { panic!("a transfer") };
    assert_eq!(tag[..], 1u32.to_be_bytes());
}

#[test]
fn an_aborted_message_is_forgotten() {
    let mut peer = Peer::with_session(512, 100);
    peer.attach(1, Role::Sender, 100);
    peer.transfer(1, 0, true, b"never");
    let aborted = Transfer { handle: 1, aborted: true, ..Transfer::default() };
    peer.write(3, Performative::Transfer(aborted));
    peer.transfer(1, 1, false, b"next");
    let expected: [(u32, &[u8]); 1] = [(1, b"next")];
    assert_eq!(messages(&peer.events()), expected);
}

#[test]
fn accepted_neighbours_share_a_disposition() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Sender, 100);
    (0..5).for_each(|delivery| peer.transfer(1, delivery, false, b"m"));
    assert_eq!(peer.events().len(), 5);
    peer.read();
    for delivery in [0, 1, 2, 4] {
        peer.connection.settle(link, delivery, DeliveryState::Accepted);
    }
    let error = Error::new(condition::RESOURCE_LIMIT_EXCEEDED, "full");
    peer.connection.settle(link, 3, DeliveryState::rejected(error.clone()));
    let told = |first, last, state| {
        let (role, last, state) = (Role::Receiver, Some(last), Some(state));
        let disposition = Disposition { role, first, last, settled: true, state, batchable: false };
        (3, Performative::Disposition(disposition), Bytes::new())
    };
    assert_eq!(
        peer.read(),
        [
            told(0, 2, DeliveryState::Accepted),
            told(4, 4, DeliveryState::Accepted),
            told(3, 3, DeliveryState::rejected(error)),
        ]
    );
}

#[test]
fn credit_returns_when_the_owner_is_done_and_never_exceeds_the_window() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Sender, 4);
    peer.read();
    (0..4).for_each(|delivery| peer.transfer(1, delivery, false, b"m"));
    peer.events();
    assert_eq!(peer.read(), [], "the owner holds all four");
    peer.connection.settle(link, 0, DeliveryState::Accepted);
    assert_eq!(peer.read().len(), 1, "a disposition alone");
    peer.connection.settle(link, 1, DeliveryState::Accepted);
    let granted = peer.read().into_iter().find_map(|read| match read.1 {
        Performative::Flow(flow) => Some((flow.delivery_count, flow.link_credit)),
        _ => None,
    });
    assert_eq!(granted, Some((Some(4), Some(2))));
}

#[test]
fn settled_messages_need_no_disposition_but_hold_credit() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Sender, 2);
    peer.read();
    for delivery in 0..2 {
        let transfer = Transfer {
            handle: 1,
            delivery_id: Some(delivery),
            settled: Some(true),
            ..Transfer::default()
        };
        peer.write_with(3, Performative::Transfer(transfer), b"m");
    }
    assert!(peer.events().iter().all(|e| matches!(e, Event::Transfer { settled: true, .. })));
    peer.connection.consumed(link);
    let read = peer.read();
    assert!(matches!(&read[..], [(3, Performative::Flow(_), _)]), "{read:?}");
}

#[test]
fn the_window_for_incoming_transfers_stays_open() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Sender, 100);
    for delivery in 0..2 * SESSION_WINDOW {
        peer.transfer(1, delivery, false, b"m");
        assert_eq!(peer.events().len(), 1);
        peer.connection.settle(link, delivery, DeliveryState::Accepted);
        peer.take_output();
    }
}

#[test]
fn nothing_is_sent_without_credit() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Receiver, 0);
    peer.read();
    let send = |peer: &mut Peer| peer.connection.send(link, "t".into(), true, "m".into());
    assert_eq!(send(&mut peer), Err(SendError::NoCredit));
    peer.grant(1, 0, 2, 100);
    assert_eq!(peer.events(), [Event::Sendable { link, drain: false }]);
    assert_eq!(send(&mut peer), Ok(0));
    assert_eq!(send(&mut peer), Ok(1));
    assert_eq!(send(&mut peer), Err(SendError::NoCredit));
    // The client granted three from its first on: two of them are sent already.
    peer.grant(1, 0, 3, 100);
    peer.events();
    assert_eq!(send(&mut peer), Ok(2));
    assert_eq!(send(&mut peer), Err(SendError::NoCredit));
    assert_eq!(peer.read().len(), 3);
}

#[test]
fn large_messages_are_cut_to_the_clients_frames() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Receiver, 0);
    peer.grant(1, 0, 2, 100);
    peer.events();
    peer.read();
    let message: Bytes = (0..=255u8).cycle().take(2000).collect();
    assert_eq!(peer.connection.send(link, "tag".into(), true, message.clone()), Ok(0));
    let bytes = crate::amqp::frame::next_frame(&mut peer.take_output(), 512);
    assert!(bytes.is_ok(), "no frame is over 512 bytes");
    peer.connection.send(link, "tag".into(), true, message.clone()).expect("credit");
    let read = peer.read();
    assert_eq!(read.len(), 5);
    let mut whole = Vec::new();
    for (at, (_, performative, payload)) in read.iter().enumerate() {
        let Performative::Transfer(transfer) = performative else { panic!("a transfer") };
        assert_eq!(transfer.more, at < 4);
        assert_eq!(transfer.delivery_tag.is_some(), at == 0);
        whole.extend_from_slice(payload);
    }
    assert_eq!(whole, message);
}

#[test]
fn a_shut_window_holds_messages_back_in_order() {
    let mut peer = Peer::with_session(512, 1);
    let link = peer.attach(1, Role::Receiver, 0);
    peer.grant(1, 0, 100, 1);
    peer.events();
    peer.read();
    assert!(peer.connection.can_send(link));
    for n in 0..=PENDING_MAX as u32 {
        let message = Bytes::from(vec![n as u8; 600]);
        assert_eq!(peer.connection.send(link, "t".into(), true, message), Ok(n));
        assert!(!peer.connection.can_send(link));
        if n as usize == PENDING_MAX - 1 {
            break;
        }
    }
    let full = peer.connection.send(link, "t".into(), true, "m".into());
    assert_eq!(full, Err(SendError::Busy));
    assert_eq!(peer.read().len(), 1, "one transfer fits the window");
    let flow = Flow { next_incoming_id: Some(1), incoming_window: 100, ..Flow::default() };
    peer.write(3, Performative::Flow(flow));
    assert_eq!(peer.events(), [Event::Sendable { link, drain: false }]);
    assert_eq!(peer.read().len(), 2 * PENDING_MAX - 1);
    assert!(peer.connection.can_send(link));
}

#[test]
fn outcomes_of_unsettled_messages_are_told_once() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Receiver, 0);
    peer.grant(1, 0, 10, 100);
    peer.events();
    for n in 0..4 {
        assert_eq!(peer.connection.send(link, "t".into(), false, "m".into()), Ok(n));
    }
    let told = |first, last, settled, state: DeliveryState| {
        Performative::Disposition(Disposition {
            role: Role::Receiver,
            first,
            last,
            settled,
            state: Some(state),
            batchable: false,
        })
    };
    let expected = |delivery, settled, state: DeliveryState| {
        let state = Some(state);
        Event::Disposition { link, delivery, settled, state }
    };
    peer.write(3, told(0, Some(1), true, DeliveryState::Accepted));
    peer.write(3, told(0, Some(1), true, DeliveryState::Accepted));
    assert_eq!(
        peer.events(),
        [0, 1].map(|delivery| expected(delivery, true, DeliveryState::Accepted))
    );
    // Not an outcome; then an outcome that waits for our settlement, as receivers that settle second do.
    let received = DeliveryState::Received { section_number: 0, section_offset: 0 };
    peer.write(3, told(2, None, false, received));
    peer.write(3, told(2, None, false, DeliveryState::Released));
    assert_eq!(peer.events(), [expected(2, false, DeliveryState::Released)]);
    peer.read();
    peer.connection.settle_sent(link, 2, Some(DeliveryState::Released));
    peer.connection.settle_sent(link, 2, Some(DeliveryState::Released));
    let read = peer.read();
    let [(3, Performative::Disposition(ours), _)] = &read[..] else { panic!("{read:?}") };
    assert_eq!((ours.role, ours.first, ours.settled), (Role::Sender, 2, true));
}

#[test]
fn draining_uses_the_credit_up() {
    let mut peer = Peer::with_session(512, 100);
    let link = peer.attach(1, Role::Receiver, 0);
    peer.read();
    let flow = Flow {
        next_incoming_id: Some(0),
        incoming_window: 10,
        handle: Some(1),
        delivery_count: Some(0),
        link_credit: Some(7),
        drain: true,
        ..Flow::default()
    };
    peer.write(3, Performative::Flow(flow));
    assert_eq!(peer.events(), [Event::Sendable { link, drain: true }]);
    peer.connection.drained(link);
    let read = peer.read();
    let [(3, Performative::Flow(flow), _)] = &read[..] else { panic!("a flow, not {read:?}") };
    assert_eq!((flow.delivery_count, flow.link_credit), (Some(7), Some(0)));
}

#[test]
fn an_echo_is_answered() {
    let mut peer = Peer::with_session(512, 100);
    peer.attach(1, Role::Receiver, 0);
    peer.read();
    for handle in [None, Some(1)] {
        peer.write(3, Performative::Flow(Flow { handle, echo: true, ..Flow::default() }));
        peer.events();
        let read = peer.read();
        let [(3, Performative::Flow(flow), _)] = &read[..] else { panic!("a flow") };
        assert_eq!(flow.handle, handle);
    }
}

#[test]
fn a_request_is_settled_before_its_answer() {
    let mut peer = Peer::with_session(512, 100);
    let requests = peer.attach(1, Role::Sender, 10);
    let answers = peer.attach(2, Role::Receiver, 0);
    peer.grant(2, 0, 10, 100);
    peer.transfer(1, 0, false, b"request");
    peer.events();
    peer.read();
    peer.connection.settle(requests, 0, DeliveryState::Accepted);
    peer.connection.send(answers, "t".into(), true, "answer".into()).expect("credit");
    let read = peer.read();
    assert!(
        matches!(
            &read[..],
            [(_, Performative::Disposition(_), _), (_, Performative::Transfer(_), _)]
        ),
        "{read:?}"
    );
}

#[test]
fn a_peer_that_does_not_read_is_not_read_from() {
    let mut peer = Peer::with_session(512, 100);
    let echo = Performative::Flow(Flow { echo: true, ..Flow::default() });
    (0..10_000).for_each(|_| peer.write(3, echo.clone()));
    assert_eq!(peer.events(), []);
    assert!(!peer.input.is_empty());
    assert!(peer.connection.output_len() < 2 * crate::amqp::limits::OUTPUT_BYTES_HIGH);
    peer.take_output();
    let before = peer.input.len();
    assert_eq!(peer.events(), []);
    assert!(peer.input.len() < before, "once the output is gone, reading goes on");
}
