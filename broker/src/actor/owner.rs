//! What the actors of one partition share: the partition itself, its records, and what the whole node knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use ironhub_cluster::storage::StateStore;
use ironhub_domain::HubError;
use ironhub_domain::auth::{Authority, PolicySet};
use ironhub_domain::device::DeviceIdentity;
use ironhub_domain::event::{D2cMessage, Origin};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::partition::{Command, Outcome};
use ironhub_domain::time::UnixMs;
use tokio::sync::oneshot;

use super::call::SessionId;
use super::in_flight::{Admission, Budget};
use crate::metrics::device;
use crate::partition::Partition;
use crate::router::request::D2cReply;

/// What every device of this node needs to know.
pub(crate) struct NodeFacts {
    /// The hub's full host name.
    pub(crate) hub_host: String,
    /// Shared access policies, replaced when they change.
    pub(crate) policies: ArcSwap<PolicySet>,
    /// Certificate authorities, replaced when they change.
    pub(crate) authorities: ArcSwap<Vec<Authority>>,
    /// New sessions are refused: memory is above its mark.
    pub(crate) overloaded: AtomicBool,
    /// The node is stopping.
    pub(crate) stopping: AtomicBool,
    started: Instant,
    sessions: AtomicU64,
}

impl NodeFacts {
    pub(crate) fn new(hub_host: String, policies: PolicySet) -> Arc<Self> {
        Arc::new(Self {
            hub_host,
            policies: ArcSwap::from_pointee(policies),
            authorities: ArcSwap::default(),
            overloaded: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            started: Instant::now(),
            sessions: AtomicU64::new(1),
        })
    }

    pub(crate) fn now() -> UnixMs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// One partition as its device actors see it.
pub(crate) struct Owner {
    partition: Partition,
    store: Arc<dyn StateStore>,
    facts: Arc<NodeFacts>,
    budget: Arc<Budget>,
}

impl Owner {
    pub(crate) fn new(
        partition: Partition,
        store: Arc<dyn StateStore>,
        facts: Arc<NodeFacts>,
    ) -> Arc<Self> {
        Arc::new(Self { partition, store, facts, budget: Arc::default() })
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

    /// Whole seconds on the monotonic clock.
    pub(super) fn clock_seconds(&self) -> u64 {
        self.facts.started.elapsed().as_secs()
    }

    pub(super) fn next_session(&self) -> SessionId {
        SessionId(self.facts.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// The identity as the applied state has it.
    pub(crate) fn load_identity(
        &self,
        device: &DeviceId,
    ) -> Result<Option<DeviceIdentity>, HubError> {
        crate::partition::records::device(&*self.store, self.partition.group(), device)
            .map_err(|error| HubError::Internal(error.to_string()))
    }

    /// Proposes a batch of one sender's messages; `reply` resolves when they are durable and
    /// applied, and `place` is given back then.
    pub(super) fn append(
        &self,
        origin: &Origin,
        messages: &[D2cMessage],
        place: Option<Admission>,
        reply: oneshot::Sender<D2cReply>,
    ) {
        let count = messages.len() as u64;
        let command = crate::partition::commands::append_events(origin, NodeFacts::now(), messages);
        self.partition.propose(command, move |result| {
            let result = result.and_then(|outcome| match outcome {
                Outcome::Refused(error) => Err(error),
                _ => Ok(()),
            });
            match &result {
                Ok(()) => device::d2c_accepted(count),
                Err(error) => device::d2c_refused(count, error),
            }
            drop(place);
            // A session that is gone does not wait for its acks.
            let _ = reply.send(result);
        });
    }

    /// Proposes one command and waits for its outcome; a refusal by the rules is an error.
    pub(super) async fn change(&self, command: &Command) -> Result<Outcome, HubError> {
        self.partition.change(command).await
    }
}
