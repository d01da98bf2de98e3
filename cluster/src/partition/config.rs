//! What an engine is told at its start.

use super::defect::Defects;
use super::limits::{FLUSH_BYTES, FLUSH_TICKS, LAGGARD_ENTRIES_KEPT, SNAPSHOT_BYTES_MAX};
use crate::machine::NodeId;

/// Settings of one node's engine. Nothing here changes while it runs.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// This node; from 1.
    pub node: NodeId,
    /// Where election timeouts come from.
    pub seed: u64,
    /// The voters of groups that have neither log nor state here yet. Every one of them must be given the same list.
    /// `None` on a node that joins later: its groups start empty and are brought in by a snapshot.
    pub bootstrap: Option<Vec<NodeId>>,
    /// Log bytes after which applied state is flushed and the log cut.
    pub flush_bytes: u64,
    /// Ticks after which applied state is flushed whatever its size.
    pub flush_ticks: u64,
    /// Entries that stay in the log for a follower that lags.
    pub laggard_entries_kept: u64,
    /// Bytes of one group's state in a snapshot; a larger state cannot be sent.
    pub snapshot_bytes_max: usize,
    /// Deliberate mistakes; none unless a test seeds one.
    pub defects: Defects,
}

impl EngineConfig {
    /// The usual settings for a node whose new groups have these voters.
    pub fn new(node: NodeId, bootstrap: Option<Vec<NodeId>>) -> Self {
        Self {
            node,
            seed: 0,
            bootstrap,
            flush_bytes: FLUSH_BYTES,
            flush_ticks: FLUSH_TICKS,
            laggard_entries_kept: LAGGARD_ENTRIES_KEPT,
            snapshot_bytes_max: SNAPSHOT_BYTES_MAX,
            defects: Defects::default(),
        }
    }
}
