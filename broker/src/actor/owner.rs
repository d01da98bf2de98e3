//! What the actors of one partition share: the partition itself, its records, and what the whole node knows.

use std::sync::Arc;

use bytes::Bytes;
use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateStore, StorageError};
use ironhub_domain::HubError;
use ironhub_domain::device::{DeviceIdentity, Presence};
use ironhub_domain::event::{D2cMessage, Origin};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::partition::{Command, Outcome};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::facts::NodeFacts;
use super::heard::Heard;
use super::in_flight::{Admission, Budget};
use crate::metrics::device;
use crate::partition::{Partition, commands, records};
use crate::router::request::D2cReply;

/// One partition as its device actors see it.
pub(crate) struct Owner {
    partition: Partition,
    store: Arc<dyn StateStore>,
    facts: Arc<NodeFacts>,
    budget: Arc<Budget>,
    heard: Arc<Heard>,
}

impl Owner {
    pub(crate) fn new(
        partition: Partition,
        store: Arc<dyn StateStore>,
        facts: Arc<NodeFacts>,
    ) -> Arc<Self> {
        Arc::new(Self { partition, store, facts, budget: Arc::default(), heard: Arc::default() })
    }

    pub(crate) fn facts(&self) -> &NodeFacts {
        &self.facts
    }

    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    pub(crate) fn store(&self) -> &dyn StateStore {
        &*self.store
    }

    /// Room for telemetry that is under way.
    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Whose messages the records do not know yet.
    pub(crate) fn heard(&self) -> &Arc<Heard> {
        &self.heard
    }

    /// Reads applied records.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&dyn StateStore, GroupId) -> Result<T, StorageError>,
    ) -> Result<T, HubError> {
        read(&*self.store, self.partition.group())
            .map_err(|error| HubError::Internal(error.to_string()))
    }

    /// The identity as the applied state has it.
    pub(crate) fn load_identity(
        &self,
        device: &DeviceId,
    ) -> Result<Option<DeviceIdentity>, HubError> {
        self.read(|store, group| records::device(store, group, device))
    }

    /// The presence of an identity as it was last noted.
    pub(crate) fn presence(&self, identity: &IdentityId) -> Result<Presence, HubError> {
        let presence = self.read(|store, group| records::presence(store, group, identity))?;
        Ok(presence.unwrap_or_default())
    }

    /// How many messages the identity's queue has.
    pub(crate) fn c2d_count(&self, identity: &IdentityId) -> Result<u32, HubError> {
        let queue = self.read(|store, group| records::c2d_queue(store, group, identity))?;
        Ok(u32::try_from(queue.entries.len()).unwrap_or(u32::MAX))
    }

    /// Proposes a batch of one sender's messages; `reply` resolves when they are durable and applied wherever they are routed,
    /// and `place` is given back then.
    pub(super) fn append(
        &self,
        origin: &Origin,
        messages: &[D2cMessage],
        place: Option<Admission>,
        reply: oneshot::Sender<D2cReply>,
    ) {
        let count = messages.len() as u64;
        let commands = self.route(origin, messages, NodeFacts::now());
        self.propose_all(commands, move |result| {
            match &result {
                Ok(()) => device::d2c_accepted(count),
                Err(error) => device::d2c_refused(count, error),
            }
            drop(place);
            // A session that is gone does not wait for its acks.
            let _ = reply.send(result);
        });
    }

    /// Proposes commands, most often one, and calls back once when all are applied, or with the first error.
    fn propose_all(
        &self,
        commands: Vec<Bytes>,
        done: impl FnOnce(Result<(), HubError>) + Send + 'static,
    ) {
        let applied = |result: Result<Outcome, HubError>| result.and_then(accepted).map(|_| ());
        let mut commands = commands.into_iter();
        match (commands.next(), commands.len()) {
            (None, _) => done(Ok(())),
            (Some(only), 0) => self.partition.propose(only, move |result| done(applied(result))),
            (Some(first), more) => {
                let waiting = Arc::new(Mutex::new((more + 1, Ok(()), Some(done))));
                for command in std::iter::once(first).chain(commands) {
                    let waiting = waiting.clone();
                    self.partition.propose(command, move |result| {
                        let mut waiting = waiting.lock();
                        waiting.0 -= 1;
                        if waiting.1.is_ok() {
                            waiting.1 = applied(result);
                        }
                        if waiting.0 == 0
                            && let Some(done) = waiting.2.take()
                        {
                            done(waiting.1.clone());
                        }
                    });
                }
            }
        }
    }

    /// Proposes one command now, behind all that was proposed before, and calls back with its outcome, on the engine's
    /// thread; a refusal by the rules is an error.
    pub(super) fn propose(
        &self,
        command: &Command,
        done: impl FnOnce(Result<Outcome, HubError>) + Send + 'static,
    ) {
        self.propose_encoded(commands::encode(command), done);
    }

    /// As [`Owner::propose`].
    pub(super) fn propose_encoded(
        &self,
        command: Bytes,
        done: impl FnOnce(Result<Outcome, HubError>) + Send + 'static,
    ) {
        self.partition.propose(command, move |result| done(result.and_then(accepted)));
    }

    /// As [`Owner::propose`], for somebody who waits. The command is proposed before this returns.
    pub(super) fn submit(
        &self,
        command: Bytes,
    ) -> impl Future<Output = Result<Outcome, HubError>> + use<> {
        let (reply, answer) = oneshot::channel();
        // Whoever does not wait any more does not need to know.
        self.propose_encoded(command, |outcome| drop(reply.send(outcome)));
        async { answer.await.unwrap_or(Err(HubError::ShuttingDown)) }
    }
}

/// An outcome that is no refusal.
fn accepted(outcome: Outcome) -> Result<Outcome, HubError> {
    match outcome {
        Outcome::Refused(refusal) => Err(refusal),
        outcome => Ok(outcome),
    }
}

/// What an outcome that fits no command is: a bug.
pub(super) fn unexpected(outcome: &Outcome) -> HubError {
    HubError::Internal(format!("unexpected outcome: {outcome:?}"))
}
