//! What a partition is told of a job's targets.

use crate::ids::IdentityId;
use crate::job::{DeviceJobError, JobId, JobType};
use crate::method::MethodAnswer;
use crate::partition::command::UpdateTwin;
use crate::time::UnixMs;

/// A change of rows of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum JobCommand {
    /// These identities are targets; those that are already stay as they are.
    Target {
        /// Which job.
        job: JobId,
        /// What it does.
        job_type: JobType,
        /// At most [`JOB_ROWS_AT_ONCE`](crate::limits::JOB_ROWS_AT_ONCE).
        identities: Vec<IdentityId>,
        /// Now.
        now: UnixMs,
    },
    /// A target's twin changes, and its row with it; of a row that is done with, nothing.
    UpdateTwin {
        /// Which job.
        job: JobId,
        /// What.
        update: Box<UpdateTwin>,
    },
    /// A method of a target is called, or was.
    Note {
        /// Which job.
        job: JobId,
        /// Which target.
        identity: IdentityId,
        /// What happened.
        note: DeviceJobNote,
        /// Now.
        now: UnixMs,
    },
    /// What happens to the job as a whole, for
    /// [`JOB_ROWS_AT_ONCE`](crate::limits::JOB_ROWS_AT_ONCE) of its rows.
    Tend {
        /// Which job.
        job: JobId,
        /// What becomes of the rows.
        how: JobTending,
        /// The rows behind this one; from the first if there is none.
        after: Option<IdentityId>,
        /// Now.
        now: UnixMs,
    },
}

/// What is noted in a row of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceJobNote {
    /// It is begun with.
    Start,
    /// This came of it.
    Finish(Result<MethodAnswer, DeviceJobError>),
}

/// What becomes of the rows of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobTending {
    /// The job was cancelled.
    Cancel,
    /// Its time was over.
    Expire,
    /// It goes on after a restart.
    Resume,
    /// It is forgotten.
    Forget,
}
