//! Fakes and batteries for tests: a disk and a store that crash, and what every log and store must do.

pub mod batteries;
pub mod chaos;
pub mod checkers;
pub mod digest;
pub mod disk;
pub mod event_log;
pub mod log_model;
pub mod memory_store;
pub mod network;
pub mod sim;
mod sim_answers;
mod sim_control;
pub mod sim_node;
pub mod workload;

pub use self::digest::digest;
pub use self::disk::SimDisk;
pub use self::memory_store::MemoryStore;
