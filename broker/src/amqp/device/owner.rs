//! What this frontend asks of the owners of devices, as a trait: the router in a hub, memory in tests.

use futures_util::future::LocalBoxFuture;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::event::D2cMessage;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::method::MethodAnswer;
use tokio::sync::oneshot;

use bytes::Bytes;

use crate::router::request::{
    ConnectRequest, Connected, Credentials, D2cReply, DeviceTwin, Features, Pending,
};
use crate::router::{DeviceSession, Router};

/// Where devices are; see [`Router`] for what each call means and its errors.
pub trait DeviceOwners: Send + Sync + 'static {
    /// See [`Router::authenticate`].
    fn authenticate(
        &self,
        identity: IdentityId,
        credentials: Credentials,
    ) -> LocalBoxFuture<'static, Result<Connected, HubError>>;

    /// See [`Router::connect`].
    fn connect(
        &self,
        request: ConnectRequest,
    ) -> LocalBoxFuture<'static, Result<Box<dyn LiveSession>, HubError>>;
}

/// A live session of one identity; dropping it ends the session. See [`DeviceSession`] for what each call means.
pub trait LiveSession {
    /// See [`DeviceSession::info`].
    fn info(&self) -> &Connected;
    /// See [`DeviceSession::send_d2c`].
    fn send_d2c(
        &self,
        messages: Vec<D2cMessage>,
    ) -> Result<oneshot::Receiver<D2cReply>, (HubError, Vec<D2cMessage>)>;
    /// See [`DeviceSession::set_features`].
    fn set_features(&self, features: Features);
    /// See [`DeviceSession::saw_desired`].
    fn saw_desired(&self, version: u64);
    /// See [`DeviceSession::add_c2d_credit`].
    fn add_c2d_credit(&self, more: u32);
    /// See [`DeviceSession::clear_c2d_credit`].
    fn clear_c2d_credit(&self);
    /// See [`DeviceSession::settle_c2d`].
    fn settle_c2d(&self, lock: LockToken, how: Settlement) -> Result<Pending<()>, HubError>;
    /// See [`DeviceSession::release_c2d`].
    fn release_c2d(&self);
    /// See [`DeviceSession::twin`].
    fn twin(&self) -> Result<Pending<DeviceTwin>, HubError>;
    /// See [`DeviceSession::patch_reported`].
    fn patch_reported(
        &self,
        patch: Bytes,
        if_version: Option<u64>,
    ) -> Result<Pending<u64>, HubError>;
    /// See [`DeviceSession::answer_method`].
    fn answer_method(&self, id: u32, answer: MethodAnswer);
    /// See [`DeviceSession::renew`].
    fn renew(&self, credentials: Credentials) -> Result<Pending<Connected>, HubError>;
}

impl DeviceOwners for Router {
    fn authenticate(
        &self,
        identity: IdentityId,
        credentials: Credentials,
    ) -> LocalBoxFuture<'static, Result<Connected, HubError>> {
        let router = self.clone();
        Box::pin(async move { Self::authenticate(&router, &identity, &credentials).await })
    }

    fn connect(
        &self,
        request: ConnectRequest,
    ) -> LocalBoxFuture<'static, Result<Box<dyn LiveSession>, HubError>> {
        let router = self.clone();
        Box::pin(async move {
            let session = Self::connect(&router, request).await?;
            Ok(Box::new(session) as Box<dyn LiveSession>)
        })
    }
}

impl LiveSession for DeviceSession {
    fn info(&self) -> &Connected {
        Self::info(self)
    }

    fn send_d2c(
        &self,
        messages: Vec<D2cMessage>,
    ) -> Result<oneshot::Receiver<D2cReply>, (HubError, Vec<D2cMessage>)> {
        Self::send_d2c(self, messages)
    }

    fn set_features(&self, features: Features) {
        Self::set_features(self, features);
    }

    fn saw_desired(&self, version: u64) {
        Self::saw_desired(self, version);
    }

    fn add_c2d_credit(&self, more: u32) {
        Self::add_c2d_credit(self, more);
    }

    fn clear_c2d_credit(&self) {
        Self::clear_c2d_credit(self);
    }

    fn settle_c2d(&self, lock: LockToken, how: Settlement) -> Result<Pending<()>, HubError> {
        Self::settle_c2d(self, lock, how)
    }

    fn release_c2d(&self) {
        Self::release_c2d(self);
    }

    fn twin(&self) -> Result<Pending<DeviceTwin>, HubError> {
        Self::twin(self)
    }

    fn patch_reported(
        &self,
        patch: Bytes,
        if_version: Option<u64>,
    ) -> Result<Pending<u64>, HubError> {
        Self::patch_reported(self, patch, if_version)
    }

    fn answer_method(&self, id: u32, answer: MethodAnswer) {
        Self::answer_method(self, id, answer);
    }

    fn renew(&self, credentials: Credentials) -> Result<Pending<Connected>, HubError> {
        Self::renew(self, credentials)
    }
}
