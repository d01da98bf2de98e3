//! How the rest of the hub gets a command into a partition.

use bytes::Bytes;
use ironhub_cluster::GroupId;
use ironhub_cluster::partition::{GroupStatus, PartitionHandle, ProposeError};
use ironhub_domain::HubError;
use ironhub_domain::partition::{Command, Outcome, Retention};
use ironhub_domain::time::UnixMs;

use super::machine::PartitionMachine;
use super::reader::EventReader;
use super::{commands, retention};

/// One partition of this node. Cheap to clone.
#[derive(Clone)]
pub struct Partition(PartitionHandle<PartitionMachine>);

impl Partition {
    /// Wraps the engine's handle.
    pub fn new(handle: PartitionHandle<PartitionMachine>) -> Self {
        Self(handle)
    }

    /// Which partition this is.
    pub fn group(&self) -> GroupId {
        self.0.group()
    }

    /// Whether this node leads it and has applied what earlier leaders acknowledged.
    pub fn is_led(&self) -> bool {
        self.0.leadership().borrow().leading
    }

    /// Returns once this node leads; an error if the node stops before.
    pub async fn led(&self) -> Result<(), HubError> {
        let mut leadership = self.0.leadership();
        leadership
            .wait_for(|leadership| leadership.leading)
            .await
            .map(|_| ())
            .map_err(|_| HubError::ShuttingDown)
    }

    /// The engine's figures.
    pub fn status(&self) -> GroupStatus {
        self.0.status()
    }

    /// Proposes a command from [`commands`]; `done` gets its outcome, or why there is none. It runs on the engine's
    /// thread (on the caller's, if the proposal is refused at once): it must be quick and must not block.
    pub fn propose(
        &self,
        command: Bytes,
        done: impl FnOnce(Result<Outcome, HubError>) + Send + 'static,
    ) {
        let group = self.group();
        self.0.propose_with(
            command,
            Box::new(move |result| done(result.map_err(|error| hub_error(group, error)))),
        );
    }

    /// Proposes a change of records and waits until it is durable and applied; a refusal by the rules is an error.
    pub async fn change(&self, command: &Command) -> Result<Outcome, HubError> {
        self.commit(commands::encode(command)).await
    }

    /// Proposes a command from [`commands`] and waits until it is durable and applied; a refusal by the rules is an error.
    pub async fn commit(&self, command: Bytes) -> Result<Outcome, HubError> {
        let wrong = |error| hub_error(self.group(), error);
        let answer = self.0.propose(command).map_err(wrong)?;
        match answer.await.map_err(|_| HubError::ShuttingDown)?.map_err(wrong)? {
            Outcome::Refused(refusal) => Err(refusal),
            outcome => Ok(outcome),
        }
    }

    /// Returns once everything that was acknowledged before this call can be read here.
    pub async fn read_barrier(&self) -> Result<(), HubError> {
        let wrong = |error| hub_error(self.group(), error);
        let answer = self.0.read_barrier().map_err(wrong)?;
        answer.await.map_err(|_| HubError::ShuttingDown)?.map_err(wrong)
    }

    /// Drops events that are too old, if this node leads and there are any. Called now and then.
    pub async fn retain(
        &self,
        reader: &EventReader,
        retention: &Retention,
        now: UnixMs,
    ) -> Result<(), HubError> {
        if !self.is_led() {
            return Ok(());
        }
        let command =
            retention::trim_command(reader, retention, now).map_err(super::reader::hub_error)?;
        match command {
            Some(command) => self.change(&command).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

/// What an engine's refusal is to whoever asked.
fn hub_error(group: GroupId, error: ProposeError) -> HubError {
    match error {
        ProposeError::Busy | ProposeError::MembershipBusy => HubError::Busy,
        ProposeError::NotLeader { .. } | ProposeError::Dropped | ProposeError::UnknownGroup => {
            HubError::NoLeader { partition: group.0 }
        }
        ProposeError::StorageFull => HubError::StorageFull,
        ProposeError::TooLarge { bytes, max } => HubError::MessageTooLarge { size: bytes, max },
        ProposeError::OutcomeUnknown => HubError::OutcomeUnknown,
        ProposeError::Stopped => HubError::ShuttingDown,
    }
}
