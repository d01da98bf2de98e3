//! A hub without frontends, and a session that writes down what it is sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use actix_rt::{Arbiter, System};
use ironhub_cluster::log::{LogOptions, SegmentLog};
use ironhub_cluster::partition::{NoPeers, Node, NodeConfig};
use ironhub_cluster::storage::StateStore;
use ironhub_cluster::testing::{MemoryStore, SimDisk};
use ironhub_cluster::{GroupId, NodeId};
use ironhub_domain::auth::{PolicySet, SymmetricKeys};
use ironhub_domain::c2d::{AckMode, C2dMessage, Delivery};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::registry::{
    AuthenticationRequest, DeviceRequest, IfMatch, ModuleRequest, PutMode,
};
use ironhub_domain::twin::{DesiredNotice, TwinUpdate};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::actor::{DeviceSettings, Directory, NodeFacts, Owner};
use crate::client::sas::{KeyForm, expiry_from_now, token};
use crate::partition::{Partition, PartitionMachine, Watermarks};
use crate::router::request::{
    CloseReason, ConnectRequest, Credentials, Features, MethodRequest, Push, SessionSink,
    SessionStart,
};
use crate::router::{DeviceSession, HubState, NoticeSettings, Router};

pub const HOST: &str = "hub1.example.test";
pub const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
pub const OTHER_KEY: &str = "b2xvbG9sb2xvbG9sb2xvbG9sb2xvbG9sb2xvbG9sb2w=";
const PARTITIONS: u32 = 2;

/// What outlives a restart.
#[derive(Clone)]
pub struct Disks {
    log: SimDisk,
    store: MemoryStore,
}

impl Disks {
    pub fn new() -> Self {
        Self { log: SimDisk::new(1), store: MemoryStore::new() }
    }
}

pub struct Hub {
    pub router: Router,
    pub state: Arc<HubState>,
    pub store: Arc<dyn StateStore>,
    pub watermarks: Watermarks,
    node: Node<PartitionMachine>,
}

impl Hub {
    /// A hub with one device, `d`, and its module `m`, both with [`KEY`].
    pub async fn new() -> Self {
        Self::with(DeviceSettings::default()).await
    }

    pub async fn with(settings: DeviceSettings) -> Self {
        let hub = Self::start(&Disks::new(), settings).await;
        hub.create("d").await;
        hub.put_module(PutMode::Create, AuthenticationRequest::Sas(keys(KEY))).await;
        hub
    }

    pub async fn start(disks: &Disks, settings: DeviceSettings) -> Self {
        let options = LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() };
        let log = SegmentLog::open(Arc::new(disks.log.clone()), options).unwrap();
        let store: Arc<dyn StateStore> = Arc::new(disks.store.clone());
        let watermarks = Watermarks::new(PARTITIONS);
        let machine =
            |group| (GroupId(group), PartitionMachine::new(GroupId(group), watermarks.clone()));
        let machines = (0..=PARTITIONS).map(machine).collect();
        let config = NodeConfig::single(NodeId(1));
        let node = Node::start(config, Arc::new(log), store.clone(), machines, NoPeers).unwrap();
        let partitions: Vec<_> =
            (0..=PARTITIONS).map(|group| Partition::new(node.partition(GroupId(group)))).collect();
        for partition in &partitions {
            partition.led().await.unwrap();
        }
        let policies = PolicySet::defaults(|| KEY.to_owned());
        let verify = super::credentials::verify;
        let facts = NodeFacts::new(HOST.into(), policies, Vec::new(), verify, settings);
        let directory = |partition: &Partition| {
            let owner = Owner::new(partition.clone(), store.clone(), facts.clone());
            Directory::new(owner, Arbiter::current())
        };
        let directories = partitions[1..].iter().map(directory).collect();
        let state = HubState::new(
            facts.clone(),
            directories,
            partitions[0].clone(),
            [NoticeSettings::FEEDBACK, NoticeSettings::FILE_UPLOAD],
        );
        Self { router: Router::new(state.clone()), state, store, watermarks, node }
    }

    /// Ends the node as a power cut would, as far as sessions are concerned: nobody is told.
    pub fn stop(self) {
        self.node.stop();
    }

    pub async fn create(&self, device: &str) {
        let mut request = DeviceRequest::new(DeviceId::new(device).unwrap());
        request.authentication = AuthenticationRequest::Sas(keys(KEY));
        self.router.create_identity(request).await.unwrap();
    }

    pub async fn put_module(&self, mode: PutMode, authentication: AuthenticationRequest) {
        let (device, id) = (DeviceId::new("d").unwrap(), ModuleId::new("m").unwrap());
        let request = ModuleRequest { device, id, authentication, managed_by: None };
        self.router.put_module(mode, request).await.unwrap();
    }

    pub async fn update_device(&self, change: impl FnOnce(&mut DeviceRequest)) {
        let mut request = DeviceRequest::new(DeviceId::new("d").unwrap());
        request.authentication = AuthenticationRequest::Sas(keys(KEY));
        change(&mut request);
        self.router.update_identity(request, IfMatch::Any).await.unwrap();
    }

    pub async fn connect(&self, identity: &IdentityId) -> Client {
        self.connect_as(identity, SessionStart::None).await
    }

    pub async fn connect_as(&self, identity: &IdentityId, start: SessionStart) -> Client {
        let sink = Arc::new(Sink::default());
        let request = ConnectRequest {
            identity: identity.clone(),
            credentials: key_token(identity, KEY),
            start,
            model_id: None,
            protocol: "test",
            sink: sink.clone(),
        };
        let session = self.router.connect(request).await.unwrap();
        Client { session, sink }
    }

    pub async fn send_c2d(&self, identity: &IdentityId, body: &str) -> u64 {
        self.router.send_c2d(identity, message(body)).await.unwrap()
    }

    pub async fn set_tags(&self, identity: &IdentityId, json: &str) {
        let body = format!(r#"{{"tags":{json}}}"#);
        let update = TwinUpdate::parse_patch(body.as_bytes()).unwrap();
        self.router.update_twin(identity, update, IfMatch::Any).await.unwrap();
    }

    pub async fn set_desired(&self, identity: &IdentityId, json: &str) -> u64 {
        let body = format!(r#"{{"properties":{{"desired":{json}}}}}"#);
        let update = TwinUpdate::parse_patch(body.as_bytes()).unwrap();
        let view = self.router.update_twin(identity, update, IfMatch::Any).await.unwrap();
        view.twin.desired.version
    }
}

pub struct Client {
    pub session: DeviceSession,
    pub sink: Arc<Sink>,
}

impl Client {
    pub fn want(&self, features: Features) {
        self.session.set_features(features);
    }

    pub fn want_c2d(&self, credit: u32) {
        self.want(Features { c2d: true, ..Features::default() });
        self.session.add_c2d_credit(credit);
    }

    /// The bodies and deliveries of the next `count` messages.
    pub async fn c2d(&self, count: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        while deliveries.len() < count {
            match self.sink.next().await {
                Push::C2d(more) => deliveries.extend(more),
                other => panic!("{other:?}"),
            }
        }
        deliveries
    }

    pub async fn desired(&self) -> DesiredNotice {
        match self.sink.next().await {
            Push::Desired(notice) => notice,
            other => panic!("{other:?}"),
        }
    }

    pub async fn method(&self) -> MethodRequest {
        match self.sink.next().await {
            Push::Method(request) => request,
            other => panic!("{other:?}"),
        }
    }
}

pub const C2D: Features = Features { c2d: true, methods: false, desired: false };
pub const METHODS: Features = Features { c2d: false, methods: true, desired: false };
pub const DESIRED: Features = Features { c2d: false, methods: false, desired: true };

#[derive(Default)]
pub struct Sink {
    pushes: Mutex<VecDeque<Push>>,
    closed: Mutex<Option<CloseReason>>,
    changed: Notify,
    pub full: AtomicBool,
}

impl SessionSink for Sink {
    fn close(&self, reason: CloseReason) {
        self.closed.lock().get_or_insert(reason);
        self.changed.notify_one();
    }

    fn push(&self, push: Push) -> bool {
        if self.full.load(Ordering::Relaxed) {
            return false;
        }
        self.pushes.lock().push_back(push);
        self.changed.notify_one();
        true
    }
}

impl Sink {
    pub async fn next(&self) -> Push {
        loop {
            if let Some(push) = self.pushes.lock().pop_front() {
                return push;
            }
            self.changed.notified().await;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.pushes.lock().is_empty()
    }

    pub fn close_reason(&self) -> Option<CloseReason> {
        *self.closed.lock()
    }

    pub async fn closed(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.close_reason() {
                return reason;
            }
            self.changed.notified().await;
        }
    }
}

pub fn device() -> &'static IdentityId {
    static DEVICE: LazyLock<IdentityId> =
        LazyLock::new(|| IdentityId::device(DeviceId::new("d").unwrap()));
    &DEVICE
}

pub fn module() -> &'static IdentityId {
    static MODULE: LazyLock<IdentityId> = LazyLock::new(|| module_of("m"));
    &MODULE
}

pub fn keys(key: &str) -> SymmetricKeys {
    SymmetricKeys { primary: key.into(), secondary: key.into() }
}

pub fn key_token(identity: &IdentityId, key: &str) -> Credentials {
    let module = identity.module.as_ref().map(|m| format!("/modules/{m}")).unwrap_or_default();
    let resource = format!("{HOST}/devices/{}{module}", identity.device);
    Credentials::token(token(&resource, "", key, KeyForm::Decoded, expiry_from_now()).unwrap())
}

pub fn message(body: &str) -> C2dMessage {
    C2dMessage {
        ack: AckMode::Full,
        body: bytes::Bytes::copy_from_slice(body.as_bytes()),
        ..C2dMessage::default()
    }
}

pub fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|d| std::str::from_utf8(&d.message.body).unwrap()).collect()
}

/// Runs a test where actors live: on one thread.
pub fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test()).await };
    System::new().block_on(limited).expect("ends in time");
}

pub fn module_of(name: &str) -> IdentityId {
    IdentityId::module(DeviceId::new("d").unwrap(), ModuleId::new(name).unwrap())
}
