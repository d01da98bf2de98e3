//! The domain's registry rules on a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use ironhub_domain::HubError;
use ironhub_domain::auth::{PolicySet, SymmetricKeys};
use ironhub_domain::device::DeviceIdentity;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::registry::{self, DeviceRequest, Fresh, IfMatch};
use ironhub_domain::time::UnixMs;
use parking_lot::Mutex;

use super::{HOST, KEY};
use crate::http::Registry;
use crate::router::request::DeviceView;

/// Identities by id; every change gets the next number as ETag.
#[derive(Default)]
pub struct MemoryRegistry(Mutex<(BTreeMap<DeviceId, DeviceIdentity>, u64)>);

type Answer<'a, T> = BoxFuture<'a, Result<T, HubError>>;

impl MemoryRegistry {
    fn put(
        &self,
        request: &DeviceRequest,
        rule: impl Fn(Option<&DeviceIdentity>, &Fresh) -> Result<DeviceIdentity, HubError>,
    ) -> Result<DeviceView, HubError> {
        let (devices, changes) = &mut *self.0.lock();
        *changes += 1;
        let fresh = Fresh {
            generation: format!("g{changes}"),
            etag: format!("e{changes}"),
            keys: SymmetricKeys { primary: KEY.into(), secondary: KEY.into() },
            now: UnixMs(*changes),
        };
        let identity = rule(devices.get(&request.id), &fresh)?;
        devices.insert(request.id.clone(), identity.clone());
        Ok(DeviceView::offline(identity))
    }
}

impl Registry for MemoryRegistry {
    fn hub_host(&self) -> &str {
        HOST
    }

    fn policies(&self) -> Arc<PolicySet> {
        Arc::new(PolicySet::defaults(|| KEY.to_owned()))
    }

    fn identity<'a>(&'a self, id: &'a DeviceId) -> Answer<'a, DeviceView> {
        let found = self.0.lock().0.get(id).cloned().map(DeviceView::offline);
        ready(found.ok_or_else(|| HubError::DeviceNotFound(id.to_string()))).boxed()
    }

    fn create_identity(&self, new: DeviceRequest) -> Answer<'_, DeviceView> {
        let made = self.put(&new, |existing, fresh| registry::create(existing, &new, fresh));
        ready(made).boxed()
    }

    fn update_identity(&self, changed: DeviceRequest, if_match: IfMatch) -> Answer<'_, DeviceView> {
        let made = self.put(&changed, |existing, fresh| {
            registry::update(existing, &if_match, &changed, fresh)
        });
        ready(made).boxed()
    }

    fn delete_identity<'a>(
        &'a self,
        id: &'a DeviceId,
        if_match: Option<IfMatch>,
    ) -> Answer<'a, ()> {
        let devices = &mut self.0.lock().0;
        let condition = if_match.unwrap_or(IfMatch::Any);
        let allowed = registry::delete(devices.get(id), id, &condition);
        if allowed.is_ok() {
            devices.remove(id);
        }
        ready(allowed).boxed()
    }

    fn list_identities(&self, top: usize) -> Answer<'_, Vec<DeviceView>> {
        let devices = &self.0.lock().0;
        let list = devices.values().take(top).cloned().map(DeviceView::offline).collect();
        ready(Ok(list)).boxed()
    }
}
