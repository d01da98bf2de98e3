//! Commands as bytes, ready to be proposed.

use bytes::Bytes;
use ironhub_domain::event::{D2cMessage, Origin};
use ironhub_domain::partition::{Append, Command};
use ironhub_domain::time::UnixMs;

use super::encode;
use super::encode::command::kind;

/// A change of records as bytes.
pub fn encode(command: &Command) -> Bytes {
    encode::command::encode(command)
}

/// Before the batch: kind (1 byte), events (4), time in Unix ms (8), where the last event starts (4); big-endian. With
/// these, applying need not look at the events.
const APPEND_HEADER_BYTES: usize = 17;

/// One sender's messages as one command, stamped with `now`. `messages` must not be empty; together they must stay far
/// below 4 GiB, which the engine's bound on commands sees to.
pub fn append_events(origin: &Origin, now: UnixMs, messages: &[D2cMessage]) -> Bytes {
    let size = encode::event::size_hint(origin, messages);
    let mut out = Vec::with_capacity(APPEND_HEADER_BYTES + size);
    out.push(kind::APPEND_EVENTS);
    out.extend_from_slice(&(messages.len() as u32).to_be_bytes());
    out.extend_from_slice(&now.0.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    let last_event_at = encode::event::encode_batch(&mut out, origin, messages) as u32;
    out[13..APPEND_HEADER_BYTES].copy_from_slice(&last_event_at.to_be_bytes());
    out.into()
}

/// Whether the command is a batch of events.
pub(super) fn is_append(command: &[u8]) -> bool {
    command.first() == Some(&kind::APPEND_EVENTS)
}

/// Takes a batch of events apart: what the log needs to number it, and the encoded batch. `None` if it is too short.
pub(super) fn split_append(command: &[u8]) -> Option<(Append, &[u8])> {
    let (header, payload) = command.split_at_checked(APPEND_HEADER_BYTES)?;
    let append = Append {
        count: u32::from_be_bytes(header[1..5].try_into().ok()?),
        stamped: UnixMs(u64::from_be_bytes(header[5..13].try_into().ok()?)),
        last_event_at: u32::from_be_bytes(header[13..17].try_into().ok()?),
        bytes: u32::try_from(payload.len()).ok()?,
    };
    Some((append, payload))
}
