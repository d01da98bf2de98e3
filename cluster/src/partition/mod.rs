//! Raft groups: see the module plan.
