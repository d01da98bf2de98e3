//! The way of cloud-to-device messages: into the queue, locked to whoever receives, settled or returned
//! (device-protocols.md 7.4).
//!
//! The queue itself is a record, and its rules are the domain's. What happens here is when a command is proposed. Commands of one
//! device are applied in the order in which they are proposed, which is what makes it safe to propose a lock while an older
//! session's locks are still on their way back.

use std::time::Duration;

use actix::AsyncContext;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{self, C2dMessage, Delivery, Holder, LockToken, Settlement};
use ironhub_domain::ids::ModuleId;
use ironhub_domain::partition::{Command, EnqueueC2d, Outcome};
use ironhub_domain::time::UnixMs;

use super::call::Reply;
use super::device::{Ctx, DeviceActor, now};
use super::owner::unexpected;
use crate::metrics::device as meters;
use crate::partition::records;
use crate::router::request::{CloseReason, Push};

/// Messages that one command locks: the window of an MQTT session.
const LOCKS_AT_ONCE: usize = 16;
/// When a command that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What flows from the queue to one session.
#[derive(Debug, Default)]
pub(super) struct Pump {
    credit: u32,
    /// Credit set aside for the lock command under way.
    reserved: u32,
    /// Deliveries that the session has not settled, at most: a lock may have lapsed.
    held: u32,
    /// A lock or release command is under way; its number.
    under_way: Option<u64>,
    /// Of the last command.
    commands: u64,
    /// Something changed while a command was under way.
    again: bool,
    /// Nothing is locked by a session that is gone.
    cleared: bool,
    /// A timer will try again.
    retrying: bool,
}

impl Pump {
    pub(super) fn add_credit(&mut self, more: u32) {
        self.credit = self.credit.saturating_add(more);
    }

    /// What a lock command asked for already still comes.
    pub(super) fn clear_credit(&mut self) {
        self.credit = 0;
        self.reserved = 0;
    }

    /// Whether messages may be locked for the session.
    pub(super) fn may_hold(&self) -> bool {
        self.held > 0 || self.under_way.is_some()
    }

    /// Begins a command; the outcome of an earlier one is none of the session's business any more.
    fn begin(&mut self) -> u64 {
        self.commands += 1;
        self.under_way = Some(self.commands);
        self.again = false;
        self.commands
    }
}

impl DeviceActor {
    /// Locks what the session can take, if there is anything. To be called after everything that may have put a message
    /// into the queue, or made it free, or let the session take more.
    pub(super) fn pump(&mut self, module: Option<&ModuleId>, ctx: &mut Ctx) {
        let identity = self.identity_id(module);
        let Some((session, live)) = self.sessions.current_mut(module) else { return };
        let holder = live.holder;
        let Some(pump) = live.c2d.as_deref_mut().filter(|_| live.features.c2d) else { return };
        if pump.under_way.is_some() {
            pump.again = true;
            return;
        }
        if pump.cleared && pump.credit == 0 {
            return;
        }
        let queue =
            match self.owner.read(|store, group| records::c2d_queue(store, group, &identity)) {
                Ok(queue) => queue,
                Err(error) => {
                    tracing::error!(%error, "a queue cannot be read");
                    return self.pump_later(module, ctx);
                }
            };
        let is_stale = |entry: &c2d::Entry| entry.lock.is_some_and(|lock| lock.holder.is_session());
        if !pump.cleared && queue.entries.iter().any(is_stale) {
            // Of a session before this one, perhaps before a restart: it will not settle them.
            return self.release_c2d(module.cloned(), ctx);
        }
        pump.cleared = true;
        let now = now();
        let free = queue.entries.iter().filter(|entry| is_free(entry, now));
        let wanted = LOCKS_AT_ONCE.min(pump.credit as usize);
        let tokens: Vec<LockToken> = free.take(wanted).map(|_| new_token()).collect();
        if tokens.is_empty() {
            return;
        }
        pump.reserved = tokens.len() as u32;
        pump.credit -= pump.reserved;
        let command = pump.begin();
        let lock = Command::LockC2d { identity, tokens, holder, now };
        let module = module.cloned();
        self.propose(&lock, ctx, move |actor, outcome, ctx| {
            actor.locked(module.as_ref(), (session, command), outcome, ctx);
        });
    }

    fn locked(
        &mut self,
        module: Option<&ModuleId>,
        (session, command): (u64, u64),
        outcome: Result<Outcome, HubError>,
        ctx: &mut Ctx,
    ) {
        let Some(live) = self.sessions.live_mut(module, session) else { return };
        let features = live.features;
        let Some(pump) = live.c2d.as_deref_mut().filter(|pump| pump.under_way == Some(command))
        else {
            return;
        };
        pump.under_way = None;
        let (deliveries, failed) = match outcome {
            Ok(Outcome::Locked(deliveries)) => (deliveries, None),
            Ok(other) => (Vec::new(), Some(unexpected(&other))),
            Err(error) => (Vec::new(), Some(error)),
        };
        let count = deliveries.len() as u32;
        pump.credit = pump.credit.saturating_add(pump.reserved.saturating_sub(count));
        pump.reserved = 0;
        pump.held = pump.held.saturating_add(count);
        if let Some(error) = failed {
            tracing::debug!(%error, "messages could not be locked");
            return self.pump_later(module, ctx);
        }
        if deliveries.is_empty() {
            if pump.again {
                self.pump(module, ctx);
            }
            return;
        }
        if !features.c2d {
            return self.release_c2d(module.cloned(), ctx);
        }
        if !live.sink.push(Push::C2d(deliveries)) {
            return self.close_session(module, CloseReason::Slow, ctx);
        }
        meters::c2d_delivered(count);
        self.pump(module, ctx);
    }

    fn pump_later(&mut self, module: Option<&ModuleId>, ctx: &mut Ctx) {
        let Some((_, live)) = self.sessions.current_mut(module) else { return };
        let Some(pump) = live.c2d.as_deref_mut() else { return };
        if std::mem::replace(&mut pump.retrying, true) {
            return;
        }
        let module = module.cloned();
        ctx.run_later(RETRY_AFTER, move |actor, ctx| {
            if let Some((_, live)) = actor.sessions.current_mut(module.as_ref())
                && let Some(pump) = &mut live.c2d
            {
                pump.retrying = false;
            }
            actor.pump(module.as_ref(), ctx);
        });
    }

    /// Returns what sessions of this identity hold locked, counts unchanged. Locks that are still on their way are
    /// returned too, since their command is applied before this one.
    pub(super) fn release_c2d(&mut self, module: Option<ModuleId>, ctx: &mut Ctx) {
        let current = self.sessions.current_mut(module.as_ref());
        let of_session = current.and_then(|(session, live)| {
            let pump = live.c2d.as_deref_mut()?;
            pump.credit = pump.credit.saturating_add(pump.reserved);
            (pump.reserved, pump.held) = (0, 0);
            Some((session, pump.begin()))
        });
        let identity = self.identity_id(module.as_ref());
        self.propose(
            &Command::ReleaseC2d { identity, now: now() },
            ctx,
            move |actor, outcome, ctx| {
                let released = outcome.is_ok();
                if let Err(error) = outcome {
                    tracing::debug!(%error, "locks could not be returned; they will lapse");
                }
                let live = of_session.and_then(|(session, command)| {
                    let live = actor.sessions.live_mut(module.as_ref(), session)?;
                    live.c2d.as_deref_mut().filter(|pump| pump.under_way == Some(command))
                });
                if let Some(pump) = live {
                    pump.under_way = None;
                    pump.cleared = released;
                }
                match released {
                    true => actor.pump(module.as_ref(), ctx),
                    false => actor.pump_later(module.as_ref(), ctx),
                }
            },
        );
    }

    /// Settles a delivery for its session, or for a request.
    pub(super) fn settle_c2d(
        &mut self,
        module: Option<ModuleId>,
        session: Option<u64>,
        lock: LockToken,
        settlement: Settlement,
        reply: Reply<()>,
        ctx: &mut Ctx,
    ) {
        if let Err(error) = self.check_may_act(module.as_ref()) {
            let _ = reply.send(Err(error));
            return;
        }
        let settle = Command::SettleC2d {
            identity: self.identity_id(module.as_ref()),
            lock,
            settlement,
            deliveries_max: self.owner.facts().settings.c2d_deliveries_max,
            now: now(),
        };
        self.propose(&settle, ctx, move |actor, outcome, ctx| {
            if outcome.is_ok() {
                meters::c2d_settled(settlement);
                let live =
                    session.and_then(|session| actor.sessions.live_mut(module.as_ref(), session));
                if let Some(pump) = live.and_then(|live| live.c2d.as_deref_mut()) {
                    pump.held = pump.held.saturating_sub(1);
                }
            }
            let _ = reply.send(outcome.map(|_| ()));
            if settlement == Settlement::Abandon {
                actor.pump(module.as_ref(), ctx);
            }
        });
    }

    /// Locks one message for a request. A device that asks again and again costs no command while there is none.
    pub(super) fn receive_c2d(&self, module: Option<ModuleId>, reply: Reply<Option<Delivery>>) {
        let (identity, now) = (self.identity_id(module.as_ref()), now());
        let queue = self.check_may_act(module.as_ref()).and_then(|()| {
            self.owner.read(|store, group| records::c2d_queue(store, group, &identity))
        });
        match queue {
            Ok(queue) if queue.entries.iter().any(|entry| is_free(entry, now)) => {}
            Ok(_) => return drop(reply.send(Ok(None))),
            Err(error) => return drop(reply.send(Err(error))),
        }
        let tokens = vec![new_token()];
        let lock = Command::LockC2d { identity, tokens, holder: Holder::Request, now };
        self.owner.propose(&lock, move |outcome| {
            let delivery = outcome.and_then(|outcome| match outcome {
                Outcome::Locked(mut deliveries) => Ok(deliveries.pop()),
                other => Err(unexpected(&other)),
            });
            meters::c2d_delivered(matches!(delivery, Ok(Some(_))).into());
            let _ = reply.send(delivery);
        });
    }

    pub(super) fn enqueue_c2d(
        &mut self,
        module: Option<ModuleId>,
        message: C2dMessage,
        reply: Reply<u64>,
        ctx: &mut Ctx,
    ) {
        let now = now();
        let ttl = self.owner.facts().settings.c2d_ttl.as_millis();
        let checked = self
            .check_registered(module.as_ref())
            .and_then(|()| message.validate())
            .and_then(|()| c2d::expiry(&message, now, u64::try_from(ttl).unwrap_or(u64::MAX)));
        let expires = match checked {
            Ok(expires) => expires,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let identity = self.identity_id(module.as_ref());
        let enqueue = EnqueueC2d { identity, message, expires, now };
        self.propose(&Command::EnqueueC2d(Box::new(enqueue)), ctx, move |actor, outcome, ctx| {
            let sequence = outcome.and_then(|outcome| match outcome {
                Outcome::Enqueued(sequence) => Ok(sequence),
                other => Err(unexpected(&other)),
            });
            if sequence.is_ok() {
                meters::c2d_enqueued();
            }
            let _ = reply.send(sequence);
            // Also if the outcome is not known: it may be in the queue.
            actor.pump(module.as_ref(), ctx);
        });
    }

    pub(super) fn purge_c2d(&self, module: Option<ModuleId>, reply: Reply<u32>) {
        if let Err(error) = self.check_registered(module.as_ref()) {
            let _ = reply.send(Err(error));
            return;
        }
        let identity = self.identity_id(module.as_ref());
        self.owner.propose(&Command::PurgeC2d { identity, now: now() }, move |outcome| {
            let count = outcome.and_then(|outcome| match outcome {
                Outcome::Affected(count) => Ok(count),
                other => Err(unexpected(&other)),
            });
            let _ = reply.send(count);
        });
    }

    /// Returns lapsed locks and ends expired messages.
    pub(super) fn sweep_c2d(&mut self, module: Option<ModuleId>, reply: Reply<()>, ctx: &mut Ctx) {
        let identity = self.identity_id(module.as_ref());
        self.propose(
            &Command::SweepC2d { identity, now: now() },
            ctx,
            move |actor, outcome, ctx| {
                let _ = reply.send(outcome.map(|_| ()));
                actor.pump(module.as_ref(), ctx);
            },
        );
    }
}

/// Whether a message could be locked now.
fn is_free(entry: &c2d::Entry, now: UnixMs) -> bool {
    entry.lock.is_none_or(|lock| lock.until <= now) && now < entry.expires
}

/// A random UUID, version 4 (RFC 9562 5.4).
fn new_token() -> LockToken {
    let mut token: [u8; 16] = rand::random();
    token[6] = token[6] & 0x0f | 0x40;
    token[8] = token[8] & 0x3f | 0x80;
    LockToken(token)
}
