//! Who the replicas of a group are, and how that changes.

use raft::eraftpb::{
    ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState,
};

use crate::machine::NodeId;

/// The replicas of one group, as of the newest applied change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Replicas whose disks count for a quorum.
    pub voters: Vec<NodeId>,
    /// Replicas that follow without a vote.
    pub learners: Vec<NodeId>,
    /// During a joint change: the former voters, of whom a quorum is needed too.
    pub outgoing: Vec<NodeId>,
}

/// One step of a membership change. Several in one change take effect together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Makes a node a voter; it may have been a learner or nothing.
    AddVoter(NodeId),
    /// Makes a node a learner; a voter loses its vote.
    AddLearner(NodeId),
    /// Takes a node out.
    Remove(NodeId),
}

impl Membership {
    pub(crate) fn of(state: &ConfState) -> Self {
        let nodes = |ids: &[u64]| {
            let mut nodes: Vec<NodeId> = ids.iter().copied().map(NodeId).collect();
            nodes.sort_unstable();
            nodes
        };
        let mut learners = nodes(&state.learners);
        learners.extend(nodes(&state.learners_next));
        Self { voters: nodes(&state.voters), learners, outgoing: nodes(&state.voters_outgoing) }
    }

    /// Whether `node` is the only voter, so that it needs nobody to lead.
    pub fn is_alone(&self, node: NodeId) -> bool {
        self.voters == [node] && self.outgoing.is_empty()
    }

    /// Whether the group has other replicas than `node`.
    pub fn has_peers(&self, node: NodeId) -> bool {
        self.voters.iter().chain(&self.learners).chain(&self.outgoing).any(|other| *other != node)
    }

    /// Voters after `changes`.
    pub(crate) fn voters_after(&self, changes: &[MemberChange]) -> Vec<NodeId> {
        let mut voters = self.voters.clone();
        for change in changes {
            match *change {
                MemberChange::AddVoter(node) => {
                    if !voters.contains(&node) {
                        voters.push(node);
                    }
                }
                MemberChange::AddLearner(node) | MemberChange::Remove(node) => {
                    voters.retain(|voter| *voter != node);
                }
            }
        }
        voters
    }
}

/// A joint change; the engine leaves the joint state itself as soon as it is applied.
pub(crate) fn joint_change(changes: &[MemberChange]) -> ConfChangeV2 {
    let mut joint = ConfChangeV2::default();
    joint.set_transition(ConfChangeTransition::Explicit);
    for change in changes {
        let (kind, node) = match *change {
            MemberChange::AddVoter(node) => (ConfChangeType::AddNode, node),
            MemberChange::AddLearner(node) => (ConfChangeType::AddLearnerNode, node),
            MemberChange::Remove(node) => (ConfChangeType::RemoveNode, node),
        };
        let mut single = ConfChangeSingle::default();
        single.set_change_type(kind);
        single.node_id = node.0;
        joint.changes.push(single);
    }
    joint
}
