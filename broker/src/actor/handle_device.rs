//! Stand-ins until the actor has these.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{C2dMessage, Delivery, LockToken, Settlement};
use ironhub_domain::device::StoredSession;
use ironhub_domain::event::{AuthMethod, D2cMessage};
use ironhub_domain::ids::ModuleId;
use ironhub_domain::method::{MethodAnswer, MethodCall};
use ironhub_domain::registry::{IfMatch, PutModule};
use ironhub_domain::twin::TwinUpdate;
use ironhub_domain::upload::{UploadResult, UploadTicket};

use super::call::SessionId;
use super::handle::DeviceHandle;
use crate::router::request::{
    Connected, Credentials, D2cReply, DeviceTwin, Features, ModuleView, Pending, TwinView,
};

fn not_built<T>() -> Result<T, HubError> {
    Err(HubError::Internal("not built yet".into()))
}

#[allow(clippy::unused_async, unused_variables, missing_docs)]
impl DeviceHandle {
    pub(crate) fn set_features(&self, session: SessionId, features: Features) {}
    pub(crate) fn add_c2d_credit(&self, session: SessionId, more: u32) {}
    pub(crate) fn clear_c2d_credit(&self, session: SessionId) {}
    pub(crate) fn release_c2d(&self, session: SessionId) {}
    pub(crate) fn answer_method(&self, session: SessionId, id: u32, answer: MethodAnswer) {}
    pub(crate) fn settle_c2d(&self, session: SessionId, lock: LockToken, how: Settlement) -> Result<Pending<()>, HubError> {
        not_built()
    }
    pub(crate) fn device_twin(&self, session: SessionId) -> Result<Pending<DeviceTwin>, HubError> {
        not_built()
    }
    pub(crate) fn patch_reported(&self, session: SessionId, patch: Bytes, if_version: Option<u64>) -> Result<Pending<u64>, HubError> {
        not_built()
    }
    pub(crate) fn store_session(&self, session: SessionId, stored: StoredSession) -> Result<Pending<()>, HubError> {
        not_built()
    }
    pub(crate) fn renew(&self, session: SessionId, credentials: Credentials) -> Result<Pending<Connected>, HubError> {
        not_built()
    }
    pub(crate) async fn authenticate(&self, module: Option<ModuleId>, credentials: Credentials) -> Result<Connected, HubError> {
        not_built()
    }
    pub(crate) async fn send_d2c_once(&self, module: Option<ModuleId>, auth: AuthMethod, messages: Vec<D2cMessage>) -> D2cReply {
        not_built()
    }
    pub(crate) async fn receive_c2d(&self, module: Option<ModuleId>) -> Result<Option<Delivery>, HubError> {
        not_built()
    }
    pub(crate) async fn settle_c2d_once(&self, module: Option<ModuleId>, lock: LockToken, how: Settlement) -> Result<(), HubError> {
        not_built()
    }
    pub(crate) async fn open_upload(&self, ticket: UploadTicket) -> Result<(), HubError> {
        not_built()
    }
    pub(crate) async fn upload(&self, correlation_id: String) -> Result<UploadTicket, HubError> {
        not_built()
    }
    pub(crate) async fn close_upload(&self, correlation_id: String, result: UploadResult, notify: bool) -> Result<(), HubError> {
        not_built()
    }
    pub(crate) async fn enqueue_c2d(&self, module: Option<ModuleId>, message: C2dMessage) -> Result<u64, HubError> {
        not_built()
    }
    pub(crate) async fn purge_c2d(&self, module: Option<ModuleId>) -> Result<u32, HubError> {
        not_built()
    }
    pub(crate) async fn twin(&self, module: Option<ModuleId>) -> Result<TwinView, HubError> {
        not_built()
    }
    pub(crate) async fn update_twin(&self, module: Option<ModuleId>, update: TwinUpdate, if_match: IfMatch) -> Result<TwinView, HubError> {
        not_built()
    }
    pub(crate) async fn invoke_method(&self, module: Option<ModuleId>, call: MethodCall) -> Result<MethodAnswer, HubError> {
        not_built()
    }
    pub(crate) async fn module(&self, module: ModuleId) -> Result<ModuleView, HubError> {
        not_built()
    }
    pub(crate) async fn modules(&self) -> Result<Vec<ModuleView>, HubError> {
        not_built()
    }
    pub(crate) async fn put_module(&self, put: PutModule) -> Result<ModuleView, HubError> {
        not_built()
    }
    pub(crate) async fn delete_module(&self, module: ModuleId, if_match: IfMatch) -> Result<(), HubError> {
        not_built()
    }
}
