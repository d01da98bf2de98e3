//! The active devices of one partition.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, ArbiterHandle};
use ironhub_domain::HubError;
use ironhub_domain::ids::DeviceId;
use parking_lot::Mutex;

use super::device::DeviceActor;
use super::handle::{DeviceHandle, Slot};
use super::owner::Owner;
use crate::router::request::CloseReason;

/// Most active devices of one partition; one more is answered with "busy". Far above what a node's connections
/// and requests can need, since idle actors are passivated.
const ACTIVE_MAX: usize = 1 << 20;

/// The active devices of one partition and the worker that runs them.
pub(crate) struct Directory {
    owner: Arc<Owner>,
    arbiter: ArbiterHandle,
    slots: Mutex<HashMap<DeviceId, Arc<Slot>>>,
}

impl Directory {
    pub(crate) fn new(owner: Arc<Owner>, arbiter: ArbiterHandle) -> Self {
        Self { owner, arbiter, slots: Mutex::new(HashMap::new()) }
    }

    /// The device's actor, activated if it was not.
    pub(crate) fn handle(&self, device: &DeviceId) -> Result<DeviceHandle, HubError> {
        let mut slots = self.slots.lock();
        let now = self.owner.facts().clock_seconds();
        if let Some(slot) = slots.get(device) {
            return Ok(DeviceHandle::new(slot.clone(), now));
        }
        if slots.len() >= ACTIVE_MAX {
            return Err(HubError::Busy);
        }
        // Loaded here, under the lock, so that no two activations of one device can see different states.
        let identity = self.owner.load_identity(device)?;
        let (owner, id) = (self.owner.clone(), device.clone());
        let addr = DeviceActor::start_in_arbiter(&self.arbiter, move |_| {
            DeviceActor::new(id, owner, identity)
        });
        let slot =
            Arc::new(Slot { addr, budget: self.owner.budget().clone(), used: AtomicU64::new(now) });
        slots.insert(device.clone(), slot.clone());
        Ok(DeviceHandle::new(slot, now))
    }

    /// The device's actor if it is active.
    pub(crate) fn active(&self, device: &DeviceId) -> Option<DeviceHandle> {
        let slots = self.slots.lock();
        slots
            .get(device)
            .map(|slot| DeviceHandle::new(slot.clone(), self.owner.facts().clock_seconds()))
    }

    /// Passivates actors that nobody holds and that were idle for `idle`. Handles are given out under the same lock,
    /// so none can appear between the look and the removal; an actor without addresses stops by itself.
    pub(crate) fn passivate(&self, idle: Duration) {
        let before = self.owner.facts().clock_seconds().saturating_sub(idle.as_secs());
        let mut slots = self.slots.lock();
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.used.load(Ordering::Relaxed) > before
        });
        if slots.capacity() > 4 * slots.len().max(64) {
            slots.shrink_to_fit();
        }
    }

    /// Passivates a device that nobody holds at once: for whoever goes through many devices and comes back to none.
    pub(crate) fn release(&self, device: &DeviceId) {
        let mut slots = self.slots.lock();
        if slots.get(device).is_some_and(|slot| Arc::strong_count(slot) == 1) {
            slots.remove(device);
        }
    }

    /// Active devices.
    pub(crate) fn len(&self) -> usize {
        self.slots.lock().len()
    }

    /// What this partition's actors share.
    pub(crate) fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    /// Closes every session of the partition.
    pub(crate) async fn close_sessions(&self, reason: CloseReason) {
        let now = self.owner.facts().clock_seconds();
        let handles: Vec<DeviceHandle> =
            self.slots.lock().values().map(|slot| DeviceHandle::new(slot.clone(), now)).collect();
        for handle in handles {
            handle.close_sessions(reason).await;
        }
    }
}
