//! AMQP bytes of a connection, met by an owner that takes every link and answers every message: nothing panics, the
//! events do not depend on how the bytes arrive, and what waits stays bounded.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ironhub_wire::amqp::limits::OUTPUT_BYTES_HIGH;
use ironhub_wire::amqp::{AttachReply, Connection, ConnectionConfig, DeliveryState, Event};

/// One message, several times as large as the smallest frame.
const REPLY: &[u8] = &[0xa5; 1500];

/// The first byte says how the rest is cut.
pub fn run(data: &[u8]) {
    let Some((&cut, bytes)) = data.split_first() else { return };
    let whole = events(bytes, bytes.len().max(1));
    assert_eq!(events(bytes, usize::from(cut).max(1)), whole);
}

fn events(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut connection = Connection::new(Arc::new(ConnectionConfig::default()), 0);
    let mut input = BytesMut::new();
    let mut seen = Vec::new();
    for piece in bytes.chunks(piece) {
        input.extend_from_slice(piece);
        loop {
            let before = input.len();
            while let Some(event) = connection.poll(&mut input, 1) {
                seen.push(format!("{event:?}"));
                answer(&mut connection, event);
            }
            let written = connection.output().len();
            assert!(written <= 4 * OUTPUT_BYTES_HIGH, "{written} bytes wait");
            connection.wrote(written, 1);
            if input.len() == before {
                break;
            }
        }
    }
    connection.tick(1_000_000);
    connection.tick(10_000_000);
    assert!(connection.is_closed(), "silence ends every connection");
    seen
}

fn answer(connection: &mut Connection, event: Event) {
    match event {
        Event::SaslPlain { user, .. } => connection.sasl_outcome(user == "good"),
        Event::Attach { link, attach } => {
            let reply =
                AttachReply { max_message_size: 4096, credit: 10, ..AttachReply::default() };
            connection.accept(link, &attach, reply);
        }
        Event::Transfer { link, settled: true, .. } => connection.consumed(link),
        Event::Transfer { link, delivery, .. } => {
            connection.settle(link, delivery, DeliveryState::Accepted);
        }
        Event::Sendable { link, drain } => {
            for settled in [true, false] {
                let reply = Bytes::from_static(REPLY);
                let _ = connection.send(link, Bytes::from_static(b"tag"), settled, reply);
            }
            if drain {
                connection.drained(link);
            }
        }
        Event::Disposition { link, delivery, settled: false, state } => {
            connection.settle_sent(link, delivery, state);
        }
        Event::Disposition { .. }
        | Event::Opened(_)
        | Event::Detached { .. }
        | Event::Closed { .. } => {}
    }
}
