//! Large messages of several links at the same time.

use std::sync::Arc;

use super::peer::Peer;
use crate::amqp::event::Event;
use crate::amqp::limits::PARTIAL_BYTES_OWN;
use crate::amqp::partials::PartialPool;
use crate::amqp::performative::Role;

/// Bytes of one transfer.
const PART: usize = 32_768;
/// Bytes of one message.
const WHOLE: usize = 8 * PART;

/// Sends one more part of the message of each link; the events of it.
fn part(peer: &mut Peer, links: u32, more: bool) -> Vec<Event> {
    (0..links).for_each(|link| peer.transfer(link, link, more, &[link as u8; PART]));
    peer.events()
}

#[test]
fn large_messages_of_many_devices_arrive_whole_however_their_transfers_alternate() {
    const LINKS: u32 = 40;
    let pool = Arc::new(PartialPool::new(LINKS as usize * WHOLE));
    let mut peer = Peer::with_pool(pool.clone());
    (0..LINKS).for_each(|link| _ = peer.attach_sized(link, Role::Sender, 1, WHOLE as u64));
    for _ in 0..7 {
        assert_eq!(part(&mut peer, LINKS, true), []);
    }
    assert_eq!(pool.left(), LINKS as usize * PART + PARTIAL_BYTES_OWN);
    let events = part(&mut peer, LINKS, false);
    assert_eq!(events.len(), LINKS as usize);
    for (link, event) in events.iter().enumerate() {
        let Event::Transfer { message, .. } = event else { panic!("a message, not {event:?}") };
        assert!(message.len() == WHOLE && message.iter().all(|byte| *byte == link as u8));
    }
    assert_eq!(pool.left(), LINKS as usize * WHOLE);
}

#[test]
fn without_room_for_its_message_a_link_goes_and_its_neighbours_stay() {
    let pool = Arc::new(PartialPool::new(0));
    let mut peer = Peer::with_pool(pool.clone());
    let links = (0..3)
        .map(|link| peer.attach_sized(link, Role::Sender, 1, WHOLE as u64))
        .collect::<Vec<_>>();
    for _ in 0..5 {
        assert_eq!(part(&mut peer, 3, true), []);
    }
    peer.read();
    // The sixth part of the second message is the seventeenth: one more than two messages.
    let events = part(&mut peer, 3, true);
    let gone = |event: &Event| matches!(event, Event::Detached { link, error: Some(_) } if *link == links[1]);
    assert!(events.len() == 1 && gone(&events[0]), "{events:?}");
    assert_eq!(peer.fault(), ("detach", "amqp:resource-limit-exceeded".to_owned()));
    // What the client still sends on it is dropped.
    assert_eq!(part(&mut peer, 3, true), []);
    let events = part(&mut peer, 3, false);
    let whole = events.iter().map(|event| match event {
        Event::Transfer { link, message, .. } => (*link, message.len()),
        other => panic!("a message, not {other:?}"),
    });
    assert_eq!(whole.collect::<Vec<_>>(), [(links[0], WHOLE), (links[2], WHOLE)]);
}

#[test]
fn a_connection_that_ends_gives_back_what_it_had_of_the_pool() {
    let pool = Arc::new(PartialPool::new(10 * WHOLE));
    for end in [true, false] {
        let mut peer = Peer::with_pool(pool.clone());
        (0..4).for_each(|link| _ = peer.attach_sized(link, Role::Sender, 1, WHOLE as u64));
        for _ in 0..7 {
            part(&mut peer, 4, true);
        }
        assert!(pool.left() < 10 * WHOLE);
        if end {
            peer.connection.close(None);
            assert_eq!(pool.left(), 10 * WHOLE);
        }
        drop(peer);
        assert_eq!(pool.left(), 10 * WHOLE);
    }
}
