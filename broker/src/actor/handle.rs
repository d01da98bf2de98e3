//! The only way to a device actor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::Addr;
use actix::dev::SendError;
use ironhub_domain::HubError;
use ironhub_domain::event::{AuthMethod, D2cMessage};
use ironhub_domain::registry::{IfMatch, PutDevice};
use tokio::sync::oneshot;

use super::call::{Admitted, Call, Reply, SessionId};
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

    /// Authenticates a session and makes it the live one.
    pub(crate) async fn connect(&self, request: ConnectRequest) -> Result<Admitted, HubError> {
        self.ask(|reply| Call::Connect { request: Box::new(request), reply }).await
    }

    /// Hands over a batch without waiting; `Busy` when the mailbox is full, or too much of the
    /// partition's telemetry is under way.
    pub(crate) fn send_d2c(
        &self,
        session: SessionId,
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

    /// Stores a session's last words.
    pub(crate) async fn will(
        &self,
        auth: AuthMethod,
        model_id: Option<String>,
        message: D2cMessage,
    ) -> D2cReply {
        self.ask(|reply| Call::Will { auth, model_id, message: Box::new(message), reply }).await
    }

    /// The session ended. Waits for room in the mailbox in a task of its own, so that it may be called when dropping.
    pub(crate) fn disconnect(&self, session: SessionId) {
        if let Err(SendError::Full(call)) = self.slot.addr.try_send(Call::Disconnect { session }) {
            let slot = self.slot.clone();
            actix_rt::spawn(async move {
                // An actor that is gone has no session to forget.
                let _ = slot.addr.send(call).await;
            });
        }
    }

    /// Identity and presence.
    pub(crate) async fn view(&self) -> Result<DeviceView, HubError> {
        self.ask(|reply| Call::View { reply }).await
    }

    /// Registers the device, or replaces what of its identity can be changed.
    pub(crate) async fn put(&self, put: PutDevice) -> Result<DeviceView, HubError> {
        self.ask(|reply| Call::Put { put: Box::new(put), reply }).await
    }

    /// Removes the device.
    pub(crate) async fn delete(&self, precondition: IfMatch) -> Result<(), HubError> {
        self.ask(|reply| Call::Delete { precondition, reply }).await
    }

    /// Closes the live session, if there is one.
    pub(super) async fn close_session(&self, reason: CloseReason) {
        let _ = self.slot.addr.send(Call::CloseSession { reason }).await;
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
