//! Replicates bytes: many Raft groups per node, one log on disk for all of them, their state in RocksDB.
//!
//! This crate knows no devices. A *partition* is one Raft group ([`GroupId`]); what it replicates is given by a
//! [`StateMachine`]. Read [`machine`] (the seam to the hub) and then [`partition`] (how one write travels).
//!
//! Invariants: a proposal is answered only after a quorum has it on disk and this node has applied it; a failed
//! fsync stops the node; nothing in the [`partition`] engine reads a clock, a socket or a random source.

pub mod log;
pub mod machine;
pub mod metrics;
pub mod partition;
pub mod placement;
pub mod storage;
#[cfg(feature = "testing")]
pub mod testing;

pub use machine::{ApplyContext, GroupId, NodeId, StateMachine};
