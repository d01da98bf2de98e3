//! How the session of one identity reaches the device's actor.

use std::sync::{Arc, OnceLock};

use actix::dev::SendError;
use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::device::StoredSession;
use ironhub_domain::event::{AuthMethod, D2cMessage};
use ironhub_domain::method::MethodAnswer;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::call::{Call, Reply, SessionAsk, SessionKey};
use super::control::{Backlog, Control, join};
use super::handle::DeviceHandle;
use crate::router::request::{Connected, Credentials, D2cReply, DeviceTwin, Features, Pending};

/// The way of one session to its owner; dropping it ends the session.
pub(crate) struct SessionHandle {
    handle: DeviceHandle,
    session: SessionKey,
    /// Made when the mailbox was full for the first time.
    backlog: OnceLock<Arc<Backlog>>,
}

impl SessionHandle {
    pub(super) const fn new(handle: DeviceHandle, session: SessionKey) -> Self {
        Self { handle, session, backlog: OnceLock::new() }
    }

    /// Hands over a batch without waiting; `Busy` when the mailbox is full, or too much of the partition's telemetry is
    /// under way.
    pub(crate) fn send_d2c(
        &self,
        messages: Vec<D2cMessage>,
    ) -> Result<oneshot::Receiver<D2cReply>, (HubError, Vec<D2cMessage>)> {
        self.handle.send_d2c(self.session.clone(), messages)
    }

    /// Stores the session's last words, also when a newer session has taken over.
    pub(crate) async fn will(
        &self,
        auth: AuthMethod,
        model_id: Option<String>,
        message: D2cMessage,
    ) -> D2cReply {
        self.handle.store_d2c(self.session.module.clone(), auth, model_id, vec![message]).await
    }

    pub(crate) fn set_features(&self, features: Features) {
        self.control(Control { features: Some(features), ..Control::default() });
    }

    pub(crate) fn saw_desired(&self, version: u64) {
        self.control(Control { seen: Some(version), ..Control::default() });
    }

    pub(crate) fn add_c2d_credit(&self, credit: u32) {
        self.control(Control { credit, ..Control::default() });
    }

    pub(crate) fn clear_c2d_credit(&self) {
        self.control(Control { clear_credit: true, ..Control::default() });
    }

    pub(crate) fn release_c2d(&self) {
        self.control(Control { release: true, ..Control::default() });
    }

    pub(crate) fn answer_method(&self, id: u32, answer: MethodAnswer) {
        self.control(Control { answers: vec![(id, answer)], ..Control::default() });
    }

    pub(crate) fn settle_c2d(
        &self,
        lock: LockToken,
        how: Settlement,
    ) -> Result<Pending<()>, HubError> {
        self.ask(|reply| SessionAsk::Settle { lock, how, reply })
    }

    pub(crate) fn twin(&self) -> Result<Pending<DeviceTwin>, HubError> {
        self.ask(|reply| SessionAsk::Twin { reply })
    }

    pub(crate) fn patch_reported(
        &self,
        patch: Bytes,
        if_version: Option<u64>,
    ) -> Result<Pending<u64>, HubError> {
        self.ask(|reply| SessionAsk::PatchReported { patch, if_version, reply })
    }

    pub(crate) fn store(&self, stored: StoredSession) -> Result<Pending<()>, HubError> {
        self.ask(|reply| SessionAsk::Store { stored, reply })
    }

    pub(crate) fn renew(&self, credentials: Credentials) -> Result<Pending<Connected>, HubError> {
        self.ask(|reply| SessionAsk::Renew { credentials: Box::new(credentials), reply })
    }

    fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> SessionAsk) -> Result<Pending<T>, HubError> {
        let (reply, answer) = oneshot::channel();
        match self
            .handle
            .try_send(Call::FromSession { session: self.session.clone(), ask: ask(reply) })
        {
            Ok(()) => Ok(answer),
            Err(SendError::Full(_)) => Err(HubError::Busy),
            Err(SendError::Closed(_)) => Err(HubError::ShuttingDown),
        }
    }

    /// Hands over what must not be lost. If the mailbox is full it waits for room in a task of its own, which never holds
    /// more than one message of this session; what comes meanwhile joins it.
    fn control(&self, control: Control) {
        let control = match self.backlog.get() {
            Some(backlog) => match join(backlog, control) {
                Some(control) => control,
                None => return,
            },
            None => control,
        };
        let call = Call::Control { session: self.session.clone(), control: Box::new(control) };
        // An actor that is gone has no session to be told of.
        let Err(SendError::Full(Call::Control { session, control })) = self.handle.try_send(call)
        else {
            return;
        };
        let backlog = self.backlog.get_or_init(|| Arc::new(Mutex::new(None))).clone();
        match &mut *backlog.lock() {
            Some(waiting) => return waiting.merge(*control),
            waiting => *waiting = Some(*control),
        }
        let handle = self.handle.clone();
        actix_rt::spawn(async move { handle.deliver(Call::Backlog { session, backlog }).await });
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.control(Control { end: true, ..Control::default() });
    }
}
