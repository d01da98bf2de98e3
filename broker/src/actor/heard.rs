//! Who was heard of since their presence was noted: what a query puts over the records, so that it knows of every message.
//!
//! A record follows the messages of an identity once a minute at most; from the first message that it does not know until it
//! was written the identity is here. What every further message costs is one store to an atomic.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ironhub_domain::ids::IdentityId;
use ironhub_domain::time::UnixMs;
use parking_lot::Mutex;

/// Those of one partition. Each is kept by its actor, so there are no more than active identities.
#[derive(Default)]
pub(crate) struct Heard(Mutex<HashMap<IdentityId, Arc<AtomicU64>>>);

impl Heard {
    /// From now on, until the place is dropped, queries know the times that it is given.
    pub(super) fn enter(self: &Arc<Self>, identity: IdentityId, at: UnixMs) -> Place {
        let last = Arc::new(AtomicU64::new(at.0));
        self.0.lock().insert(identity.clone(), last.clone());
        Place { heard: self.clone(), identity, last }
    }

    /// When the identity was last heard of; `None` if its record knows.
    pub(crate) fn last_activity(&self, identity: &IdentityId) -> Option<UnixMs> {
        let heard = self.0.lock();
        heard.get(identity).map(|last| UnixMs(last.load(Ordering::Relaxed)))
    }
}

/// An identity whose record is behind.
pub(super) struct Place {
    heard: Arc<Heard>,
    identity: IdentityId,
    last: Arc<AtomicU64>,
}

impl Place {
    pub(super) fn set(&self, at: UnixMs) {
        self.last.store(at.0, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut heard = self.heard.0.lock();
        // Another message may have come, and entered anew, while the record was written.
        if heard.get(&self.identity).is_some_and(|last| Arc::ptr_eq(last, &self.last)) {
            heard.remove(&self.identity);
        }
        if heard.capacity() > 4 * heard.len().max(64) {
            heard.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use ironhub_domain::ids::DeviceId;

    use super::*;

    #[test]
    fn an_identity_is_known_until_its_last_place_is_gone() {
        let heard = Arc::new(Heard::default());
        let id = |id: &str| IdentityId::device(DeviceId::new(id).unwrap());
        assert_eq!(heard.last_activity(&id("d")), None);
        let first = heard.enter(id("d"), UnixMs(5));
        assert_eq!(heard.last_activity(&id("d")), Some(UnixMs(5)));
        first.set(UnixMs(6));
        assert_eq!(heard.last_activity(&id("d")), Some(UnixMs(6)));
        assert_eq!(heard.last_activity(&id("e")), None);
        let second = heard.enter(id("d"), UnixMs(7));
        drop(first);
        assert_eq!(heard.last_activity(&id("d")), Some(UnixMs(7)));
        drop(second);
        assert_eq!(heard.last_activity(&id("d")), None);
    }
}
