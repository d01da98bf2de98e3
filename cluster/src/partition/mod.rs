//! Raft groups: how one write travels.
//!
//! ```text
//! PartitionHandle::propose -> inbox -> Engine::propose (queue of the group)
//!   -> one log entry with all queued commands, when the log is free   (group.rs)
//!   -> one log write for all groups, messages to followers meanwhile  (ready.rs, persist.rs)
//!   -> durable on a quorum: committed                                 (Raft)
//!   -> StateMachine::apply, state and applied index in one batch      (apply.rs)
//!   -> the answer
//! ```
//!
//! Invariants: what Raft was told to be durable is; state is never written without its applied index; the log is cut
//! only behind flushed state; an answer is given only for the entry that its proposer wrote, found by index and term.
//!
//! [`Engine`] is all of that without a thread or a clock, and runs in the simulator as in production; [`Node`] gives it
//! threads. Read `engine.rs` and `ready.rs` next.

mod apply;
mod barriers;
mod batch;
mod config;
mod defect;
mod driver;
mod engine;
mod error;
mod group;
mod handle;
mod leadership;
pub mod limits;
mod logger;
mod membership;
mod node;
mod output;
mod persist;
mod proposals;
mod ready;
mod record;
mod recovery;
mod snapshot;
mod tail;
mod transport;
mod upkeep;

pub use config::EngineConfig;
pub use defect::{Defect, Defects};
pub use engine::Engine;
pub use error::{NodeError, ProposeError};
pub use handle::PartitionHandle;
pub use membership::{MemberChange, Membership};
pub use node::{Node, NodeConfig};
pub use output::{GroupStatus, Leadership, Output, PeerMessage, WriteRequest, WriteToken};
pub use transport::{NoPeers, Transport};
