//! Direct methods: sent to the session that is live at that moment, answered once or not at all (device-protocols.md 7.5).
//!
//! Nothing here is replicated, and nothing keeps a time: a caller that gave up has dropped its end of the channel.

use std::collections::VecDeque;

use ironhub_domain::HubError;
use ironhub_domain::ids::ModuleId;
use ironhub_domain::limits::METHODS_IN_FLIGHT_MAX;
use ironhub_domain::method::{MethodAnswer, MethodCall};
use tokio::sync::oneshot;

use super::call::Reply;
use super::device::{Ctx, DeviceActor};
use super::session::Live;
use crate::metrics::device as meters;
use crate::router::request::{CloseReason, MethodRequest, Push};

/// The answer to a call that is on its way to the device; closed if its session ends before it answers.
pub(super) type Dispatched = oneshot::Receiver<Result<MethodAnswer, HubError>>;

/// The calls that a session has not answered.
#[derive(Default)]
pub(super) struct Calls {
    /// The id of the last one.
    last: u32,
    waiting: Vec<(u32, Reply<MethodAnswer>)>,
}

/// A call whose identity is not online.
pub(super) struct Waiter {
    call: MethodCall,
    reply: Reply<Dispatched>,
}

/// The calls that wait for an identity to come online.
pub(super) type Waiters = VecDeque<Waiter>;

impl Waiter {
    pub(super) fn refuse(self, error: HubError) {
        let _ = self.reply.send(Err(error));
    }
}

impl Calls {
    /// Calls whose callers still wait.
    fn open(&mut self) -> usize {
        self.waiting.retain(|(_, reply)| !reply.is_closed());
        self.waiting.len()
    }
}

impl Live {
    /// Hands the device's answer to whoever waits for it; nobody may.
    pub(super) fn answer(&mut self, id: u32, answer: MethodAnswer, payload_max: usize) {
        let Some(calls) = &mut self.calls else { return };
        let Some(place) = calls.waiting.iter().position(|(waiting, _)| *waiting == id) else {
            return;
        };
        let (_, reply) = calls.waiting.swap_remove(place);
        let size = answer.payload.len();
        let answer = match size > payload_max {
            true => Err(HubError::MessageTooLarge { size, max: payload_max }),
            false => Ok(answer),
        };
        meters::method_answered();
        let _ = reply.send(answer);
    }

    /// Sends a call to the device; `false` if the session cannot take it.
    fn dispatch(&mut self, call: MethodCall, reply: Reply<Dispatched>) -> bool {
        let (answered, dispatched) = oneshot::channel();
        // Before the device gets it: for a caller that has given up, it must not run.
        if reply.send(Ok(dispatched)).is_err() {
            return true;
        }
        let calls = self.calls.get_or_insert_default();
        calls.last = calls.last.wrapping_add(1);
        calls.waiting.push((calls.last, answered));
        meters::method_dispatched();
        let MethodCall { name, payload, .. } = call;
        self.sink.push(Push::Method(MethodRequest { id: calls.last, name, payload }))
    }
}

impl DeviceActor {
    /// Sends a call to the session that takes methods, or lets it wait for one as long as its caller does.
    pub(super) fn invoke(
        &mut self,
        module: Option<ModuleId>,
        call: MethodCall,
        reply: Reply<Dispatched>,
        ctx: &mut Ctx,
    ) {
        let max = self.owner.facts().settings.method_payload_bytes_max;
        let checked = self
            .check_registered(module.as_ref())
            .and_then(|()| call.validate(max))
            .and_then(|()| match self.methods_open(module.as_ref()) < METHODS_IN_FLIGHT_MAX {
                true => Ok(()),
                false => Err(HubError::TooManyMethods { max: METHODS_IN_FLIGHT_MAX }),
            });
        if let Err(error) = checked {
            let _ = reply.send(Err(error));
            return;
        }
        let online = self.sessions.current_mut(module.as_ref()).map(|(_, live)| live);
        match online.filter(|live| live.features.methods) {
            Some(live) => {
                if !live.dispatch(call, reply) {
                    self.close_session(module.as_ref(), CloseReason::Slow, ctx);
                }
            }
            None if call.connect_timeout.is_zero() => {
                let _ = reply.send(Err(HubError::NotOnline { waited_seconds: 0 }));
            }
            None => {
                let presence = self.presence_mut(module.as_ref());
                presence.waiters.get_or_insert_default().push_back(Waiter { call, reply });
            }
        }
    }

    /// Calls of an identity that are under way or wait.
    fn methods_open(&mut self, module: Option<&ModuleId>) -> usize {
        let live = self.sessions.current_mut(module);
        let sent = live.and_then(|(_, live)| live.calls.as_deref_mut()).map_or(0, Calls::open);
        let waiting = self.presence_mut(module).waiters.as_deref_mut().map_or(0, |waiters| {
            waiters.retain(|waiter| !waiter.reply.is_closed());
            waiters.len()
        });
        sent + waiting
    }

    /// The identity is online for methods now.
    pub(super) fn dispatch_waiting(&mut self, module: Option<&ModuleId>, ctx: &mut Ctx) {
        let Some(mut waiters) = self.presence_mut(module).waiters.take() else { return };
        let live = self.sessions.current_mut(module).map(|(_, live)| live);
        let all_taken = live.is_some_and(|live| {
            std::iter::from_fn(|| waiters.pop_front())
                .all(|waiter| live.dispatch(waiter.call, waiter.reply))
        });
        if all_taken {
            return;
        }
        // The call that the session could not take fails with it; those behind wait for the next session.
        if !waiters.is_empty() {
            self.presence_mut(module).waiters = Some(waiters);
        }
        self.close_session(module, CloseReason::Slow, ctx);
    }

    /// The identity is gone: nobody needs to wait for it.
    pub(super) fn refuse_waiting(&mut self, module: Option<&ModuleId>, error: &HubError) {
        for waiter in self.presence_mut(module).waiters.take().into_iter().flat_map(|w| *w) {
            waiter.refuse(error.clone());
        }
    }
}
