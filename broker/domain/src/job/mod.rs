//! Jobs: one action over many identities (service-protocols.md 2.9), and the movement of a whole registry to and from
//! blobs (service-protocols.md 2.10, in [`transfer`]).
//!
//! A [`Job`] is what the hub as a whole knows of one; a [`DeviceJob`] is what became of it on one identity. [`JobEvent`]s
//! take a job from one state to the next; who walks the targets and when is the shell's business.
//!
//! ```text
//!               Due              Begin            Targets, Devices, Deadline
//! scheduled ---------> queued ---------> running ----------------------------> completed
//!     |                  |                  |  \------------- Fail ----------> failed
//!     \------------------+--- Cancel -------+-------------------------------> cancelled
//! ```

pub mod admit;
pub mod device;
pub mod id;
pub mod life;
pub mod lifecycle;
pub mod record;
pub mod request;
mod stored;
#[cfg(test)]
mod tests;
pub mod transfer;
pub mod view;
pub mod word;

pub use admit::{admit, forgotten, to_begin};
pub use device::{DeviceJob, DeviceJobError};
pub use id::JobId;
pub use life::JobEvent;
pub use record::{Job, JobAction, JobStatistics, TwinJob};
pub use request::JobRequest;
pub use word::{DeviceJobStatus, JobStatus, JobType};
