//! One device's publishing: keeps its window or its schedule, reads acknowledgements, times messages.
//!
//! Nothing is allocated per message: PUBLISHes are encoded once into a batch of copies with different
//! payloads, a send writes packet identifiers into them and hands as many as fit to one write.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::conductor::Conductor;
use crate::mqtt::{self, MqttError, Qos, Reply, ReplyDecoder};
use crate::session::{Transport, io_kind};

/// Bytes of encoded messages per device; at least one message.
const BATCH_BYTES: usize = 32 * 1024;

/// Why a publisher ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// End of stream.
    #[error("closed by the broker")]
    Closed,
    /// Reset, broken pipe and the like.
    #[error("{}", io_kind(.0))]
    Io(#[from] io::Error),
    /// Not MQTT, or not an answer to us.
    #[error("mqtt: {0}")]
    Mqtt(#[from] MqttError),
    /// A PUBACK for nothing that is in flight.
    #[error("puback for a packet identifier that is not in flight")]
    StrayAck,
}

/// Messages in flight. Packet identifiers are `1..=window`, used in turn, any order of PUBACKs.
pub struct Flight {
    /// Per identifier: when its message counts as sent; `None` when free.
    sent_at: Vec<Option<u64>>,
    free: VecDeque<u16>,
}

impl Flight {
    /// Nothing in flight.
    pub fn new(window: u16) -> Self {
        Self { sent_at: vec![None; usize::from(window)], free: (1..=window).collect() }
    }

    fn room(&self) -> usize {
        self.free.len()
    }

    fn outstanding(&self) -> usize {
        self.sent_at.len() - self.free.len()
    }

    fn depart(&mut self, sent_at: u64) -> Option<u16> {
        let id = self.free.pop_front()?;
        self.sent_at[usize::from(id) - 1] = Some(sent_at);
        Some(id)
    }

    fn arrive(&mut self, id: u16) -> Option<u64> {
        let slot = self.sent_at.get_mut(usize::from(id).checked_sub(1)?)?;
        let sent_at = slot.take()?;
        self.free.push_back(id);
        Some(sent_at)
    }
}

/// Encoded PUBLISHes, one behind the other, and how much of them is to be written and was written.
pub struct Batch {
    bytes: Vec<u8>,
    packet: usize,
    packet_id_at: Option<usize>,
    filled: usize,
    written: usize,
}

impl Batch {
    /// As many copies as [`BATCH_BYTES`] and `window` allow, with payloads of `size` bytes that do not
    /// compress and differ.
    pub fn new(
        topic: &str,
        size: usize,
        qos: Qos,
        window: u16,
        seed: u64,
    ) -> Result<Self, MqttError> {
        let mut noise = Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut payload = vec![0; size];
        noise.fill(&mut payload);
        let first = mqtt::publish(topic, &payload, qos)?;
        let packet = first.bytes.len();
        let copies = (BATCH_BYTES / packet).clamp(1, usize::from(window.max(1)));
        let mut bytes = Vec::with_capacity(packet * copies);
        for _ in 0..copies {
            bytes.extend_from_slice(&first.bytes);
            let end = bytes.len();
            noise.fill(&mut bytes[end - size..]);
        }
        Ok(Self { bytes, packet, packet_id_at: first.packet_id_at, filled: 0, written: 0 })
    }

    fn copies(&self) -> usize {
        self.bytes.len() / self.packet
    }

    fn is_written(&self) -> bool {
        self.written == self.filled
    }

    /// Messages between the last refill and the end of what was filled.
    fn messages(&self) -> u64 {
        (self.filled / self.packet) as u64
    }

    fn push(&mut self, id: u16) {
        if let Some(at) = self.packet_id_at {
            let at = self.filled + at;
            self.bytes[at..at + 2].copy_from_slice(&id.to_be_bytes());
        }
        self.filled += self.packet;
    }
}

/// Xorshift: fast, and as good as random to a compressor.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// What a device keeps when its connection is replaced.
pub struct Course {
    /// The device's place with the conductor.
    pub place: usize,
    /// Messages taken to send so far.
    pub taken: u64,
    /// Messages this device may still send.
    pub quota: u64,
}

/// One device on one connection.
pub struct Publisher<'a> {
    stream: &'a mut Transport,
    conductor: Rc<Conductor>,
    course: &'a mut Course,
    batch: &'a mut Batch,
    flight: Flight,
    decoder: ReplyDecoder,
    unflushed: bool,
}

impl<'a> Publisher<'a> {
    /// Sends what `batch` holds over `stream`, at most `window` unacknowledged.
    pub fn new(
        stream: &'a mut Transport,
        conductor: Rc<Conductor>,
        course: &'a mut Course,
        batch: &'a mut Batch,
        window: u16,
    ) -> Self {
        (batch.filled, batch.written) = (0, 0);
        let flight = Flight::new(window);
        let decoder = ReplyDecoder::default();
        Self { stream, conductor, course, batch, flight, decoder, unflushed: false }
    }

    /// Publishes until the quota is used, the conductor stops, or the connection fails. Messages without
    /// acknowledgement are counted as errors.
    pub async fn run(mut self) -> Result<(), Fault> {
        let result = poll_fn(|cx| self.poll_run(cx)).await;
        let lost = self.flight.outstanding() as u64;
        self.conductor.failed("message sent and not acknowledged".to_owned(), lost);
        result
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        // Registers for starts, beats and stops.
        ready!(self.conductor.poll_begun(self.course.place, cx));
        loop {
            let read = self.poll_acks(cx)?.is_ready();
            if self.batch.is_written() {
                self.refill();
            }
            let written = self.poll_batch(cx)?.is_ready();
            if self.is_done() {
                return Poll::Ready(Ok(()));
            }
            if !read && !written {
                return Poll::Pending;
            }
        }
    }

    fn is_done(&self) -> bool {
        if self.conductor.is_abandoned() {
            return true;
        }
        let stopped = self.conductor.is_stopping()
            && self.conductor.allowance(self.course.place, self.course.taken) == 0;
        (stopped || self.course.quota == 0)
            && self.batch.is_written()
            && !self.unflushed
            && self.flight.outstanding() == 0
    }

    /// Ready when something was read.
    fn poll_acks(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let conductor = self.conductor.clone();
        let mut scratch = conductor.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut *self.stream).poll_read(cx, &mut buffer))?;
        let bytes = buffer.filled();
        if bytes.is_empty() {
            return Poll::Ready(Err(Fault::Closed));
        }
        let now = conductor.now();
        // Messages sent together are mostly acknowledged together: one entry for each such run.
        let (mut run_sent, mut run, mut total) = (0, 0, 0);
        let flight = &mut self.flight;
        let fed = self.decoder.feed(bytes, |reply| match reply {
            Reply::PubAck(id) => {
                let sent = flight.arrive(id).ok_or(Fault::StrayAck)?;
                if sent != run_sent {
                    conductor.measure(run_sent, now, run);
                    (run_sent, run) = (sent, 0);
                }
                run += 1;
                total += 1;
                Ok(())
            }
            Reply::ConnAck(_) => Err(Fault::Mqtt(MqttError::Unexpected(0x20))),
            Reply::PingResp => Err(Fault::Mqtt(MqttError::Unexpected(0xD0))),
        });
        conductor.measure(run_sent, now, run);
        conductor.finished(now, total);
        Poll::Ready(fed)
    }

    /// Puts into the batch what may be sent now.
    fn refill(&mut self) {
        let acknowledged = self.batch.packet_id_at.is_some();
        let room = if acknowledged { self.flight.room() } else { usize::MAX };
        let allowed = self.conductor.allowance(self.course.place, self.course.taken);
        let count = allowed.min(self.course.quota).min(room.min(self.batch.copies()) as u64);
        if count == 0 {
            return;
        }
        (self.batch.filled, self.batch.written) = (0, 0);
        let now = self.conductor.now();
        for index in self.course.taken..self.course.taken + count {
            let sent_at = self.conductor.sent_at(self.course.place, index, now);
            let id = if acknowledged { self.flight.depart(sent_at) } else { Some(0) };
            // Room was checked above.
            let Some(id) = id else { break };
            self.batch.push(id);
        }
        self.course.taken += count;
        self.course.quota -= count;
        self.conductor.took(count);
    }

    /// Ready when something was written.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut stream = Pin::new(&mut *self.stream);
        if !self.batch.is_written() {
            let rest = &self.batch.bytes[self.batch.written..self.batch.filled];
            let written = ready!(stream.as_mut().poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(Fault::Closed));
            }
            self.batch.written += written;
            self.unflushed = true;
            if self.batch.is_written() && self.batch.packet_id_at.is_none() {
                self.conductor.finished(self.conductor.now(), self.batch.messages());
            }
            // TLS keeps records back when the socket is full; for plain TCP this is nothing.
            if stream.poll_flush(cx)?.is_ready() {
                self.unflushed = false;
            }
            return Poll::Ready(Ok(()));
        }
        if self.unflushed {
            ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_come_back_in_any_order_and_never_twice() {
        let mut flight = Flight::new(3);
        assert_eq!([10, 20, 30].map(|at| flight.depart(at)), [Some(1), Some(2), Some(3)]);
        assert_eq!(flight.depart(40), None);
        assert_eq!(flight.arrive(2), Some(20));
        assert_eq!(flight.arrive(2), None, "acknowledged twice");
        assert_eq!((flight.arrive(0), flight.arrive(4)), (None, None));
        assert_eq!(flight.outstanding(), 2);
        assert_eq!(flight.depart(40), Some(2));
        assert_eq!([1, 3, 2].map(|id| flight.arrive(id)), [Some(10), Some(30), Some(40)]);
        assert_eq!((flight.room(), flight.outstanding()), (3, 0));
    }

    #[test]
    fn a_batch_is_whole_packets_with_their_own_identifiers_and_payloads() {
        let mut batch = Batch::new("t", 100, Qos::AtLeastOnce, 4, 1).unwrap();
        assert_eq!(batch.copies(), 4);
        for id in [7, 8, 9] {
            batch.push(id);
        }
        let (mut rest, mut ids, mut payloads) = (&batch.bytes[..batch.filled], vec![], vec![]);
        while let Some((request, length)) = mqtt::next_request(rest).unwrap() {
            ids.push(request);
            payloads.push(rest[length - 100..length].to_vec());
            rest = &rest[length..];
        }
        assert_eq!(ids, [7, 8, 9].map(|id| mqtt::Request::Publish(Some(id))));
        assert!(payloads[0] != payloads[1] && payloads[1] != payloads[2]);
        assert_eq!(batch.messages(), 3);
    }

    #[test]
    fn a_batch_is_bounded_by_bytes_and_holds_at_least_one_message() {
        let copies = |size, window| {
            Batch::new("t", size, Qos::AtLeastOnce, window, 1).map(|batch| batch.copies())
        };
        assert_eq!(copies(1_024, 1_000), Ok(BATCH_BYTES / (1_024 + 8)));
        assert_eq!(copies(262_144, 1_000), Ok(1));
        assert_eq!(copies(0, 2), Ok(2));
    }
}
