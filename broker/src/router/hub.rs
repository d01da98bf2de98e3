//! What concerns the hub as a whole: documents, shared access policies, consumer groups. All of it is in the system
//! partition.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::auth::Policy;
use ironhub_domain::device::Authentication;
use ironhub_domain::document::{Document, DocumentKind};
use ironhub_domain::partition::hub::DEFAULT_CONSUMER_GROUP;
use ironhub_domain::partition::{Command, ConsumerGroup, Outcome};
use ironhub_domain::registry::{IfMatch, PolicyKey, PutMode};
use tokio::sync::watch;

use super::{Router, fresh};
use crate::actor::NodeFacts;
use crate::partition::{reader::hub_error, records};

/// How often a change of a policy is decided anew that others changed meanwhile.
const POLICY_TRIES: usize = 16;

impl Router {
    /// The documents of a kind, in the order of their ids.
    pub fn documents(&self, kind: DocumentKind) -> Result<Vec<Document>, HubError> {
        records::documents(self.state.store(), kind).map_err(hub_error)
    }

    /// One document; `JobNotFound`, `ConfigurationNotFound`.
    pub fn document(&self, kind: DocumentKind, id: &str) -> Result<Document, HubError> {
        let document = records::document(self.state.store(), kind, id).map_err(hub_error)?;
        document.ok_or_else(|| kind.not_found(id))
    }

    /// Creates or changes a document; its ETag is made here. Refused if it exists or does not, as the mode
    /// says; `PreconditionFailed`; `MessageTooLarge`; if there are too many.
    pub async fn put_document(
        &self,
        kind: DocumentKind,
        id: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<Document, HubError> {
        let etag = fresh::fresh(NodeFacts::now()).etag;
        let document = Document { id: id.to_owned(), etag, body };
        let put = Command::PutDocument { kind, document, mode };
        let outcome = self.state.system().change(&put).await;
        self.state.document_changed(kind);
        match outcome? {
            Outcome::Document(document) => Ok(document),
            other => Err(HubError::Internal(format!("unexpected outcome: {other:?}"))),
        }
    }

    /// Removes a document; `PreconditionFailed`.
    pub async fn delete_document(
        &self,
        kind: DocumentKind,
        id: &str,
        precondition: IfMatch,
    ) -> Result<(), HubError> {
        let delete = Command::DeleteDocument { kind, id: id.to_owned(), precondition };
        let outcome = self.state.system().change(&delete).await;
        self.state.document_changed(kind);
        outcome.map(|_| ())
    }

    /// Changes whenever a document of that kind was put or deleted on this node.
    pub fn watch_documents(&self, kind: DocumentKind) -> watch::Receiver<u64> {
        self.state.watch_documents(kind)
    }

    /// Creates or changes a shared access policy: as it is now, and whether it is new. Keys that are left empty stay as
    /// they were, those of a new one are made here. Tokens that its old keys signed are worth nothing from here on; sessions
    /// that they opened stay until they renew.
    pub async fn set_policy(&self, policy: Policy) -> Result<(Policy, bool), HubError> {
        let name = policy.name.clone();
        self.decide_policy(&name, |current| {
            let keys = current.map(|current| current.keys.clone());
            let keys = keys.unwrap_or_else(|| fresh::fresh(NodeFacts::now()).keys);
            let mut policy = policy.clone();
            for (key, hub) in [
                (&mut policy.keys.primary, keys.primary),
                (&mut policy.keys.secondary, keys.secondary),
            ] {
                if key.is_empty() {
                    *key = hub;
                }
            }
            Ok(policy)
        })
        .await
    }

    /// Gives a shared access policy a new key, or lets its keys change places. `PolicyNotFound`.
    pub async fn regenerate_policy_key(
        &self,
        name: &str,
        key: PolicyKey,
    ) -> Result<Policy, HubError> {
        let decided = self.decide_policy(name, |current| {
            let current = current.ok_or_else(|| HubError::PolicyNotFound(name.to_owned()))?;
            let made = fresh::fresh(NodeFacts::now()).keys;
            let keys = key.rotate(&Authentication::Sas(current.keys.clone()), &made)?;
            Ok(Policy { keys, ..current.clone() })
        });
        decided.await.map(|(policy, _)| policy)
    }

    /// Makes of a policy what `decide` says, and decides anew if somebody else, on whatever node, changed it meanwhile; what
    /// it is then, and whether it is new.
    async fn decide_policy(
        &self,
        name: &str,
        decide: impl Fn(Option<&Policy>) -> Result<Policy, HubError>,
    ) -> Result<(Policy, bool), HubError> {
        for _ in 0..POLICY_TRIES {
            let policies = records::policies(self.state.store()).map_err(hub_error)?;
            let before = policies.unwrap_or_default().get(name).cloned();
            let (policy, is_new) = (decide(before.as_ref())?, before.is_none());
            match self.change_policies(Command::PutPolicy { policy: policy.clone(), before }).await
            {
                Ok(()) => return Ok((policy, is_new)),
                Err(HubError::PreconditionFailed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(HubError::Busy)
    }

    /// Changes whenever a shared access policy did.
    pub fn watch_policies(&self) -> watch::Receiver<u64> {
        self.state.watch_policies()
    }

    /// Changes whenever what events are read from may have changed on this node: consumer groups, logs of endpoints.
    pub fn watch_reading(&self) -> watch::Receiver<u64> {
        self.state.watch_reading()
    }

    /// Removes a shared access policy. `PolicyNotFound`.
    pub async fn delete_policy(&self, name: &str) -> Result<(), HubError> {
        self.change_policies(Command::DeletePolicy(name.to_owned())).await
    }

    async fn change_policies(&self, command: Command) -> Result<(), HubError> {
        let outcome = self.state.system().change(&command).await;
        // Also if the outcome is not known: what is applied counts.
        self.state.refresh_policies()?;
        outcome.map(|_| ())
    }

    /// The consumer groups, `$Default` first.
    pub fn consumer_groups(&self) -> Result<Vec<ConsumerGroup>, HubError> {
        let made = records::consumer_groups(self.state.store()).map_err(hub_error)?;
        let hub = records::hub(self.state.store()).map_err(hub_error)?;
        let created = hub.map_or_else(Default::default, |hub| hub.created);
        let default = ConsumerGroup { name: DEFAULT_CONSUMER_GROUP.to_owned(), created };
        Ok(std::iter::once(default).chain(made).collect())
    }

    /// Makes a consumer group, if there is none of that name; the one there is.
    pub async fn put_consumer_group(&self, name: &str) -> Result<ConsumerGroup, HubError> {
        let group = ConsumerGroup { name: name.to_owned(), created: NodeFacts::now() };
        self.state.system().change(&Command::PutConsumerGroup(group.clone())).await?;
        let groups = self.consumer_groups()?;
        Ok(groups.into_iter().find(|known| known.is_named(name)).unwrap_or(group))
    }

    /// Removes a consumer group; `InvalidArgument` if there is none of that name, or if it is `$Default`.
    pub async fn delete_consumer_group(&self, name: &str) -> Result<(), HubError> {
        let delete = Command::DeleteConsumerGroup(name.to_owned());
        let outcome = self.state.system().change(&delete).await;
        self.state.reading_changed();
        outcome.map(|_| ())
    }
}
