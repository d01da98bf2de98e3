//! Commands as bytes, ready to be proposed.

use bytes::Bytes;
use ironhub_domain::event::{D2cMessage, Origin};
use ironhub_domain::partition::{Append, Command, Stream};
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

/// A change, encoded, and batches of [`append_events`] for one log or several, all or nothing: the batches are appended if the
/// change was not refused. Without a change (`None`) it is the batches only.
///
/// Layout: kind (1 byte), length of the change (4), the change; then for each batch its log (4), its length (4), the batch.
pub fn bundle(change: Option<&[u8]>, batches: &[(Stream, Bytes)]) -> Bytes {
    let change = change.unwrap_or_default();
    let size = 5 + change.len() + batches.iter().map(|(_, batch)| 8 + batch.len()).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    out.push(kind::BUNDLE);
    // Lengths stay far below 4 GiB: the engine bounds commands.
    out.extend_from_slice(&(change.len() as u32).to_be_bytes());
    out.extend_from_slice(change);
    for (Stream(stream), batch) in batches {
        out.extend_from_slice(&stream.to_be_bytes());
        out.extend_from_slice(&(batch.len() as u32).to_be_bytes());
        out.extend_from_slice(batch);
    }
    out.into()
}

/// Whether the command is a bundle.
pub(super) fn is_bundle(command: &[u8]) -> bool {
    command.first() == Some(&kind::BUNDLE)
}

/// The batches of a bundle, each with its log.
type Batches<'c> = Vec<(Stream, &'c [u8])>;

/// The change and the batches of a bundle; `None` if it is torn.
pub(super) fn split_bundle(command: &[u8]) -> Option<(&[u8], Batches<'_>)> {
    let number = |bytes: &[u8]| Some(u32::from_be_bytes(bytes.try_into().ok()?));
    let (length, rest) = command.get(1..)?.split_at_checked(4)?;
    let (change, mut rest) = rest.split_at_checked(number(length)? as usize)?;
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(8)?;
        let (batch, after) = after.split_at_checked(number(&head[4..])? as usize)?;
        batches.push((Stream(number(&head[..4])?), batch));
        rest = after;
    }
    Some((change, batches))
}

/// Whether the command is a batch of events for the built-in endpoint.
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
