//! One identity on one connection: its session with the owner, and the links that share it.
//!
//! ```text
//! Opening (the owner is asked; attaches wait) --let in--> Open --last link gone, or the owner closes it--> gone
//!       \--refused: every waiting attach is refused--> gone
//! ```
//! Events only note what came; [`Device::work`] does what can be done, and is called when there is something to do.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::ids::IdentityId;
use ironhub_wire::amqp::{Attach, Connection, Error, LinkId, condition};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::bell::Bell;
use super::flight::Flight;
use super::link::{self, DeviceLink, Purpose};
use super::methods::{self, Nonce};
use super::operation::{Operation, Progress};
use super::owner::LiveSession;
use crate::amqp::{errors, metrics};
use crate::router::request::{CloseReason, Features};

/// Links of one identity on one connection; no SDK has more than eight.
pub(super) const LINKS_MAX: usize = 16;
/// How long a busy owner is left alone.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// One identity.
pub(super) struct Device {
    pub(super) identity: IdentityId,
    pub(super) bell: Arc<Bell>,
    pub(super) links: Vec<DeviceLink>,
    pub(super) flight: Flight,
    pub(super) operations: Vec<Operation>,
    /// Answers to twin requests that wait for credit.
    pub(super) answers: VecDeque<Answer>,
    /// The newest desired properties that went out and may not have arrived; 0 if there are none.
    pub(super) desired_sent: u64,
    pub(super) nonce: Nonce,
    state: State,
    told: Features,
    busy_until: Option<Instant>,
}

/// An answer to a twin request.
pub(super) struct Answer {
    pub(super) link: LinkId,
    pub(super) message: Bytes,
    /// `$version` of the desired properties that it shows.
    pub(super) desired: Option<u64>,
}

enum State {
    Opening(Box<Opening>),
    Open(Box<dyn LiveSession>),
}

struct Opening {
    task: JoinHandle<Result<Box<dyn LiveSession>, HubError>>,
    waiting: Vec<(DeviceLink, Box<Attach>)>,
}

/// Why an identity has to leave its connection.
#[derive(Debug)]
pub(super) enum Left {
    /// The owner did not let it in; its attaches are refused already.
    Refused,
    /// The owner closed it.
    Closed(CloseReason),
}

/// What came of [`Device::work`].
#[derive(Default)]
pub(super) struct Worked {
    /// Telemetry that is no longer held, in bytes.
    pub(super) freed: usize,
    /// When there is more to do.
    pub(super) again: Option<Instant>,
    /// Desired properties went out.
    pub(super) told_desired: bool,
    /// It waits for the client to take output.
    pub(super) stuck: bool,
    /// It is over.
    pub(super) left: Option<Left>,
}

impl Device {
    pub(super) fn new(
        identity: IdentityId,
        bell: Arc<Bell>,
        task: JoinHandle<Result<Box<dyn LiveSession>, HubError>>,
    ) -> Self {
        // Its first ring: nobody has asked the task yet.
        bell.waker().wake();
        Self {
            identity,
            bell,
            links: Vec::new(),
            flight: Flight::default(),
            operations: Vec::new(),
            answers: VecDeque::new(),
            desired_sent: 0,
            nonce: methods::nonce(),
            state: State::Opening(Box::new(Opening { task, waiting: Vec::new() })),
            told: Features::default(),
            busy_until: None,
        }
    }

    /// The session, once it is open.
    pub(super) fn session(&self) -> Option<&dyn LiveSession> {
        match &self.state {
            State::Opening(_) => None,
            State::Open(session) => Some(&**session),
        }
    }

    /// Whether a token let it in: then it stays only as long as there is one.
    pub(super) fn by_token(&self) -> bool {
        self.session().is_some_and(|session| session.info().token_expires.is_some())
    }

    pub(super) fn is_unused(&self) -> bool {
        let waiting = match &self.state {
            State::Opening(opening) => opening.waiting.is_empty(),
            State::Open(_) => true,
        };
        self.links.is_empty() && waiting
    }

    /// Links, attached or waiting.
    pub(super) fn link_ids(&self) -> impl Iterator<Item = LinkId> {
        let waiting = match &self.state {
            State::Opening(opening) => &opening.waiting[..],
            State::Open(_) => &[],
        };
        let waiting = waiting.iter().map(|(link, _)| link.id);
        self.links.iter().map(|link| link.id).chain(waiting)
    }

    /// Grants a link, now or when the session is open.
    pub(super) fn attach(
        &mut self,
        link: DeviceLink,
        attach: Box<Attach>,
        connection: &mut Connection,
    ) {
        match &mut self.state {
            State::Opening(opening) => opening.waiting.push((link, attach)),
            State::Open(_) => self.grant(link, &attach, connection),
        }
    }

    fn grant(&mut self, link: DeviceLink, attach: &Attach, connection: &mut Connection) {
        if matches!(link.purpose, Purpose::C2d(_)) {
            self.steal_c2d(connection);
        }
        connection.accept(link.id, attach, link::reply(&link.purpose, attach));
        if self.links.capacity() == 0 {
            // As many as most SDKs attach.
            self.links.reserve_exact(6);
        }
        self.links.push(link);
    }

    /// Credit is the identity's, so one link has it: the newest.
    fn steal_c2d(&mut self, connection: &mut Connection) {
        let old = self.links.iter().find(|link| matches!(link.purpose, Purpose::C2d(_)));
        if let Some(old) = old.map(|link| link.id) {
            let error = Error::new(condition::STOLEN, "a newer link of this identity took over");
            connection.detach(old, Some(error));
            self.detached(old);
        }
    }

    /// A link is gone, or an attach that waits.
    pub(super) fn detached(&mut self, id: LinkId) {
        if let State::Opening(opening) = &mut self.state {
            opening.waiting.retain(|(link, _)| link.id != id);
        }
        let Some(at) = self.links.iter().position(|link| link.id == id) else { return };
        let gone = self.links.remove(at);
        self.answers.retain(|answer| answer.link != id);
        if matches!(gone.purpose, Purpose::C2d(_)) {
            if let Some(session) = self.session() {
                session.clear_c2d_credit();
                session.release_c2d();
            }
            self.bell.forget_c2d();
        }
    }

    pub(super) fn link(&mut self, id: LinkId) -> Option<&mut DeviceLink> {
        self.links.iter_mut().find(|link| link.id == id)
    }

    /// What went out has reached the client.
    pub(super) fn desired_arrived(&mut self) {
        let version = std::mem::take(&mut self.desired_sent);
        if version > 0
            && let Some(session) = self.session()
        {
            session.saw_desired(version);
        }
    }

    /// The identity leaves: what it sent before is not lost with it.
    pub(super) fn leave(mut self) {
        if let State::Open(session) = &self.state {
            self.flight.last_words(&**session);
        }
    }

    /// Everything that needs no waiting.
    pub(super) fn work(&mut self, connection: &mut Connection, now: Instant) -> Worked {
        self.bell.heard();
        let waker = self.bell.waker();
        let mut cx = Context::from_waker(&waker);
        match self.open(&mut cx, connection) {
            Poll::Pending => return Worked::default(),
            Poll::Ready(false) => return Worked { left: Some(Left::Refused), ..Worked::default() },
            Poll::Ready(true) => {}
        }
        let freed = match &self.state {
            State::Open(session) => self.flight.work(&mut cx, &**session, connection, now),
            State::Opening(_) => 0,
        };
        self.operate(&mut cx, connection, now);
        let left = self.bell.closed().map(Left::Closed);
        let before = self.desired_sent;
        let stuck = left.is_none() && self.send(connection);
        let told_desired = self.desired_sent != before;
        self.tell_features();
        let again = [self.flight.again(), self.busy_until].into_iter().flatten().min();
        Worked { freed, again, told_desired, stuck, left }
    }

    /// True once the session is open, false if it was refused.
    fn open(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> Poll<bool> {
        let State::Opening(opening) = &mut self.state else { return Poll::Ready(true) };
        let Poll::Ready(outcome) = Pin::new(&mut opening.task).poll(cx) else {
            return Poll::Pending;
        };
        let waiting = std::mem::take(&mut opening.waiting);
        match outcome.unwrap_or_else(|error| Err(HubError::Internal(error.to_string()))) {
            Ok(session) => {
                self.state = State::Open(session);
                for (link, attach) in waiting {
                    self.grant(link, &attach, connection);
                }
                Poll::Ready(true)
            }
            Err(error) => {
                tracing::debug!(identity = %self.identity, %error, "an identity was refused");
                for (link, attach) in waiting {
                    metrics::refused(errors::condition(&error));
                    connection.refuse(link.id, &attach, errors::error(&error));
                }
                Poll::Ready(false)
            }
        }
    }

    fn operate(&mut self, cx: &mut Context<'_>, connection: &mut Connection, now: Instant) {
        self.busy_until = None;
        for operation in std::mem::take(&mut self.operations) {
            let State::Open(session) = &self.state else { return };
            match operation.poll(cx, &**session) {
                Progress::Done(done) => self.finish(done, connection),
                Progress::Waiting(operation) => self.operations.push(operation),
                Progress::Busy(operation) => {
                    self.operations.push(operation);
                    self.busy_until = Some(now + BUSY_PAUSE);
                }
            }
        }
    }

    /// Sends what waits; true if something waits for anything but credit.
    fn send(&mut self, connection: &mut Connection) -> bool {
        self.send_answers(connection)
            | self.send_notices(connection)
            | self.send_calls(connection)
            | self.send_c2d(connection)
    }

    fn send_c2d(&mut self, connection: &mut Connection) -> bool {
        let State::Open(session) = &self.state else { return false };
        let c2d = self.links.iter_mut().find_map(|link| match &mut link.purpose {
            Purpose::C2d(c2d) => Some(c2d),
            _ => None,
        });
        c2d.is_some_and(|c2d| c2d.work(&self.identity, &self.bell, &**session, connection))
    }

    /// Says what the session wants, if that is something else than before.
    fn tell_features(&mut self) {
        let mut wanted = Features::default();
        for link in &self.links {
            match &link.purpose {
                Purpose::C2d(_) => wanted.c2d = true,
                Purpose::TwinAnswers { subscribed } => wanted.desired |= subscribed,
                Purpose::MethodRequests => wanted.methods |= self.is_answered(link),
                Purpose::Telemetry
                | Purpose::Inputs
                | Purpose::MethodAnswers
                | Purpose::TwinRequests => {}
            }
        }
        if wanted != self.told
            && let Some(session) = self.session()
        {
            session.set_features(wanted);
            self.told = wanted;
        }
    }

    /// Whether a link for calls has its other half: only both together are online (device-protocols.md 3.11).
    pub(super) fn is_answered(&self, requests: &DeviceLink) -> bool {
        let is_half = |link: &&DeviceLink| matches!(link.purpose, Purpose::MethodAnswers);
        self.links.iter().filter(is_half).any(|link| link.pairs_with(requests))
    }
}
