//! A group's whole state as bytes, for a replica that is too far behind for the log.
//!
//! `version (1) | rows | end (0) | crc32c of all before (u32 LE)`, a row being
//! `area (1 records, 2 events) | key length (u32 LE) | value length (u32 LE) | key | value`.
//! The applied record is not among the rows: its content travels in the snapshot's Raft metadata.
//!
//! A snapshot is built and installed in one piece, bounded by
//! [`SNAPSHOT_BYTES_MAX`](super::limits::SNAPSHOT_BYTES_MAX). Sending pieces belongs to the networked cluster.

use std::ops::ControlFlow;

use raft::eraftpb::Snapshot;

use super::record::{Applied, applied_key, key_range};
use crate::machine::GroupId;
use crate::storage::{Area, Change, StateStore, StorageError};

const VERSION: u8 = 1;
const END: u8 = 0;
const ROW_HEAD_BYTES: usize = 9;
const CHECKSUM_BYTES: usize = 4;
const AREAS: [(u8, Area); 2] = [(1, Area::Records), (2, Area::Events)];

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("state is larger than the {max} bytes that a snapshot may have")]
    TooLarge { max: usize },
}

/// Reads a group's state into a snapshot. The caller does not write to the group's state meanwhile.
pub(crate) fn build(
    group: GroupId,
    applied: &Applied,
    store: &dyn StateStore,
    bytes_max: usize,
) -> Result<Snapshot, BuildError> {
    let (from, to) = key_range(group);
    let reserved = applied_key(group);
    let mut data = vec![VERSION];
    let mut too_large = false;
    for (tag, area) in AREAS {
        store.scan(area, &from, &to, &mut |key, value| {
            if key == reserved {
                return ControlFlow::Continue(());
            }
            if data.len() + ROW_HEAD_BYTES + key.len() + value.len() > bytes_max {
                too_large = true;
                return ControlFlow::Break(());
            }
            data.push(tag);
            data.extend_from_slice(&(key.len() as u32).to_le_bytes());
            data.extend_from_slice(&(value.len() as u32).to_le_bytes());
            data.extend_from_slice(key);
            data.extend_from_slice(value);
            ControlFlow::Continue(())
        })?;
    }
    if too_large {
        return Err(BuildError::TooLarge { max: bytes_max });
    }
    data.push(END);
    data.extend_from_slice(&crc32c::crc32c(&data).to_le_bytes());
    let mut snapshot = Snapshot::default();
    let metadata = snapshot.mut_metadata();
    metadata.index = applied.index;
    metadata.term = applied.term;
    metadata.set_conf_state(applied.members.clone());
    snapshot.data = data;
    Ok(snapshot)
}

/// The batch that replaces a group's state by a snapshot. `None` if the bytes are damaged or of another group.
pub(crate) fn changes(group: GroupId, snapshot: &Snapshot) -> Option<Vec<Change>> {
    let (from, to) = key_range(group);
    let mut changes: Vec<Change> = AREAS
        .iter()
        .map(|(_, area)| Change::DeleteRange(*area, from.clone(), to.clone()))
        .collect();
    rows(&snapshot.data, &mut |area, key, value| {
        changes.push(Change::Put(area, key.to_vec(), value.to_vec()));
        key.starts_with(&from)
    })?;
    changes.push(applied(snapshot).put(group));
    Some(changes)
}

/// Whether [`changes`] will understand this snapshot.
pub(crate) fn is_sound(group: GroupId, snapshot: &Snapshot) -> bool {
    let prefix = group.0.to_be_bytes();
    rows(&snapshot.data, &mut |_, key, _| key.starts_with(&prefix)).is_some()
}

/// How far a snapshot's state is applied.
pub(crate) fn applied(snapshot: &Snapshot) -> Applied {
    let metadata = snapshot.get_metadata();
    Applied {
        index: metadata.index,
        term: metadata.term,
        members: metadata.get_conf_state().clone(),
    }
}

/// What [`rows`] calls with each row; `false` refuses it.
type VisitRow<'a> = &'a mut dyn FnMut(Area, &[u8], &[u8]) -> bool;

/// Visits the rows; `None` if the bytes are damaged or the visitor refuses one.
fn rows(data: &[u8], visit: VisitRow<'_>) -> Option<()> {
    let (body, checksum) = data.split_at_checked(data.len().checked_sub(CHECKSUM_BYTES)?)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(checksum.try_into().ok()?) {
        return None;
    }
    let (&version, mut rest) = body.split_first()?;
    if version != VERSION {
        return None;
    }
    loop {
        let (&tag, after) = rest.split_first()?;
        if tag == END {
            return after.is_empty().then_some(());
        }
        let (_, area) = AREAS.iter().find(|(known, _)| *known == tag)?;
        let (key_length, after) = after.split_first_chunk::<4>()?;
        let (value_length, after) = after.split_first_chunk::<4>()?;
        let (key, after) = after.split_at_checked(u32::from_le_bytes(*key_length) as usize)?;
        let (value, after) = after.split_at_checked(u32::from_le_bytes(*value_length) as usize)?;
        if !visit(*area, key, value) {
            return None;
        }
        rest = after;
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::{MemoryStore, digest};

    const GROUP: GroupId = GroupId(3);

    fn sample() -> (MemoryStore, Snapshot) {
        let store = MemoryStore::new();
        let key = |text: &str| [&GROUP.0.to_be_bytes()[..], text.as_bytes()].concat();
        let other = GroupId(4).0.to_be_bytes().to_vec();
        let applied = Applied { index: 9, term: 2, members: Default::default() };
        let changes = vec![
            Change::Put(Area::Records, key("r1"), b"one".to_vec()),
            Change::Put(Area::Events, key("e1"), Vec::new()),
            Change::Put(Area::Records, other, b"of another group".to_vec()),
            applied.put(GROUP),
        ];
        assert!(store.write(&changes).is_ok());
        let snapshot = build(GROUP, &applied, &store, 1_000).expect("it fits");
        (store, snapshot)
    }

    #[test]
    fn installed_state_equals_the_one_it_was_built_from() {
        let (source, snapshot) = sample();
        let target = MemoryStore::new();
        let stale = [&GROUP.0.to_be_bytes()[..], b"stale"].concat();
        assert!(target.write(&[Change::Put(Area::Events, stale, vec![1])]).is_ok());
        let changes = changes(GROUP, &snapshot).expect("it is sound");
        assert!(target.write(&changes).is_ok());
        let of = |store: &MemoryStore| digest(store, &GROUP.0.to_be_bytes()).ok();
        assert_eq!(of(&target), of(&source));
    }

    #[test]
    fn snapshot_that_is_damaged_or_of_another_group_is_refused() {
        let (_, snapshot) = sample();
        assert!(is_sound(GROUP, &snapshot));
        assert!(!is_sound(GroupId(4), &snapshot));
        for place in 0..snapshot.data.len() {
            let mut damaged = snapshot.clone();
            damaged.data[place] ^= 0x40;
            assert!(!is_sound(GROUP, &damaged), "byte {place}");
            damaged.data.truncate(place);
            assert!(!is_sound(GROUP, &damaged), "cut at {place}");
        }
    }

    #[test]
    fn state_larger_than_allowed_gives_no_snapshot() {
        let (store, _) = sample();
        let applied = Applied::default();
        let refused = build(GROUP, &applied, &store, 20);
        assert!(matches!(refused, Err(BuildError::TooLarge { max: 20 })));
    }
}
