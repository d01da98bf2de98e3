//! What a partition is told, and what it answers.

use crate::HubError;
use crate::auth::PolicySet;
use crate::device::DeviceIdentity;
use crate::ids::DeviceId;
use crate::partition::event_log::{Appended, TrimMark};
use crate::partition::hub::{ConsumerGroup, HubInfo};
use crate::registry::{IfMatch, PutDevice};

/// One replicated change of records. A batch of events is none: the shell numbers it with
/// [`EventLog::append`](crate::partition::EventLog::append) and never builds a command of it. Everything random and every time is in it: applying reads nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Create or change a device identity.
    PutDevice(Box<PutDevice>),
    /// Delete a device and everything of it.
    DeleteDevice {
        /// Which.
        id: DeviceId,
        /// If its ETag is still this.
        precondition: IfMatch,
    },
    /// Forget the oldest events.
    TrimEvents(TrimMark),
    /// System partition: say what the hub is. The first one counts, later ones change nothing.
    PutHub(HubInfo),
    /// System partition: the policies of a new hub. The first one counts.
    PutPolicies(PolicySet),
    /// System partition: a consumer group; none if it exists.
    PutConsumerGroup(ConsumerGroup),
    /// System partition: a consumer group ends.
    DeleteConsumerGroup(String),
}

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The events are in the log.
    Events(Appended),
    /// The identity as it is now.
    Device(Box<DeviceIdentity>),
    /// The device is gone.
    Deleted,
    /// Done, and nothing to say about it.
    Done,
    /// A rule forbids it; nothing changed.
    Refused(HubError),
}
