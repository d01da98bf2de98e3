//! The device actor: a thin shell that puts everything about one device into one order.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::fut::wrap_future;
use actix::prelude::*;
use ironhub_domain::HubError;
use ironhub_domain::auth::{SasToken, SymmetricKeys, authenticate_device};
use ironhub_domain::device::DeviceIdentity;
use ironhub_domain::event::{AuthMethod, AuthType, D2cMessage, Origin};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::partition::{Command, Outcome};
use ironhub_domain::time::UnixMs;
use tokio::sync::oneshot;

use super::call::{Admitted, Call, Reply, SessionId};
use super::in_flight::Admission;
use super::owner::{NodeFacts, Owner};
use crate::metrics::device as meters;
use crate::router::request::{
    CloseReason, ConnectRequest, Connected, D2cReply, DeviceView, SessionSink,
};

/// The one session whose messages are accepted.
struct Live {
    id: SessionId,
    sink: Arc<dyn SessionSink>,
    origin: Origin,
    /// Which of the identity's keys signed its token, as a hash; `None` if a policy's did.
    key: Option<u64>,
}

/// One active device.
pub(super) struct DeviceActor {
    id: DeviceId,
    owner: Arc<Owner>,
    identity: Option<Box<DeviceIdentity>>,
    live: Option<Box<Live>>,
    last_activity: UnixMs,
    connection_updated: UnixMs,
}

impl Actor for DeviceActor {
    type Context = Context<Self>;
}

impl Handler<Call> for DeviceActor {
    type Result = ();

    fn handle(&mut self, call: Call, ctx: &mut Self::Context) {
        // A caller that no longer waits for its answer is not an error, hence the ignored sends.
        match call {
            Call::Connect { request, reply } => drop(reply.send(self.connect(*request))),
            Call::SendD2c { session, messages, place, reply } => {
                self.send_d2c(session, &messages, place, reply);
            }
            Call::Will { auth, model_id, message, reply } => {
                self.will(auth, model_id, *message, reply)
            }
            Call::Disconnect { session } => self.disconnect(session),
            Call::View { reply } => drop(reply.send(self.view())),
            Call::Put { put, reply } => self.put(Command::PutDevice(put), reply, ctx),
            Call::Delete { precondition, reply } => {
                self.delete(
                    Command::DeleteDevice { id: self.id.clone(), precondition },
                    reply,
                    ctx,
                );
            }
            Call::CloseSession { reason } => self.close_session(reason),
        }
    }
}

impl DeviceActor {
    pub(super) fn new(id: DeviceId, owner: Arc<Owner>, identity: Option<DeviceIdentity>) -> Self {
        Self {
            id,
            owner,
            identity: identity.map(Box::new),
            live: None,
            last_activity: UnixMs::default(),
            connection_updated: UnixMs::default(),
        }
    }

    fn registered(&self) -> Result<&DeviceIdentity, HubError> {
        self.identity.as_deref().ok_or_else(|| HubError::DeviceNotFound(self.id.to_string()))
    }

    fn connect(&mut self, request: ConnectRequest) -> Result<Admitted, HubError> {
        let facts = self.owner.facts();
        let identity = self.registered()?;
        if request.identity.module.is_some() {
            return Err(HubError::ModuleNotFound(request.identity.to_string()));
        }
        let token = request.credentials.token.as_deref().ok_or_else(|| {
            HubError::Unauthorized(
                "no token; client certificates are not supported by this version".into(),
            )
        })?;
        let token = SasToken::parse(token)?;
        let (policies, now) = (facts.policies.load(), NodeFacts::now());
        let keys = identity.keys();
        let verify = |keys: &SymmetricKeys| {
            authenticate_device(&token, &facts.hub_host, &self.id, None, keys, &policies, now)
        };
        let (auth, expires) = verify(&keys)?;
        if !identity.is_enabled() {
            return Err(HubError::DeviceDisabled(self.id.to_string()));
        }
        let key = (auth.kind == AuthType::SymmetricKey).then(|| {
            let primary =
                SymmetricKeys { primary: keys.primary.clone(), secondary: keys.primary.clone() };
            key_hash(if verify(&primary).is_ok() { &keys.primary } else { &keys.secondary })
        });
        let origin = self.origin(identity, auth, request.model_id);
        self.close_session(CloseReason::TakenOver);
        let session = self.owner.next_session();
        self.live = Some(Box::new(Live { id: session, sink: request.sink, origin, key }));
        self.last_activity = now;
        self.connection_updated = now;
        meters::session_opened(request.protocol);
        Ok(Admitted { session, connected: Connected { auth, token_expires: Some(expires), resumed: None } })
    }

    fn origin(
        &self,
        identity: &DeviceIdentity,
        auth: AuthMethod,
        model_id: Option<String>,
    ) -> Origin {
        Origin {
            device: self.id.clone(),
            module: None,
            generation: identity.generation.clone(),
            auth,
            model_id,
        }
    }

    fn send_d2c(
        &mut self,
        session: SessionId,
        messages: &[D2cMessage],
        place: Admission,
        reply: oneshot::Sender<D2cReply>,
    ) {
        let Some(live) = self.live.as_ref().filter(|live| live.id == session) else {
            let _ = reply.send(Err(HubError::SessionFenced));
            return;
        };
        if let Some(error) = messages.iter().find_map(|message| message.validate().err()) {
            meters::d2c_refused(messages.len() as u64, &error);
            let _ = reply.send(Err(error));
            return;
        }
        self.last_activity = NodeFacts::now();
        self.owner.append(&live.origin, messages, Some(place), reply);
    }

    fn will(
        &mut self,
        auth: AuthMethod,
        model_id: Option<String>,
        message: D2cMessage,
        reply: oneshot::Sender<D2cReply>,
    ) {
        let refused = match self.registered() {
            Ok(identity) if !identity.is_enabled() => {
                Some(HubError::DeviceDisabled(self.id.to_string()))
            }
            Ok(_) => message.validate().err(),
            Err(error) => Some(error),
        };
        match (refused, &self.identity) {
            (None, Some(identity)) => {
                let origin = self.origin(identity, auth, model_id);
                self.owner.append(&origin, &[message], None, reply);
            }
            (Some(error), _) => drop(reply.send(Err(error))),
            (None, None) => drop(reply.send(Err(HubError::DeviceNotFound(self.id.to_string())))),
        }
    }

    fn disconnect(&mut self, session: SessionId) {
        if self.live.as_ref().is_some_and(|live| live.id == session) {
            self.live = None;
            self.connection_updated = NodeFacts::now();
            meters::session_closed();
        }
    }

    /// Fences the live session: from here on nothing it sends is accepted.
    fn close_session(&mut self, reason: CloseReason) {
        if let Some(live) = self.live.take() {
            live.sink.close(reason);
            self.connection_updated = NodeFacts::now();
            meters::session_closed();
            if reason == CloseReason::TakenOver {
                meters::takeover();
            }
        }
    }

    fn view(&self) -> Result<DeviceView, HubError> {
        Ok(DeviceView {
            identity: self.registered()?.clone(),
            connected: self.live.is_some(),
            last_activity: self.last_activity,
            connection_updated: self.connection_updated,
            c2d_count: 0,
        })
    }

    /// Proposes a change of the identity. The mailbox waits until it is applied, so that nothing which depends on the
    /// identity is ordered after the change but decided by the state before it (design.md 10, invariant 6).
    fn put(&mut self, command: Command, reply: Reply<DeviceView>, ctx: &mut Context<Self>) {
        self.change(command, ctx, move |actor, outcome| {
            let answer = outcome.and_then(|outcome| match outcome {
                Outcome::Device(identity) => {
                    actor.adopt(identity);
                    actor.view()
                }
                other => Err(HubError::Internal(format!(
                    "unexpected outcome of an identity change: {other:?}"
                ))),
            });
            let _ = reply.send(answer);
        });
    }

    fn delete(&mut self, command: Command, reply: Reply<()>, ctx: &mut Context<Self>) {
        self.change(command, ctx, move |actor, outcome| {
            let answer = outcome.map(|_| {
                actor.identity = None;
                actor.close_session(CloseReason::Deleted);
            });
            let _ = reply.send(answer);
        });
    }

    fn change(
        &mut self,
        command: Command,
        ctx: &mut Context<Self>,
        done: impl FnOnce(&mut Self, Result<Outcome, HubError>) + 'static,
    ) {
        let owner = self.owner.clone();
        let outcome = async move { owner.change(&command).await };
        ctx.wait(wrap_future(outcome).map(move |outcome, actor: &mut Self, _| {
            if matches!(outcome, Err(HubError::OutcomeUnknown)) {
                // It may have been applied all the same: what the records say counts from here on.
                actor.reload();
            }
            done(actor, outcome);
        }));
    }

    fn reload(&mut self) {
        match self.owner.load_identity(&self.id) {
            Ok(Some(identity)) => self.adopt(Box::new(identity)),
            Ok(None) => {
                self.identity = None;
                self.close_session(CloseReason::Deleted);
            }
            Err(error) => tracing::error!(%error, "identity cannot be read"),
        }
    }

    /// Takes the applied identity and closes a session that it no longer allows.
    fn adopt(&mut self, identity: Box<DeviceIdentity>) {
        let closed = self.live.as_ref().and_then(|live| {
            if !identity.is_enabled() {
                return Some(CloseReason::Disabled);
            }
            let keys = identity.keys();
            let stale = |key| key != key_hash(&keys.primary) && key != key_hash(&keys.secondary);
            live.key.is_some_and(stale).then_some(CloseReason::Rekeyed)
        });
        self.identity = Some(identity);
        if let Some(reason) = closed {
            self.close_session(reason);
        }
    }
}

impl Drop for DeviceActor {
    fn drop(&mut self) {
        // Only at shutdown: a live session holds a handle, so its actor is never passivated.
        if self.live.is_some() && !self.owner.facts().stopping.load(Ordering::Relaxed) {
            meters::session_closed();
        }
    }
}

/// Tells keys apart without keeping another copy of one.
fn key_hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
