//! What a device asks over HTTPS: one request at a time, without a session (device-protocols.md 4).

use ironhub_domain::HubError;
use ironhub_domain::c2d::{Delivery, LockToken, Settlement};
use ironhub_domain::event::{AuthMethod, D2cMessage};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::upload::{UploadResult, UploadTicket};

use super::Router;
use super::request::{Connected, Credentials, D2cReply};

impl Router {
    /// Whether these credentials let their bearer act as `identity` right now. Errors as [`Router::connect`].
    pub async fn authenticate(
        &self,
        identity: &IdentityId,
        credentials: &Credentials,
    ) -> Result<Connected, HubError> {
        self.registered(&identity.device)?
            .authenticate(identity.module.clone(), credentials.clone())
            .await
    }

    /// Stores messages, all or none of them; returns when they are durable. `auth` is what [`Router::authenticate`] said.
    pub async fn send_d2c(
        &self,
        identity: &IdentityId,
        auth: AuthMethod,
        messages: Vec<D2cMessage>,
    ) -> D2cReply {
        self.registered(&identity.device)?
            .store_d2c(identity.module.clone(), auth, None, messages)
            .await
    }

    /// Locks the oldest free message for this request, if there is one.
    pub async fn receive_c2d(&self, identity: &IdentityId) -> Result<Option<Delivery>, HubError> {
        self.registered(&identity.device)?.receive_c2d(identity.module.clone()).await
    }

    /// Settles a delivery, whoever got it; `LockLost` if its lock is gone.
    pub async fn settle_c2d(
        &self,
        identity: &IdentityId,
        lock: LockToken,
        how: Settlement,
    ) -> Result<(), HubError> {
        self.registered(&identity.device)?.settle_c2d(identity.module.clone(), lock, how).await
    }

    /// Announces an upload; `TooManyUploads` beyond the limit.
    pub async fn open_upload(
        &self,
        device: &DeviceId,
        ticket: UploadTicket,
    ) -> Result<(), HubError> {
        self.registered(device)?.open_upload(ticket).await
    }

    /// An open upload of the device; `UploadNotFound`, `UploadExpired`.
    pub async fn upload(
        &self,
        device: &DeviceId,
        correlation_id: &str,
    ) -> Result<UploadTicket, HubError> {
        self.registered(device)?.upload(correlation_id.to_owned()).await
    }

    /// Finishes an upload; services are told if `notify`.
    pub async fn close_upload(
        &self,
        device: &DeviceId,
        correlation_id: &str,
        result: UploadResult,
        notify: bool,
    ) -> Result<(), HubError> {
        self.registered(device)?.close_upload(correlation_id.to_owned(), result, notify).await
    }
}
