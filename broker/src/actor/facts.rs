//! What every device of this node needs to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use ironhub_domain::auth::{Authority, PeerCertificate, PolicySet};
use ironhub_domain::time::UnixMs;

use super::configurations::Configurations;
use super::routes::Routes;
use super::settings::DeviceSettings;

/// Says whether one of the authorities vouches for a certificate now, or why not.
pub(crate) type ChainVerifier = fn(&[Authority], &PeerCertificate, UnixMs) -> Result<(), String>;

/// What every device of this node needs to know.
pub(crate) struct NodeFacts {
    /// The hub's full host name.
    pub(crate) hub_host: String,
    /// What the operator chose.
    pub(crate) settings: DeviceSettings,
    /// Shared access policies, replaced when they change.
    pub(crate) policies: ArcSwap<PolicySet>,
    /// Certificate authorities, replaced when they change.
    pub(crate) authorities: ArcSwap<Vec<Authority>>,
    /// Where messages and events go, replaced when it changes.
    pub(crate) routes: ArcSwap<Routes>,
    /// What twins are to be like, replaced when it changes.
    pub(crate) configurations: ArcSwap<Configurations>,
    /// How certificates are checked against them.
    pub(crate) verify_chain: ChainVerifier,
    /// New sessions are refused: memory is above its mark.
    pub(crate) overloaded: AtomicBool,
    /// The node is stopping.
    pub(crate) stopping: AtomicBool,
    started: Instant,
    sessions: AtomicU64,
}

impl NodeFacts {
    pub(crate) fn new(
        hub_host: String,
        policies: PolicySet,
        authorities: Vec<Authority>,
        verify_chain: ChainVerifier,
        settings: DeviceSettings,
    ) -> Arc<Self> {
        Arc::new(Self {
            hub_host,
            settings,
            policies: ArcSwap::from_pointee(policies),
            authorities: ArcSwap::from_pointee(authorities),
            routes: ArcSwap::default(),
            configurations: ArcSwap::default(),
            verify_chain,
            overloaded: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            started: Instant::now(),
            sessions: AtomicU64::new(1),
        })
    }

    /// The hub's name: the first label of its host name.
    pub(crate) fn hub_name(&self) -> &str {
        self.hub_host.split('.').next().unwrap_or(&self.hub_host)
    }

    pub(crate) fn now() -> UnixMs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Whole seconds on the monotonic clock.
    pub(super) fn clock_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// A number that no other session of this process has.
    pub(super) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }
}
