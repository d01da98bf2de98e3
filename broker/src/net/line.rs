//! Whether what was written to a connection has arrived.
//!
//! A write succeeds as soon as the system has the bytes; to a peer that lost its network it succeeds for minutes. What
//! the peer's system has not acknowledged (RFC 9293 3.8) may never arrive, and a protocol that gets no answer to what it
//! sends, as MQTT at QoS 0 and AMQP's settled deliveries, has nothing else to go by.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

/// How soon a connection is asked again whether everything has arrived; each next time after twice as long, up to
/// [`LOOK_PAUSE_MAX`].
const LOOK_PAUSE: Duration = Duration::from_millis(100);
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(30);

/// The TCP connection below a stream, however many layers are between. To be asked only while the stream is open: the
/// number of its socket is another's afterwards.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line(Option<RawFd>);

impl Line {
    /// Of an accepted connection.
    pub fn of(stream: &TcpStream) -> Self {
        Self(Some(stream.as_raw_fd()))
    }

    /// Whether the peer's system has all that was written. A stream without a socket counts as one that loses nothing.
    pub fn has_arrived(self) -> bool {
        let Some(socket) = self.0 else { return true };
        let mut waiting: libc::c_int = 0;
        // SAFETY: SIOCOUTQ writes one int, for which there is room; it fails for a number that is no socket.
        let asked = unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut waiting) };
        asked == 0 && waiting == 0
    }
}

/// Something that was sent, as a number that only grows, until it is known to have arrived. No memory while nothing is
/// on its way.
#[derive(Debug, Default)]
pub struct OnItsWay(Option<Box<Sent>>);

#[derive(Debug)]
struct Sent {
    what: u64,
    look: Instant,
    pause: Duration,
}

impl OnItsWay {
    /// `what` and everything before it was handed to the stream, or will be before the stream is flushed.
    pub fn send(&mut self, what: u64, now: Instant) {
        let before = self.0.as_ref().map_or(0, |sent| sent.what);
        let sent = Sent { what: what.max(before), look: now + LOOK_PAUSE, pause: LOOK_PAUSE };
        self.0 = Some(Box::new(sent));
    }

    /// What has arrived, once; `flushed` says that nothing waits between the protocol and the socket.
    pub fn arrived(&mut self, flushed: bool, line: Line, now: Instant) -> Option<u64> {
        let sent = self.0.as_mut()?;
        if flushed && line.has_arrived() {
            return self.0.take().map(|sent| sent.what);
        }
        if sent.look <= now {
            sent.pause = (sent.pause * 2).min(LOOK_PAUSE_MAX);
            sent.look = now + sent.pause;
        }
        None
    }

    /// When to ask again at the latest.
    pub fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|sent| sent.look)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_the_peer_has_not_taken_has_not_arrived() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (mut client, (mut server, _)) = (client.unwrap(), accepted.unwrap());
        let line = Line::of(&server);
        assert!(line.has_arrived());
        // More than the buffers of both systems hold, to a client that does not read yet.
        let chunk = vec![0; 1 << 20];
        let mut written = 0;
        while let Ok(count) =
            tokio::time::timeout(Duration::from_millis(200), server.write(&chunk)).await
        {
            written += count.unwrap();
        }
        assert!(!line.has_arrived());
        let mut got = vec![0; written];
        client.read_exact(&mut got).await.unwrap();
        while !line.has_arrived() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn what_was_sent_arrives_once_and_only_what_is_flushed_does() {
        let (start, mut way) = (Instant::now(), OnItsWay::default());
        assert_eq!(way.arrived(true, Line::default(), start), None);
        way.send(3, start);
        way.send(2, start);
        assert_eq!(way.arrived(false, Line::default(), start), None);
        assert_eq!(way.due(), Some(start + LOOK_PAUSE));
        let later = start + LOOK_PAUSE;
        assert_eq!(way.arrived(false, Line::default(), later), None);
        assert_eq!(way.due(), Some(later + 2 * LOOK_PAUSE), "asked more and more rarely");
        assert_eq!(way.arrived(true, Line::default(), later), Some(3));
        assert_eq!((way.arrived(true, Line::default(), later), way.due()), (None, None));
    }
}
