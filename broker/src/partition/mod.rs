//! One device partition (or the system partition) on this node: commands in, records and events out.
//!
//! [`machine`] applies committed commands; [`propose`] is how everybody else gets a command committed; [`reader`] and
//! [`records`] read what was applied, from any thread. Keys are in `keys`, the layout of event rows in `row`, protobuf in
//! `encode` and nowhere else.

pub mod commands;
mod encode;
pub mod index;
mod keys;
pub mod machine;
pub mod propose;
pub mod reader;
pub mod records;
pub mod retention;
mod row;
#[cfg(test)]
mod tests;
mod transaction;
pub mod watermark;

pub use machine::PartitionMachine;
pub use propose::Partition;
pub use reader::EventReader;
pub use watermark::Watermarks;
