//! The index of one identity's queue, and the life of a message in it.

use std::fmt;

use crate::c2d::message::{AckMode, C2dMessage};
use crate::time::UnixMs;
use crate::uuid::Uuid;

/// Names one delivery of one message: a random UUID, which is also the AMQP delivery tag (device-protocols.md 3.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockToken(pub [u8; 16]);

impl LockToken {
    /// Reads the canonical form, in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        let hex: String = text.split('-').collect();
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        if groups != [8, 4, 4, 4, 12] || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid(self.0).fmt(f)
    }
}

impl fmt::Debug for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Who holds a lock, which decides when it ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The identity's live session: the lock returns when the session ends.
    Session,
    /// The same, and the session goes on with its device's next connection (MQTT's clean session 0): see [`Entry::sent`].
    StoredSession,
    /// An HTTPS request: nothing ends the lock but time.
    Request,
}

impl Holder {
    /// Whether the lock returns with a session's end.
    pub const fn is_session(self) -> bool {
        match self {
            Self::Session | Self::StoredSession => true,
            Self::Request => false,
        }
    }
}

/// A message that is being delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its name.
    pub token: LockToken,
    /// When it lapses.
    pub until: UnixMs,
    /// Who holds it.
    pub holder: Holder,
}

/// One live message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Increasing per queue. Its remainder by [`C2D_SHORT_NUMBERS`](crate::limits::C2D_SHORT_NUMBERS) is no other live
    /// message's, so that it can name the message where numbers are short.
    pub sequence: u64,
    /// When the hub took it.
    pub enqueued: UnixMs,
    /// When it expires.
    pub expires: UnixMs,
    /// How often it was abandoned.
    pub delivery_count: u32,
    /// Held by somebody.
    pub lock: Option<Lock>,
    /// It was locked for the identity's stored session, which may have been sent it: when that session is sent it again,
    /// it is told so (MQTT 3.1.1 3.3.1.1, 4.4). Until that session is forgotten.
    pub sent: bool,
    /// Which outcomes are reported.
    pub ack: AckMode,
    /// Message id, for feedback.
    pub message_id: Option<String>,
}

/// The live messages of one identity in the order of their sequence numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// The sequence number that the next message gets; the first is 1.
    pub next_sequence: u64,
    /// Live messages, at most [`C2D_QUEUE_MAX`](crate::limits::C2D_QUEUE_MAX).
    pub entries: Vec<Entry>,
}

/// What a device does with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Done with it.
    Complete,
    /// Never deliver it again.
    Reject,
    /// Deliver it again.
    Abandon,
}

/// A message on its way to a device, locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the queue.
    pub sequence: u64,
    /// The lock.
    pub lock: LockToken,
    /// When the lock lapses.
    pub locked_until: UnixMs,
    /// How often it was abandoned before.
    pub delivery_count: u32,
    /// The stored session may have been sent it before.
    pub sent_before: bool,
    /// When the hub took it.
    pub enqueued: UnixMs,
    /// When it expires.
    pub expires: UnixMs,
    /// The message.
    pub message: C2dMessage,
}
