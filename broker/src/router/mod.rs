//! Device id -> partition -> owner: the one door through which frontends reach devices.
//!
//! A call goes to the device's partition, whose leader is this node as long as a hub is one node; with more nodes the
//! same call takes one hop, and nothing on this side of the door changes.

mod bulk;
mod configurations;
mod device;
mod entries;
mod fresh;
mod hub;
mod jobs;
mod local;
mod notice_queue;
mod notices;
pub mod request;
mod routing;
mod service;
mod session;
mod transfers;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ironhub_domain::HubError;
use ironhub_domain::auth::PolicySet;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::limits::DEVICE_LIST_MAX;
use ironhub_domain::registry::{DeviceRequest, IfMatch, PutDevice, PutMode};

use crate::actor::{DeviceHandle, Directory, NodeFacts, SessionHandle};
use crate::metrics::device as meters;
use crate::query::Queries;
use request::{CloseReason, ConnectRequest, Connected, DeviceView};

pub use entries::Entry;
pub use local::HubState;
pub use notice_queue::{NoticeBatch, NoticeSettings};
pub use notices::NoticeDesk;
pub use session::DeviceSession;

/// Cheap to clone; every frontend holds one.
#[derive(Clone)]
pub struct Router {
    state: Arc<HubState>,
}

impl Router {
    /// A router over the partitions of this node.
    pub fn new(state: Arc<HubState>) -> Self {
        Self { state }
    }

    /// Follows what the hub keeps from here on, and goes on with what a stop has interrupted. Before anybody connects.
    pub(crate) async fn start(&self) -> Result<(), HubError> {
        self.start_routing().await?;
        self.start_configurations()
    }

    /// The hub's full host name.
    pub fn hub_host(&self) -> &str {
        &self.facts().hub_host
    }

    /// Feedback and file notifications, for services.
    pub fn notices(&self) -> &NoticeDesk {
        self.state.notices()
    }

    /// Queries over devices, modules and jobs, and the registry's counts.
    pub fn queries(&self) -> &Queries {
        self.state.queries()
    }

    /// The shared access policies as they are now.
    pub fn policies(&self) -> Arc<PolicySet> {
        self.facts().policies.load_full()
    }

    /// Authenticates a session and makes it the one live session of its device; an older one is closed and fenced.
    ///
    /// Errors: `Unauthorized`, `DeviceNotFound`, `DeviceDisabled`; `Busy` above the memory mark; `ShuttingDown`.
    pub async fn connect(&self, request: ConnectRequest) -> Result<DeviceSession, HubError> {
        let (protocol, model_id) = (request.protocol, request.model_id.clone());
        let admitted = self.admit(request).await;
        if let Err(error) = &admitted {
            meters::session_refused(protocol, error);
        }
        let (session, connected) = admitted?;
        Ok(DeviceSession::new(session, connected, model_id))
    }

    async fn admit(&self, request: ConnectRequest) -> Result<(SessionHandle, Connected), HubError> {
        if self.facts().stopping.load(Ordering::Relaxed) {
            return Err(HubError::ShuttingDown);
        }
        if self.facts().overloaded.load(Ordering::Relaxed) {
            return Err(HubError::Busy);
        }
        let handle = self.registered(&request.identity.device)?;
        let admitted = handle.connect(request).await?;
        Ok((admitted.session, admitted.connected))
    }

    /// Identity and presence of a device.
    pub async fn identity(&self, device: &DeviceId) -> Result<DeviceView, HubError> {
        let directory = self.state.directory(device);
        match directory.active(device) {
            Some(handle) => handle.view().await,
            None => match directory.owner().load_identity(device)? {
                Some(identity) => self.state.offline(identity),
                None => Err(HubError::DeviceNotFound(device.to_string())),
            },
        }
    }

    /// Registers a device; keys that the draft leaves out are generated.
    pub async fn create_identity(&self, request: DeviceRequest) -> Result<DeviceView, HubError> {
        self.put(PutMode::Create, request).await
    }

    /// Replaces what of an identity can be changed.
    pub async fn update_identity(
        &self,
        request: DeviceRequest,
        if_match: IfMatch,
    ) -> Result<DeviceView, HubError> {
        self.put(PutMode::Update(if_match), request).await
    }

    async fn put(&self, mode: PutMode, request: DeviceRequest) -> Result<DeviceView, HubError> {
        request.validate()?;
        let handle = self.writable(&request.id)?;
        handle.put(PutDevice { mode, request, fresh: fresh::fresh(NodeFacts::now()) }).await
    }

    /// Removes a device and closes its session.
    pub async fn delete_identity(
        &self,
        device: &DeviceId,
        if_match: Option<IfMatch>,
    ) -> Result<(), HubError> {
        self.writable(device)?.delete(if_match.unwrap_or(IfMatch::Any)).await
    }

    /// Up to `top` devices in the order of their ids, at most [`DEVICE_LIST_MAX`].
    pub async fn list_identities(&self, top: usize) -> Result<Vec<DeviceView>, HubError> {
        let top = top.min(DEVICE_LIST_MAX);
        let state = self.state.clone();
        let listed = tokio::task::spawn_blocking(move || state.list(top))
            .await
            .map_err(|error| HubError::Internal(error.to_string()))??;
        let mut views = Vec::with_capacity(listed.len());
        for view in listed {
            let device = &view.identity.id;
            match self.state.directory(device).active(device) {
                // A device that was deleted since the scan is left out.
                Some(handle) => views.extend(handle.view().await.ok()),
                None => views.push(view),
            }
        }
        Ok(views)
    }

    /// Closes every device session of this node.
    pub async fn close_sessions(&self, reason: CloseReason) {
        for directory in self.state.directories() {
            directory.close_sessions(reason).await;
        }
    }

    /// The actor of a device that exists. Whoever asks may not be authenticated yet: a name that nobody registered must not
    /// cost an actor.
    fn registered(&self, device: &DeviceId) -> Result<DeviceHandle, HubError> {
        let directory = self.state.directory(device);
        match directory.active(device) {
            Some(handle) => Ok(handle),
            None if directory.owner().load_identity(device)?.is_none() => {
                Err(HubError::DeviceNotFound(device.to_string()))
            }
            None => directory.handle(device),
        }
    }

    fn writable(&self, device: &DeviceId) -> Result<DeviceHandle, HubError> {
        if self.facts().stopping.load(Ordering::Relaxed) {
            return Err(HubError::ShuttingDown);
        }
        self.state.directory(device).handle(device)
    }

    fn facts(&self) -> &NodeFacts {
        self.state.facts()
    }
}

pub(crate) type Directories = Vec<Directory>;
