//! What must hold for every group at every moment, whatever the state machine is.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::log::LogWrite;
use crate::machine::{GroupId, NodeId};

/// The memory of a run: everything that may be said only one way, by whoever says it first.
#[derive(Default)]
pub struct Checkers {
    /// Leader of a term.
    leaders: HashMap<(GroupId, u64), NodeId>,
    /// Content of the entry at an index and term, and the term of the entry before it.
    entries: HashMap<(GroupId, u64, u64), u64>,
    before: HashMap<(GroupId, u64, u64), u64>,
    /// Digest of the state after an index, and who had it first.
    digests: HashMap<(GroupId, u64), (u64, NodeId)>,
    /// Applied index of a replica in this life.
    applied: HashMap<(NodeId, GroupId), u64>,
}

impl Checkers {
    /// A node leads in a term: nobody else may.
    pub fn leads(&mut self, group: GroupId, term: u64, node: NodeId) -> Result<(), String> {
        let leader = *self.leaders.entry((group, term)).or_insert(node);
        if leader == node {
            return Ok(());
        }
        Err(format!("nodes {} and {} both lead group {} in term {term}", leader.0, node.0, group.0))
    }

    /// A node made these entries durable: the same index and term means the same entry and the same history.
    pub fn logged(&mut self, write: &LogWrite, node: NodeId) -> Result<(), String> {
        for (group, part) in &write.groups {
            for (place, entry) in part.entries.iter().enumerate() {
                let position = (*group, entry.index, entry.term);
                let mut hasher = DefaultHasher::new();
                (entry.kind as u8, &entry.data).hash(&mut hasher);
                let content = hasher.finish();
                if *self.entries.entry(position).or_insert(content) != content {
                    return Err(format!("entry {position:?} of node {} differs", node.0));
                }
                let Some(previous) = place.checked_sub(1).map(|place| part.entries[place].term)
                else {
                    continue;
                };
                if *self.before.entry(position).or_insert(previous) != previous {
                    return Err(format!("entry before {position:?} of node {} differs", node.0));
                }
            }
        }
        Ok(())
    }

    /// A replica's applied index; within one life it never goes back. `true` if it has changed.
    pub fn applied(&mut self, node: NodeId, group: GroupId, index: u64) -> Result<bool, String> {
        match self.applied.insert((node, group), index) {
            Some(before) if before > index => Err(format!(
                "group {} of node {} went back from {before} to {index}",
                group.0, node.0
            )),
            Some(before) => Ok(before != index),
            None => Ok(true),
        }
    }

    /// The digest of a replica's state: equal at an equal index, by log or by snapshot.
    pub fn digest(
        &mut self,
        node: NodeId,
        group: GroupId,
        index: u64,
        digest: u64,
    ) -> Result<(), String> {
        let (first, who) = *self.digests.entry((group, index)).or_insert((digest, node));
        if first == digest {
            return Ok(());
        }
        Err(format!(
            "state of group {} at {index} differs between nodes {} and {}",
            group.0, who.0, node.0
        ))
    }

    /// A node died: it may start again from less.
    pub fn died(&mut self, node: NodeId) {
        self.applied.retain(|(other, _), _| *other != node);
    }
}
