//! The record that says how far a group's state is applied, kept in the same batch as the state itself.

use prost11::Message as _;
use raft::eraftpb::ConfState;

use crate::machine::GroupId;
use crate::storage::{Area, Change, StateStore, StorageError};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 17;
const KEY: &[u8] = b"\x00applied";

/// How far the state of a group is applied, and with which members.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Applied {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) members: ConfState,
}

/// First key of a group and the first one behind it. State machines leave keys that go on with a zero byte to the engine.
pub(crate) fn key_range(group: GroupId) -> (Vec<u8>, Vec<u8>) {
    let from = group.0.to_be_bytes().to_vec();
    let to = match group.0.checked_add(1) {
        Some(next) => next.to_be_bytes().to_vec(),
        None => vec![0xff; 64],
    };
    (from, to)
}

/// Where the record of a group is, in [`Area::Records`].
pub(crate) fn applied_key(group: GroupId) -> Vec<u8> {
    [&group.0.to_be_bytes(), KEY].concat()
}

impl Applied {
    /// The change that stores this record.
    pub(crate) fn put(&self, group: GroupId) -> Change {
        let mut value = Vec::with_capacity(HEAD_BYTES + self.members.encoded_len());
        value.push(VERSION);
        value.extend_from_slice(&self.index.to_be_bytes());
        value.extend_from_slice(&self.term.to_be_bytes());
        value.extend_from_slice(&self.members.encode_to_vec());
        Change::Put(Area::Records, applied_key(group), value)
    }

    /// Reads a group's record; `None` if the group has no state here.
    pub(crate) fn load(
        group: GroupId,
        store: &dyn StateStore,
    ) -> Result<Option<Self>, StorageError> {
        let Some(value) = store.get(Area::Records, &applied_key(group))? else { return Ok(None) };
        Self::decode(&value).map(Some).ok_or_else(|| {
            StorageError::Damaged(format!(
                "applied record of partition {} does not decode",
                group.0
            ))
        })
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (head, members) = value.split_at_checked(HEAD_BYTES)?;
        if head[0] != VERSION {
            return None;
        }
        Some(Self {
            index: u64::from_be_bytes(head[1..9].try_into().ok()?),
            term: u64::from_be_bytes(head[9..17].try_into().ok()?),
            members: ConfState::decode(members).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_survives_its_encoding() {
        let members = ConfState::from((vec![1, 2, 3], vec![4]));
        let applied = Applied { index: 7, term: 3, members };
        let Change::Put(_, _, value) = applied.put(GroupId(9)) else { panic!("a put") };
        assert_eq!(Applied::decode(&value), Some(applied));
        assert_eq!(Applied::decode(&value[..16]), None);
    }

    #[test]
    fn groups_do_not_overlap() {
        let (from, to) = key_range(GroupId(255));
        let key = applied_key(GroupId(255));
        assert!(from <= key && key < to);
        assert_eq!(to, key_range(GroupId(256)).0);
    }
}
