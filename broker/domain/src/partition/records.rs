//! What the rules of a partition read and write.

use crate::auth::PolicySet;
use crate::device::DeviceIdentity;
use crate::ids::DeviceId;
use crate::partition::event_log::EventLog;
use crate::partition::hub::{ConsumerGroup, HubInfo};

/// The records of one partition, as the command being applied would leave them.
pub trait Records {
    /// Why a record could not be read; stops the partition.
    type Error;

    /// The event log's counters. The shell stores them when they have changed.
    fn event_log(&mut self) -> &mut EventLog;
    /// The events with sequence numbers in `from..to` go.
    fn drop_events(&mut self, from: u64, to: u64);

    /// An identity.
    fn device(&self, id: &DeviceId) -> Result<Option<DeviceIdentity>, Self::Error>;
    /// Stores an identity.
    fn put_device(&mut self, device: &DeviceIdentity);
    /// Removes an identity.
    fn delete_device(&mut self, id: &DeviceId);

    /// What the hub is.
    fn hub(&self) -> Result<Option<HubInfo>, Self::Error>;
    /// Stores what the hub is.
    fn put_hub(&mut self, hub: &HubInfo);
    /// The shared access policies.
    fn policies(&self) -> Result<Option<PolicySet>, Self::Error>;
    /// Stores the shared access policies.
    fn put_policies(&mut self, policies: &PolicySet);
    /// The consumer groups that were made, in that order; `$Default` is not among them.
    fn consumer_groups(&self) -> Result<Vec<ConsumerGroup>, Self::Error>;
    /// Replaces the list of consumer groups.
    fn put_consumer_groups(&mut self, groups: &[ConsumerGroup]);
}
