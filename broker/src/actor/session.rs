//! Sessions: at most one live one for each identity. A newer one takes over, an identity that no longer allows it ends it.

use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::c2d::Holder;
use ironhub_domain::device::StoredSession;
use ironhub_domain::event::{AuthMethod, D2cMessage, MessageSource, Origin};
use ironhub_domain::ids::ModuleId;
use ironhub_domain::partition::Command;
use tokio::sync::oneshot;

use super::c2d::Pump;
use super::call::{Admitted, Reply, SessionKey};
use super::control::Control;
use super::device::{Ctx, DeviceActor, now};
use super::events;
use super::handle::DeviceHandle;
use super::in_flight::Admission;
use super::method::Calls;
use super::proof::{Proof, Proven, prove};
use super::session_handle::SessionHandle;
use crate::metrics::device as meters;
use crate::partition::records;
use crate::router::request::{
    CloseReason, ConnectRequest, Connected, Credentials, D2cReply, Features, SessionSink,
    SessionStart,
};

/// The one session of an identity whose messages are accepted.
pub(super) struct Live {
    pub(super) sink: Arc<dyn SessionSink>,
    pub(super) origin: Origin,
    pub(super) proof: Proof,
    pub(super) features: Features,
    /// Of the messages that are locked for it.
    pub(super) holder: Holder,
    /// Since it first wanted C2D messages.
    pub(super) c2d: Option<Box<Pump>>,
    /// Since the first call of a method.
    pub(super) calls: Option<Box<Calls>>,
    /// The newest desired `$version` that the session was told of, since it wants to be.
    pub(super) desired_told: u64,
}

impl DeviceActor {
    pub(super) fn connect(
        &mut self,
        request: Box<ConnectRequest>,
        handle: DeviceHandle,
        reply: Reply<Admitted>,
        ctx: &mut Ctx,
    ) {
        let module = request.identity.module.as_ref();
        let stored = || match request.start {
            SessionStart::None => Ok(None),
            SessionStart::Resume | SessionStart::Clean => self.load_session(module),
        };
        let admitted = self
            .prove(module, &request.credentials)
            .and_then(|(proven, generation)| Ok((proven, generation, stored()?)));
        match admitted {
            Err(error) => drop(reply.send(Err(error))),
            Ok((proven, generation, Some(_))) if request.start == SessionStart::Clean => {
                let identity = request.identity.clone();
                let forget = Command::PutSession { identity, session: None };
                self.change(&forget, ctx, move |actor, outcome, ctx| {
                    let opened = outcome
                        .map(|_| actor.open(*request, handle, proven, generation, None, ctx));
                    let _ = reply.send(opened);
                });
            }
            Ok((proven, generation, stored)) => {
                let _ =
                    reply.send(Ok(self.open(*request, handle, proven, generation, stored, ctx)));
            }
        }
    }

    fn open(
        &mut self,
        request: ConnectRequest,
        handle: DeviceHandle,
        proven: Proven,
        generation: String,
        resumed: Option<StoredSession>,
        ctx: &mut Ctx,
    ) -> Admitted {
        let (module, model_id) = (request.identity.module, request.model_id.clone());
        let key = SessionKey { module: module.clone(), number: self.owner.facts().next_session() };
        let live = Box::new(Live {
            sink: request.sink,
            origin: Origin {
                device: self.id.clone(),
                module: module.clone(),
                generation,
                auth: proven.auth,
                model_id: request.model_id.clone(),
                source: MessageSource::Telemetry,
            },
            proof: proven.proof,
            features: Features::default(),
            holder: match request.start {
                SessionStart::None | SessionStart::Clean => Holder::Session,
                SessionStart::Resume => Holder::StoredSession,
            },
            c2d: None,
            calls: None,
            desired_told: 0,
        });
        if let Some(older) = self.sessions.connect(module.clone(), key.number, live) {
            self.ended(module.as_ref(), *older, Some(CloseReason::TakenOver), ctx);
        }
        self.note_connection(module.as_ref(), true, "connected", model_id, ctx);
        meters::session_opened(request.protocol);
        let connected = Connected { auth: proven.auth, token_expires: proven.expires, resumed };
        Admitted { session: SessionHandle::new(handle, key), connected }
    }

    /// Whether the credentials let their bearer act as the identity now; what was proved, and the identity's generation.
    fn prove(
        &self,
        module: Option<&ModuleId>,
        credentials: &Credentials,
    ) -> Result<(Proven, String), HubError> {
        let device = self.registered()?;
        let loaded = module.map(|module| self.load_module(module)).transpose()?;
        let (registered, generation) = match &loaded {
            Some(module) => (&module.authentication, &module.generation),
            None => (&device.authentication, &device.generation),
        };
        let identity = self.identity_id(module);
        let proven = prove(self.owner.facts(), &identity, registered, credentials, now())?;
        self.check_enabled()?;
        Ok((proven, generation.clone()))
    }

    fn check_enabled(&self) -> Result<(), HubError> {
        match self.registered()?.is_enabled() {
            true => Ok(()),
            false => Err(HubError::DeviceDisabled(self.id.to_string())),
        }
    }

    /// Whether the identity is registered and may do anything at all now.
    pub(super) fn check_may_act(&self, module: Option<&ModuleId>) -> Result<(), HubError> {
        self.check_enabled()?;
        self.check_registered(module)
    }

    pub(super) fn authenticate(
        &self,
        module: Option<ModuleId>,
        credentials: &Credentials,
    ) -> Result<Connected, HubError> {
        let (proven, _) = self.prove(module.as_ref(), credentials)?;
        Ok(Connected { auth: proven.auth, token_expires: proven.expires, resumed: None })
    }

    pub(super) fn renew(
        &mut self,
        session: &SessionKey,
        credentials: &Credentials,
    ) -> Result<Connected, HubError> {
        let module = session.module.as_ref();
        let (proven, _) = self.prove(module, credentials)?;
        let live = self.sessions.live_mut(module, session.number).ok_or(HubError::SessionFenced)?;
        live.proof = proven.proof;
        live.origin.auth = proven.auth;
        Ok(Connected { auth: proven.auth, token_expires: proven.expires, resumed: None })
    }

    /// What a session says of itself. One that is fenced has nothing to say.
    pub(super) fn control(&mut self, session: &SessionKey, control: Control, ctx: &mut Ctx) {
        let Control { clear_credit, release, features, credit, seen, answers, end } = control;
        let module = session.module.as_ref();
        let Some(live) = self.sessions.live_mut(module, session.number) else { return };
        let methods_payload_max = self.owner.facts().settings.method_payload_bytes_max;
        for (id, answer) in answers {
            live.answer(id, answer, methods_payload_max);
        }
        if let Some(version) = seen {
            self.see_desired(module, version);
        }
        if end {
            if let Some(live) = self.sessions.end(module, session.number) {
                self.ended(module, *live, None, ctx);
            }
            return;
        }
        let Some(live) = self.sessions.live_mut(module, session.number) else { return };
        if clear_credit && let Some(pump) = &mut live.c2d {
            pump.clear_credit();
        }
        if credit > 0 {
            live.c2d.get_or_insert_default().add_credit(credit);
        }
        if release && live.c2d.as_ref().is_some_and(|pump| pump.may_hold()) {
            self.release_c2d(session.module.clone(), ctx);
        }
        if let Some(features) = features {
            self.set_features(session, features, ctx);
        }
        self.pump(module, ctx);
    }

    fn set_features(&mut self, session: &SessionKey, features: Features, ctx: &mut Ctx) {
        let module = session.module.as_ref();
        let Some(live) = self.sessions.live_mut(module, session.number) else { return };
        let before = std::mem::replace(&mut live.features, features);
        if features.c2d {
            live.c2d.get_or_insert_default();
        }
        if features.methods && !before.methods {
            self.dispatch_waiting(module, ctx);
        }
        if features.desired && !before.desired {
            self.tell_missed(module, ctx);
        }
    }

    /// Fences the live session of an identity, if there is one: from here on nothing it sends is accepted.
    pub(super) fn close_session(
        &mut self,
        module: Option<&ModuleId>,
        reason: CloseReason,
        ctx: &mut Ctx,
    ) {
        let number = self.sessions.current(module).map(|(number, _)| number);
        if let Some(live) = number.and_then(|number| self.sessions.end(module, number)) {
            self.ended(module, *live, Some(reason), ctx);
        }
    }

    /// Closes the sessions of the device and its modules.
    pub(super) fn close_sessions(&mut self, reason: CloseReason, ctx: &mut Ctx) {
        let identities: Vec<_> = self.sessions.identities().map(Option::<&_>::cloned).collect();
        for module in identities {
            self.close_session(module.as_ref(), reason, ctx);
        }
    }

    /// What follows the end of a session; its calls under way end with it.
    fn ended(
        &mut self,
        module: Option<&ModuleId>,
        live: Live,
        reason: Option<CloseReason>,
        ctx: &mut Ctx,
    ) {
        if let Some(reason) = reason {
            live.sink.close(reason);
        }
        // With the identity its presence is gone.
        if reason != Some(CloseReason::Deleted) {
            let model_id = live.origin.model_id.clone();
            self.note_connection(module, false, events::reason(reason), model_id, ctx);
        } else {
            self.tell_disconnected(module);
        }
        meters::session_closed();
        if reason == Some(CloseReason::TakenOver) {
            meters::takeover();
        }
        // With the identity its queue is gone.
        if reason != Some(CloseReason::Deleted) && live.c2d.is_some_and(|pump| pump.may_hold()) {
            self.release_c2d(module.cloned(), ctx);
        }
    }

    pub(super) fn send_d2c(
        &mut self,
        session: &SessionKey,
        messages: &[D2cMessage],
        place: Admission,
        reply: oneshot::Sender<D2cReply>,
        ctx: &mut Ctx,
    ) {
        let module = session.module.as_ref();
        let Some(live) = self.sessions.live(module, session.number) else {
            let _ = reply.send(Err(HubError::SessionFenced));
            return;
        };
        if let Some(error) = messages.iter().find_map(|message| message.validate().err()) {
            meters::d2c_refused(messages.len() as u64, &error);
            let _ = reply.send(Err(error));
            return;
        }
        self.owner.append(&live.origin, messages, Some(place), reply);
        self.note_activity(session.module.as_ref(), ctx);
    }

    /// Stores what comes without a session: a request's messages, or last words.
    pub(super) fn store_d2c(
        &mut self,
        module: Option<ModuleId>,
        auth: AuthMethod,
        model_id: Option<String>,
        messages: &[D2cMessage],
        reply: oneshot::Sender<D2cReply>,
        ctx: &mut Ctx,
    ) {
        let generation = self.check_enabled().and_then(|()| match &module {
            Some(module) => self.load_module(module).map(|module| module.generation),
            None => self.registered().map(|device| device.generation.clone()),
        });
        let checked = generation.and_then(|generation| {
            messages.iter().try_for_each(D2cMessage::validate).map(|()| generation)
        });
        match checked {
            Ok(generation) => {
                self.note_activity(module.as_ref(), ctx);
                let device = self.id.clone();
                let source = MessageSource::Telemetry;
                let origin = Origin { device, module, generation, auth, model_id, source };
                self.owner.append(&origin, messages, None, reply);
            }
            Err(error) => {
                meters::d2c_refused(messages.len() as u64, &error);
                let _ = reply.send(Err(error));
            }
        }
    }

    fn load_session(&self, module: Option<&ModuleId>) -> Result<Option<StoredSession>, HubError> {
        let identity = self.identity_id(module);
        self.owner.read(|store, group| records::session(store, group, &identity))
    }

    pub(super) fn store_session(
        &mut self,
        module: Option<ModuleId>,
        stored: StoredSession,
        reply: Reply<()>,
        ctx: &mut Ctx,
    ) {
        match self.load_session(module.as_ref()) {
            Err(error) => drop(reply.send(Err(error))),
            Ok(Some(known)) if known == stored => drop(reply.send(Ok(()))),
            Ok(_) => {
                let identity = self.identity_id(module.as_ref());
                let put = Command::PutSession { identity, session: Some(stored) };
                self.change(&put, ctx, move |_, outcome, _| {
                    let _ = reply.send(outcome.map(|_| ()));
                });
            }
        }
    }
}
