//! One partition as rules: a committed command changes records and gives an outcome.
//!
//! Read [`command`] and [`apply`]; [`event_log`] numbers the events, [`records`] is what the shell must store.

pub mod apply;
pub mod command;
pub mod event_log;
pub mod hub;
pub mod job_command;
pub mod records;
pub mod retention;

pub use apply::apply;
pub use command::{
    Command, EnqueueC2d, IdentityPut, Outcome, PatchReported, PutWithTwin, UpdateTwin,
};
pub use event_log::{Append, Appended, EventLog, Stream, TrimMark};
pub use hub::{ConsumerGroup, HubInfo};
pub use job_command::{DeviceJobNote, JobCommand, JobTending};
pub use records::Records;
pub use retention::Retention;
