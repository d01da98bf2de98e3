//! The only way to a device actor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::Addr;
use actix::dev::SendError;
use ironhub_domain::HubError;
use ironhub_domain::event::{AuthMethod, D2cMessage};
use ironhub_domain::ids::ModuleId;
use ironhub_domain::partition::PutWithTwin;
use ironhub_domain::registry::{IfMatch, PutDevice};
use tokio::sync::oneshot;

use super::call::{Admitted, Call, DeviceAsk, IdentityAsk, Reply, SessionKey};
use super::device::DeviceActor;
use super::in_flight::Budget;
use crate::router::request::{CloseReason, ConnectRequest, D2cReply, DeviceView};

/// What the directory keeps of an active device.
pub(super) struct Slot {
    pub(super) addr: Addr<DeviceActor>,
    pub(super) budget: Arc<Budget>,
    /// Seconds on the node's monotonic clock when the slot was last handed out.
    pub(super) used: AtomicU64,
}

/// A reference to an active device; while one exists the actor stays in memory.
#[derive(Clone)]
pub(crate) struct DeviceHandle {
    slot: Arc<Slot>,
}

impl DeviceHandle {
    pub(super) fn new(slot: Arc<Slot>, now_seconds: u64) -> Self {
        slot.used.store(now_seconds, Ordering::Relaxed);
        Self { slot }
    }

    /// Authenticates a session and makes it the live one of its identity.
    pub(crate) async fn connect(&self, request: ConnectRequest) -> Result<Admitted, HubError> {
        let (request, handle) = (Box::new(request), self.clone());
        self.ask(|reply| Call::Connect { request, handle, reply }).await
    }

    pub(super) fn send_d2c(
        &self,
        session: SessionKey,
        messages: Vec<D2cMessage>,
    ) -> Result<oneshot::Receiver<D2cReply>, (HubError, Vec<D2cMessage>)> {
        let Some(place) = self.slot.budget.admit(&messages) else {
            return Err((HubError::Busy, messages));
        };
        let (reply, answer) = oneshot::channel();
        match self.slot.addr.try_send(Call::SendD2c { session, messages, place, reply }) {
            Ok(()) => Ok(answer),
            Err(SendError::Full(call)) => Err((HubError::Busy, messages_of(call))),
            Err(SendError::Closed(call)) => Err((HubError::ShuttingDown, messages_of(call))),
        }
    }

    /// Stores messages of an identity whose credentials were checked already: those of one HTTPS request, or a session's
    /// last words. Returns when they are durable.
    pub(crate) async fn store_d2c(
        &self,
        module: Option<ModuleId>,
        auth: AuthMethod,
        model_id: Option<String>,
        messages: Vec<D2cMessage>,
    ) -> D2cReply {
        self.ask_identity(module, |reply| IdentityAsk::SendD2c { auth, model_id, messages, reply })
            .await
    }

    /// Identity and presence.
    pub(crate) async fn view(&self) -> Result<DeviceView, HubError> {
        self.ask_device(|reply| DeviceAsk::View { reply }).await
    }

    /// Registers the device, or replaces what of its identity can be changed.
    pub(crate) async fn put(&self, put: PutDevice) -> Result<DeviceView, HubError> {
        self.ask_device(|reply| DeviceAsk::Put { put: Box::new(put), reply }).await
    }

    /// Puts the device, or one of its modules, together with its twin.
    pub(crate) async fn put_with_twin(&self, put: PutWithTwin) -> Result<(), HubError> {
        self.ask_device(|reply| DeviceAsk::PutWithTwin { put: Box::new(put), reply }).await
    }

    /// Removes the device.
    pub(crate) async fn delete(&self, precondition: IfMatch) -> Result<(), HubError> {
        self.ask_device(|reply| DeviceAsk::Delete { precondition, reply }).await
    }

    /// Closes the live sessions of the device and its modules.
    pub(super) async fn close_sessions(&self, reason: CloseReason) {
        self.deliver(Call::Device(DeviceAsk::CloseSessions { reason })).await;
    }

    pub(super) fn try_send(&self, call: Call) -> Result<(), SendError<Call>> {
        self.slot.addr.try_send(call)
    }

    /// Waits until the actor has taken the call. An actor that is gone needs to know nothing.
    pub(super) async fn deliver(&self, call: Call) {
        let _ = self.slot.addr.send(call).await;
    }

    pub(super) async fn ask_device<T>(
        &self,
        ask: impl FnOnce(Reply<T>) -> DeviceAsk,
    ) -> Result<T, HubError> {
        self.ask(|reply| Call::Device(ask(reply))).await
    }

    pub(super) async fn ask_identity<T>(
        &self,
        module: Option<ModuleId>,
        ask: impl FnOnce(Reply<T>) -> IdentityAsk,
    ) -> Result<T, HubError> {
        self.ask(|reply| Call::Identity { module, ask: Box::new(ask(reply)) }).await
    }

    /// Waits for room in the mailbox: as many wait as there are connections and requests, which are bounded.
    async fn ask<T>(&self, call: impl FnOnce(Reply<T>) -> Call) -> Result<T, HubError> {
        let (reply, answer) = oneshot::channel();
        self.slot.addr.send(call(reply)).await.map_err(|_| HubError::ShuttingDown)?;
        answer.await.map_err(|_| HubError::ShuttingDown)?
    }
}

fn messages_of(call: Call) -> Vec<D2cMessage> {
    match call {
        Call::SendD2c { messages, .. } => messages,
        _ => Vec::new(),
    }
}
