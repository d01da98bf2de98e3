//! What this frontend asks of the hub. `app.rs` gives it the router; the tests of the rules give it the domain's rules on
//! memory.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ironhub_domain::HubError;
use ironhub_domain::auth::PolicySet;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::registry::{DeviceRequest, IfMatch};

use crate::router::Router;
use crate::router::request::DeviceView;

/// The identity registry, and the policies that guard it. Every answer is linearizable.
pub trait Registry: Send + Sync + 'static {
    /// The name that tokens must be for.
    fn hub_host(&self) -> &str;
    /// The policies now in force.
    fn policies(&self) -> Arc<PolicySet>;
    /// One identity.
    fn identity<'a>(&'a self, id: &'a DeviceId) -> BoxFuture<'a, Result<DeviceView, HubError>>;
    /// A new identity; refused if the id exists.
    fn create_identity(&self, new: DeviceRequest) -> BoxFuture<'_, Result<DeviceView, HubError>>;
    /// A changed identity; refused if it is missing or its ETag is another.
    fn update_identity(
        &self,
        changed: DeviceRequest,
        if_match: IfMatch,
    ) -> BoxFuture<'_, Result<DeviceView, HubError>>;
    /// Removes an identity; without a condition whatever its ETag.
    fn delete_identity<'a>(
        &'a self,
        id: &'a DeviceId,
        if_match: Option<IfMatch>,
    ) -> BoxFuture<'a, Result<(), HubError>>;
    /// Up to `top` identities.
    fn list_identities(&self, top: usize) -> BoxFuture<'_, Result<Vec<DeviceView>, HubError>>;
}

impl Registry for Router {
    fn hub_host(&self) -> &str {
        Router::hub_host(self)
    }

    fn policies(&self) -> Arc<PolicySet> {
        Router::policies(self)
    }

    fn identity<'a>(&'a self, id: &'a DeviceId) -> BoxFuture<'a, Result<DeviceView, HubError>> {
        Box::pin(Router::identity(self, id))
    }

    fn create_identity(&self, new: DeviceRequest) -> BoxFuture<'_, Result<DeviceView, HubError>> {
        Box::pin(Router::create_identity(self, new))
    }

    fn update_identity(
        &self,
        changed: DeviceRequest,
        if_match: IfMatch,
    ) -> BoxFuture<'_, Result<DeviceView, HubError>> {
        Box::pin(Router::update_identity(self, changed, if_match))
    }

    fn delete_identity<'a>(
        &'a self,
        id: &'a DeviceId,
        if_match: Option<IfMatch>,
    ) -> BoxFuture<'a, Result<(), HubError>> {
        Box::pin(Router::delete_identity(self, id, if_match))
    }

    fn list_identities(&self, top: usize) -> BoxFuture<'_, Result<Vec<DeviceView>, HubError>> {
        Box::pin(Router::list_identities(self, top))
    }
}
