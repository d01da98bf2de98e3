//! Owners of devices in memory: identities `dev1` to `dev9`, modules `mod1` of each, `off` which is disabled, `cert` which
//! proves itself with a certificate. All keys are the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use ironhub_domain::HubError;
use ironhub_domain::auth::{PolicySet, SasToken, SymmetricKeys, authenticate_device};
use ironhub_domain::c2d::{C2dMessage, Delivery, LockToken, Settlement};
use ironhub_domain::event::{AuthMethod, AuthScope, AuthType, D2cMessage};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::method::MethodAnswer;
use ironhub_domain::time::UnixMs;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::amqp::device::{DeviceOwners, LiveSession};
use crate::amqp::session::wall_clock;
use crate::amqp::tests::hub::{HOST, KEY};
use crate::router::request::{
    CloseReason, ConnectRequest, Connected, Credentials, D2cReply, DeviceTwin, Features, Pending,
    Push, SessionSink,
};

/// What becomes of telemetry.
#[derive(Clone, Default)]
pub enum Telemetry {
    #[default]
    Stored,
    /// Answered when [`Owners::store_held`] says so.
    Held,
    /// Not taken so many times, then stored.
    Busy(usize),
    Refused(HubError),
}

#[derive(Default)]
pub struct Identity {
    pub sink: Option<Arc<dyn SessionSink>>,
    session: u64,
    pub features: Features,
    pub seen: Vec<u64>,
    pub credit: u32,
    pub model_id: Option<String>,
    pub stored: Vec<D2cMessage>,
    pub batches: usize,
    pub queue: VecDeque<Delivery>,
    pub locked: Vec<Delivery>,
    pub settled: Vec<(u64, Settlement)>,
    pub answers: Vec<(u32, MethodAnswer)>,
    pub patches: Vec<(Bytes, Option<u64>)>,
    pub renewals: usize,
    held: Vec<(Vec<D2cMessage>, oneshot::Sender<D2cReply>)>,
}

#[derive(Default)]
pub struct State {
    pub identities: BTreeMap<String, Identity>,
    pub telemetry: Telemetry,
    pub connects: usize,
}

/// See the module.
#[derive(Clone, Default)]
pub struct Owners {
    state: Arc<Mutex<State>>,
    /// Rung whenever something changed.
    changed: Arc<Notify>,
    sessions: Arc<Mutex<u64>>,
}

impl Owners {
    /// Looks at, or changes, an identity such as `dev1` or `dev1/mod1`.
    pub fn with<T>(&self, id: &str, f: impl FnOnce(&mut Identity) -> T) -> T {
        let mut state = self.state.lock();
        f(state.identities.entry(id.to_owned()).or_default())
    }

    pub fn state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock())
    }

    /// Waits until something is so.
    pub async fn until(&self, id: &str, wanted: impl Fn(&Identity) -> bool) {
        loop {
            let changed = self.changed.notified();
            if self.with(id, |identity| wanted(identity)) {
                return;
            }
            changed.await;
        }
    }

    pub fn push(&self, id: &str, push: Push) -> bool {
        let sink = self.with(id, |identity| identity.sink.clone()).expect("a live session");
        sink.push(push)
    }

    pub fn close(&self, id: &str, reason: CloseReason) {
        self.with(id, |identity| identity.sink.take()).expect("a live session").close(reason);
    }

    /// Puts a message into the queue; it goes out when there is credit. Its number.
    pub fn send(&self, id: &str, message: C2dMessage) -> u64 {
        let number = self.with(id, |identity| {
            let number =
                1 + (identity.queue.len() + identity.locked.len() + identity.settled.len()) as u64;
            identity.queue.push_back(Delivery {
                sequence: number,
                lock: LockToken([0; 16]),
                locked_until: UnixMs(0),
                delivery_count: 0,
                sent_before: false,
                enqueued: UnixMs(1000),
                expires: UnixMs(u64::MAX),
                message,
            });
            number
        });
        self.deliver(id);
        number
    }

    /// What the owner does whenever credit or the queue changes.
    fn deliver(&self, id: &str) {
        loop {
            let found = self.with(id, |identity| {
                if identity.credit == 0 || !identity.features.c2d {
                    return None;
                }
                let sink = identity.sink.clone()?;
                let mut delivery = identity.queue.pop_front()?;
                delivery.lock = LockToken(rand::random());
                identity.credit -= 1;
                identity.locked.push(delivery.clone());
                Some((sink, delivery))
            });
            let Some((sink, delivery)) = found else { return };
            sink.push(Push::C2d(vec![delivery]));
        }
    }

    /// Forgets all locks, as if their time was over.
    pub fn lapse(&self, id: &str) {
        self.with(id, |identity| {
            let locked = std::mem::take(&mut identity.locked);
            locked.into_iter().rev().for_each(|delivery| identity.queue.push_front(delivery));
        });
    }

    /// Stores the telemetry that is held.
    pub fn store_held(&self, id: &str) {
        let held = self.with(id, |identity| std::mem::take(&mut identity.held));
        for (messages, reply) in held {
            self.with(id, |identity| identity.stored.extend(messages));
            let _ = reply.send(Ok(()));
        }
        self.changed.notify_waiters();
    }

    fn check(identity: &IdentityId, credentials: &Credentials) -> Result<Connected, HubError> {
        let id = identity.to_string();
        let (device, module) = (identity.device.as_str(), identity.module.as_ref());
        if device == "off" {
            return Err(HubError::DeviceDisabled(id));
        }
        if device == "cert" {
            let shown = credentials.certificate.as_ref().and_then(|c| c.common_name.as_deref());
            if shown != Some(device) {
                return Err(HubError::Unauthorized("no such certificate".into()));
            }
            let auth = AuthMethod { scope: AuthScope::Device, kind: AuthType::X509 };
            return Ok(Connected { auth, token_expires: None, resumed: None });
        }
        let number = device.strip_prefix("dev").and_then(|n| n.parse::<u32>().ok());
        if number.is_none() {
            return Err(HubError::DeviceNotFound(id));
        }
        if module.is_some_and(|module| *module != ModuleId::new("mod1").unwrap()) {
            return Err(HubError::ModuleNotFound(id));
        }
        let token = credentials.token.as_deref();
        let token = token.ok_or_else(|| HubError::Unauthorized("no token".into()))?;
        let keys = SymmetricKeys { primary: KEY.into(), secondary: KEY.into() };
        let policies = PolicySet::defaults(|| KEY.to_owned());
        let device: &DeviceId = &identity.device;
        let (auth, expires) = authenticate_device(
            &SasToken::parse(token)?,
            HOST,
            device,
            module,
            &keys,
            &policies,
            wall_clock(),
        )?;
        Ok(Connected { auth, token_expires: Some(expires), resumed: None })
    }
}

impl DeviceOwners for Owners {
    fn authenticate(
        &self,
        identity: IdentityId,
        credentials: Credentials,
    ) -> LocalBoxFuture<'static, Result<Connected, HubError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Self::check(&identity, &credentials)
        })
    }

    fn connect(
        &self,
        request: ConnectRequest,
    ) -> LocalBoxFuture<'static, Result<Box<dyn LiveSession>, HubError>> {
        let owners = self.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            let connected = Self::check(&request.identity, &request.credentials)?;
            let id = request.identity.to_string();
            let number = {
                let mut sessions = owners.sessions.lock();
                *sessions += 1;
                *sessions
            };
            let older = owners.with(&id, |identity| {
                identity.session = number;
                identity.features = Features::default();
                identity.credit = 0;
                identity.model_id = request.model_id.clone();
                identity.sink.replace(request.sink.clone())
            });
            owners.state(|state| state.connects += 1);
            if let Some(older) = older {
                older.close(CloseReason::TakenOver);
            }
            owners.changed.notify_waiters();
            Ok(Box::new(Live { owners, id, number, connected }) as Box<dyn LiveSession>)
        })
    }
}

struct Live {
    owners: Owners,
    id: String,
    number: u64,
    connected: Connected,
}

impl Live {
    fn change<T>(&self, f: impl FnOnce(&mut Identity) -> T) -> T {
        let changed = self.owners.with(&self.id, f);
        self.owners.changed.notify_waiters();
        changed
    }
}

fn answered<T>(answer: Result<T, HubError>) -> Pending<T> {
    let (sender, receiver) = oneshot::channel();
    let _ = sender.send(answer);
    receiver
}

impl LiveSession for Live {
    fn info(&self) -> &Connected {
        &self.connected
    }

    fn send_d2c(
        &self,
        messages: Vec<D2cMessage>,
    ) -> Result<oneshot::Receiver<D2cReply>, (HubError, Vec<D2cMessage>)> {
        let (sender, receiver) = oneshot::channel();
        let telemetry = self.owners.state(|state| match &mut state.telemetry {
            Telemetry::Busy(0) => Telemetry::Stored,
            Telemetry::Busy(left) => {
                *left -= 1;
                Telemetry::Busy(*left)
            }
            other => other.clone(),
        });
        match telemetry {
            Telemetry::Busy(_) => return Err((HubError::Busy, messages)),
            Telemetry::Refused(error) => _ = sender.send(Err(error)),
            Telemetry::Held => self.change(|identity| identity.held.push((messages, sender))),
            Telemetry::Stored => {
                self.change(|identity| {
                    identity.batches += 1;
                    identity.stored.extend(messages);
                });
                let _ = sender.send(Ok(()));
            }
        }
        Ok(receiver)
    }

    fn set_features(&self, features: Features) {
        self.change(|identity| identity.features = features);
        self.owners.deliver(&self.id);
    }

    fn saw_desired(&self, version: u64) {
        self.change(|identity| identity.seen.push(version));
    }

    fn add_c2d_credit(&self, more: u32) {
        self.change(|identity| identity.credit += more);
        self.owners.deliver(&self.id);
    }

    fn clear_c2d_credit(&self) {
        self.change(|identity| identity.credit = 0);
    }

    fn settle_c2d(&self, lock: LockToken, how: Settlement) -> Result<Pending<()>, HubError> {
        let result = self.change(|identity| {
            let at = identity.locked.iter().position(|delivery| delivery.lock == lock);
            let delivery = identity.locked.remove(at.ok_or(HubError::LockLost)?);
            identity.settled.push((delivery.sequence, how));
            Ok(())
        });
        Ok(answered(result))
    }

    fn release_c2d(&self) {
        self.owners.lapse(&self.id);
        self.owners.changed.notify_waiters();
    }

    fn twin(&self) -> Result<Pending<DeviceTwin>, HubError> {
        let body = Bytes::from_static(br#"{"desired":{"$version":3},"reported":{"$version":7}}"#);
        Ok(answered(Ok(DeviceTwin { desired_version: 3, body })))
    }

    fn patch_reported(
        &self,
        patch: Bytes,
        if_version: Option<u64>,
    ) -> Result<Pending<u64>, HubError> {
        let version = self.change(|identity| {
            identity.patches.push((patch.clone(), if_version));
            identity.patches.len() as u64
        });
        Ok(answered(match &patch[..] {
            b"[]" => Err(HubError::InvalidArgument("not an object".into())),
            _ if if_version == Some(99) => {
                Err(HubError::PreconditionFailed { current: version.to_string() })
            }
            _ => Ok(version),
        }))
    }

    fn answer_method(&self, id: u32, answer: MethodAnswer) {
        self.change(|identity| identity.answers.push((id, answer)));
    }

    fn renew(&self, credentials: Credentials) -> Result<Pending<Connected>, HubError> {
        assert!(credentials.token.is_some());
        self.change(|identity| identity.renewals += 1);
        Ok(answered(Ok(self.connected.clone())))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let number = self.number;
        self.change(|identity| {
            if identity.session == number {
                identity.sink = None;
                identity.features = Features::default();
                identity.credit = 0;
            }
        });
        self.owners.lapse(&self.id);
    }
}
