//! How messages reach other nodes.

use crate::machine::{GroupId, NodeId};

/// Carries messages to other nodes. It may lose, delay, double and reorder them, but never change one, and it must tell the
/// receiver truly who sent it (the receiving side calls [`Node::receive`](super::Node::receive)).
pub trait Transport: Send + 'static {
    /// Hands messages over; called on the engine thread, so it must not block. What cannot be queued is dropped.
    fn send(&mut self, to: NodeId, messages: Vec<(GroupId, Vec<u8>)>);
}

/// The transport of a hub on one node: there is nobody to send to.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPeers;

impl Transport for NoPeers {
    fn send(&mut self, to: NodeId, messages: Vec<(GroupId, Vec<u8>)>) {
        tracing::debug!(to = to.0, count = messages.len(), "no peers: messages dropped");
    }
}
