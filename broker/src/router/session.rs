//! A live session of one identity, as its frontend holds it.
//!
//! Nothing here waits: a call is handed to the owner and answered through a channel. `Busy` means that the owner's mailbox
//! is full; the frontend tries again a little later or says so in its protocol.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::device::StoredSession;
use ironhub_domain::event::D2cMessage;
use ironhub_domain::method::MethodAnswer;
use tokio::sync::oneshot;

use super::request::{Connected, Credentials, D2cReply, DeviceTwin, Features, Pending};
use crate::actor::SessionHandle;

/// A live session of one identity; dropping it ends the session.
pub struct DeviceSession {
    session: SessionHandle,
    connected: Connected,
    model_id: Option<String>,
}

impl DeviceSession {
    pub(super) fn new(
        session: SessionHandle,
        connected: Connected,
        model_id: Option<String>,
    ) -> Self {
        Self { session, connected, model_id }
    }

    /// How it was let in.
    pub fn info(&self) -> &Connected {
        &self.connected
    }

    /// Hands over a batch without waiting. The receiver resolves when all of the batch is durable, or with the error
    /// that refused it. When the device's mailbox is full the batch comes back with `Busy`.
    pub fn send_d2c(
        &self,
        messages: Vec<D2cMessage>,
    ) -> Result<oneshot::Receiver<D2cReply>, (HubError, Vec<D2cMessage>)> {
        self.session.send_d2c(messages)
    }

    /// Says what the session wants to be sent from now on; replaces what it said before. Cannot fail: it waits for room in
    /// the mailbox in a task of its own, in order.
    pub fn set_features(&self, features: Features) {
        self.session.set_features(features);
    }

    /// Says that desired properties of this `$version` have reached the client, in a push or an answer: they are not sent
    /// again when it comes back. Cannot fail, as [`Self::set_features`].
    pub fn saw_desired(&self, version: u64) {
        self.session.saw_desired(version);
    }

    /// Lets the owner send `more` cloud-to-device messages beyond those it was let before.
    pub fn add_c2d_credit(&self, more: u32) {
        self.session.add_c2d_credit(more);
    }

    /// Takes all credit back that is not used yet (an AMQP link was detached, or set its credit to nothing).
    pub fn clear_c2d_credit(&self) {
        self.session.clear_c2d_credit();
    }

    /// Settles a delivery; `LockLost` if its lock is gone.
    pub fn settle_c2d(&self, lock: LockToken, how: Settlement) -> Result<Pending<()>, HubError> {
        self.session.settle_c2d(lock, how)
    }

    /// Returns what the session holds locked, counts unchanged (its C2D link was detached, the session goes on).
    pub fn release_c2d(&self) {
        self.session.release_c2d();
    }

    /// Reads the twin; whoever shows it to the client says so with [`Self::saw_desired`].
    pub fn twin(&self) -> Result<Pending<DeviceTwin>, HubError> {
        self.session.twin()
    }

    /// Changes the reported properties: `patch` is a JSON object. Resolves with the new `$version` once it is durable.
    /// `PreconditionFailed` if `if_version` is not the current one.
    pub fn patch_reported(
        &self,
        patch: Bytes,
        if_version: Option<u64>,
    ) -> Result<Pending<u64>, HubError> {
        self.session.patch_reported(patch, if_version)
    }

    /// Answers a method; an id that nobody waits for is ignored.
    pub fn answer_method(&self, id: u32, answer: MethodAnswer) {
        self.session.answer_method(id, answer);
    }

    /// Stores the subscriptions of a session that outlives its connection.
    pub fn store(&self, session: StoredSession) -> Result<Pending<()>, HubError> {
        self.session.store(session)
    }

    /// Shows new credentials of the same identity before the old ones end; the session goes on.
    pub fn renew(&self, credentials: Credentials) -> Result<Pending<Connected>, HubError> {
        self.session.renew(credentials)
    }

    /// Ends the session and stores its last words, also when a newer session has taken over already.
    pub async fn publish_will(self, message: D2cMessage) -> D2cReply {
        self.session.will(self.connected.auth, self.model_id.clone(), message).await
    }
}
