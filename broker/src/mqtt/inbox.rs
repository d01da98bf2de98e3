//! Reading without a buffer per connection.
//!
//! A read goes into an arena that all connections of the thread share; what it brought is split off and handed on, and
//! message bodies keep their part of the arena alive until they are stored. Only the beginning of an incomplete packet is
//! copied to memory of the connection's own, which grows with what has arrived, not with what was announced.

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use ironhub_wire::mqtt::framer::{Step, packet_size};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes of one read.
pub(super) const READ_BYTES_MAX: usize = 32 * 1024;

/// The thread's arena: several reads before a new one is needed, and little enough that one straggling body does not
/// pin much.
const ARENA_BYTES: usize = 4 * READ_BYTES_MAX;

thread_local! {
    static ARENA: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// The beginning of a packet, or nothing.
#[derive(Default)]
pub(super) struct Inbox {
    partial: BytesMut,
    /// Bytes that `partial` must reach before it is worth looking at again.
    wanted: usize,
}

impl Inbox {
    /// What arrived, from a packet's first byte on; empty at the end of the stream.
    pub(super) fn poll_read<S>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>>
    where
        S: AsyncRead + Unpin,
    {
        if self.partial.is_empty() {
            return ARENA.with_borrow_mut(|arena| {
                make_room(arena);
                ready!(poll_read_into(stream, cx, arena))?;
                Poll::Ready(Ok(arena.split().freeze()))
            });
        }
        while self.partial.len() < self.wanted {
            let missing = self.wanted - self.partial.len();
            // At most as much again as has arrived: a length alone reserves nothing.
            self.partial.reserve(missing.min(self.partial.len().max(READ_BYTES_MAX)));
            if ready!(poll_read_into(stream, cx, &mut self.partial))? == 0 {
                return Poll::Ready(Ok(Bytes::new()));
            }
        }
        Poll::Ready(Ok(std::mem::take(&mut self.partial).freeze()))
    }

    /// Keeps what is left after the last complete packet; `limit` bounds that packet.
    pub(super) fn keep(&mut self, rest: &[u8], limit: usize) {
        self.wanted = match packet_size(rest, limit) {
            Ok(Step::Item(size)) => size,
            Ok(Step::NeedMore) => rest.len() + 1,
            // Whoever reads it next meets the error.
            Err(_) => 0,
        };
        self.partial.extend_from_slice(rest);
    }
}

fn make_room(arena: &mut BytesMut) {
    if arena.capacity() - arena.len() < READ_BYTES_MAX && !arena.try_reclaim(READ_BYTES_MAX) {
        *arena = BytesMut::with_capacity(ARENA_BYTES);
    }
}

fn poll_read_into<S>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>>
where
    S: AsyncRead + Unpin,
{
    let room = buffer.capacity() - buffer.len();
    let mut limited = buffer.limit(room.min(READ_BYTES_MAX));
    pin!(stream.read_buf(&mut limited)).poll(cx)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use ironhub_wire::mqtt::framer::next_frame;
    use tokio::io::AsyncWriteExt;

    use super::*;

    const LIMIT: usize = 300_000;

    /// PUBLISH packets with bodies of these lengths.
    fn packets(lengths: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, length) in lengths.iter().enumerate() {
            let topic = format!("t{index}");
            let delivery = ironhub_wire::mqtt::packet::Delivery::AtMostOnce;
            ironhub_wire::mqtt::encode::publish_header(
                &mut bytes, &topic, delivery, false, false, *length,
            )
            .unwrap();
            bytes.resize(bytes.len() + length, index as u8);
        }
        bytes
    }

    async fn check(lengths: &[usize], piece: usize) {
        let (mut client, mut server) = tokio::io::duplex(100_000);
        let bytes = packets(lengths);
        let sent = bytes.clone();
        let writer = tokio::spawn(async move {
            for piece in sent.chunks(piece) {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (mut inbox, mut bodies) = (Inbox::default(), Vec::new());
        loop {
            let mut input = poll_fn(|cx| inbox.poll_read(&mut server, cx)).await.unwrap();
            if input.is_empty() {
                break;
            }
            while let Step::Item(frame) = next_frame(&mut input, LIMIT).unwrap() {
                bodies.push(frame.body.len());
            }
            inbox.keep(&input, LIMIT);
        }
        writer.await.unwrap();
        let expected: Vec<usize> = lengths.iter().map(|length| length + 4).collect();
        assert_eq!(bodies, expected, "pieces of {piece}");
        assert_eq!(inbox.partial.capacity(), 0, "an idle connection holds a buffer");
    }

    #[tokio::test]
    async fn packets_come_whole_however_they_arrive() {
        for piece in [1, 7, 4096] {
            check(&[0, 10, 300, 0, 5], piece).await;
        }
        for piece in [1000, 33_000, 1_000_000] {
            check(&[262_144, 1, 100_000, 0], piece).await;
        }
    }

    #[tokio::test]
    async fn a_packet_that_was_only_announced_reserves_little() {
        let (mut client, mut server) = tokio::io::duplex(100);
        client.write_all(&packets(&[262_144])[..10]).await.unwrap();
        let mut inbox = Inbox::default();
        let input = poll_fn(|cx| inbox.poll_read(&mut server, cx)).await.unwrap();
        inbox.keep(&input, LIMIT);
        let read = poll_fn(|cx| Poll::Ready(inbox.poll_read(&mut server, cx).is_pending())).await;
        assert!(read);
        assert!(inbox.partial.capacity() <= 2 * READ_BYTES_MAX, "{}", inbox.partial.capacity());
    }
}
