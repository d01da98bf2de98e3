//! What the links of one identity carry: requests in, answers and pushes out.

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::time::UnixMs;
use ironhub_wire::amqp::{Connection, DeliveryState, Error, LinkId, Message, SendError, condition};

use super::OUTPUT_BYTES_MAX;
use super::c2d::settlement;
use super::d2c;
use super::flight::{Owed, outcome};
use super::link::Purpose;
use super::methods;
use super::operation::{Asked, Done, Operation, Settle};
use super::session::{Answer, Device};
use super::twin::{self, TwinRequest};
use crate::amqp::errors;
use crate::amqp::session::wall_clock;
use crate::router::request::Push;

/// Answers to twin requests that wait for a client's credit.
const ANSWERS_MAX: usize = 64;
/// The tag of what is sent settled: nobody refers to it.
const TAG: Bytes = Bytes::from_static(b"\0");

impl Device {
    /// Takes a message; returns how much memory it holds until it is stored.
    pub(super) fn on_transfer(
        &mut self,
        owed: Owed,
        format: u32,
        message: &Bytes,
        connection: &mut Connection,
    ) -> usize {
        let Some(link) = self.link(owed.link) else { return 0 };
        match link.purpose {
            Purpose::Telemetry => match d2c::messages(format, message) {
                Ok(messages) => return self.flight.add(messages, owed),
                Err(bad) => reject(owed, bad.error(), connection),
            },
            Purpose::TwinRequests => self.on_twin_request(owed, message, connection),
            Purpose::MethodAnswers => self.on_method_answer(owed, message, connection),
            // The engine lets nobody send on a link that we send on.
            Purpose::Inputs
            | Purpose::C2d(_)
            | Purpose::MethodRequests
            | Purpose::TwinAnswers { .. } => {}
        }
        0
    }

    fn on_method_answer(&self, owed: Owed, message: &Bytes, connection: &mut Connection) {
        let answer = Message::split(message).map_err(d2c::BadMessage::from);
        match answer.and_then(|message| methods::answer(&message, &self.nonce)) {
            Ok(answer) => {
                if let (Some((id, answer)), Some(session)) = (answer, self.session()) {
                    session.answer_method(id, answer);
                }
                owed.settle(&DeliveryState::Accepted, connection);
            }
            Err(bad) => reject(owed, bad.error(), connection),
        }
    }

    fn on_twin_request(&mut self, owed: Owed, message: &Bytes, connection: &mut Connection) {
        let split = Message::split(message).and_then(|message| {
            let correlation = message.properties()?.correlation_id;
            Ok((message, correlation))
        });
        let (message, correlation) = match split {
            Ok(split) => split,
            Err(error) => return reject(owed, error.into(), connection),
        };
        let asked = Asked { owed, correlation };
        let asked_for = twin::request(&message);
        let Some(session) = self.session() else { return };
        let started = match asked_for {
            Ok(TwinRequest::Get) => match session.twin() {
                Ok(pending) => Ok(Operation::Twin { asked, pending }),
                Err(error) => Err((asked, error)),
            },
            Ok(TwinRequest::Patch { if_version, patch }) => {
                match session.patch_reported(patch, if_version) {
                    Ok(pending) => Ok(Operation::Patch { asked, pending }),
                    Err(error) => Err((asked, error)),
                }
            }
            Ok(TwinRequest::Subscribe) => return self.subscribe(asked, true, connection),
            Ok(TwinRequest::Unsubscribe) => return self.subscribe(asked, false, connection),
            Err(error) => Err((asked, error)),
        };
        match started {
            Ok(operation) => self.operations.push(operation),
            Err((asked, error)) => self.fail(asked, &error, connection),
        }
    }

    fn subscribe(&mut self, asked: Asked, wanted: bool, connection: &mut Connection) {
        if let Some(answers) = self.answers_of(asked.owed.link)
            && let Some(link) = self.link(answers)
            && let Purpose::TwinAnswers { subscribed } = &mut link.purpose
        {
            *subscribed = wanted;
        }
        self.answer(asked, None, |id| twin::answer(id, 200, None, b""), connection);
    }

    /// The link that answers to requests of this one go to: the newest of its pair.
    fn answers_of(&self, requests: LinkId) -> Option<LinkId> {
        let requests = self.links.iter().find(|link| link.id == requests)?;
        let is_half = |link: &&super::link::DeviceLink| {
            matches!(link.purpose, Purpose::TwinAnswers { .. }) && link.pairs_with(requests)
        };
        self.links.iter().rev().find(is_half).map(|link| link.id)
    }

    /// Settles a request, then answers it (service-protocols.md 3.1 E12); `desired` is the version of the desired
    /// properties that the answer shows.
    fn answer(
        &mut self,
        asked: Asked,
        desired: Option<u64>,
        message: impl FnOnce(Option<ironhub_wire::amqp::MessageId>) -> Bytes,
        connection: &mut Connection,
    ) {
        asked.owed.settle(&DeliveryState::Accepted, connection);
        let Some(link) = self.answers_of(asked.owed.link) else { return };
        if self.answers.len() >= ANSWERS_MAX {
            let text = "answers wait for credit that is not granted";
            let error = Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text);
            connection.detach(asked.owed.link, Some(error));
            return self.detached(asked.owed.link);
        }
        self.answers.push_back(Answer { link, message: message(asked.correlation), desired });
    }

    fn fail(&mut self, asked: Asked, error: &HubError, connection: &mut Connection) {
        let now: UnixMs = wall_clock();
        self.answer(asked, None, |id| twin::failure(id, error, now), connection);
    }

    /// The client tells the outcome of a cloud-to-device message.
    pub(super) fn on_disposition(
        &mut self,
        id: LinkId,
        delivery: u32,
        settled: bool,
        state: Option<DeliveryState>,
        connection: &mut Connection,
    ) {
        let Some(Purpose::C2d(c2d)) = self.link(id).map(|link| &mut link.purpose) else { return };
        let how = settlement(state.as_ref());
        let confirm = state.filter(|_| !settled);
        match c2d.take_lock(delivery) {
            Some(lock) => {
                // Asked at once: what follows in the same read may be the end of the link. A busy owner is asked again.
                let session = self.session();
                let pending = session.and_then(|session| session.settle_c2d(lock, how).ok());
                let settle = Settle { link: id, delivery, lock, how, confirm, pending };
                self.operations.push(Operation::Settle(settle));
            }
            None if confirm.is_some() && !self.is_settling(id, delivery) => {
                let lost = outcome(&HubError::LockLost);
                connection.settle_sent(id, delivery, Some(lost));
            }
            // Some clients say everything twice.
            None => {}
        }
    }

    fn is_settling(&self, id: LinkId, number: u32) -> bool {
        self.operations.iter().any(|operation| {
            matches!(operation, Operation::Settle(Settle { link, delivery, .. })
                if (*link, *delivery) == (id, number))
        })
    }

    /// The owner has answered.
    pub(super) fn finish(&mut self, done: Done, connection: &mut Connection) {
        match done {
            Done::Twin(asked, Ok(twin)) => {
                let shown = Some(twin.desired_version);
                self.answer(asked, shown, |id| twin::answer(id, 200, None, &twin.body), connection);
            }
            Done::Patched(asked, Ok(version)) => {
                self.answer(
                    asked,
                    None,
                    |id| twin::answer(id, 204, Some(version), b""),
                    connection,
                );
            }
            Done::Twin(asked, Err(error)) | Done::Patched(asked, Err(error)) => {
                self.fail(asked, &error, connection);
            }
            Done::Settled(settle, result) => {
                let Settle { link, delivery, confirm, .. } = settle;
                let state = match (&result, confirm) {
                    (Ok(()), confirm) => confirm,
                    (Err(error), Some(_)) => Some(DeliveryState::rejected(errors::error(error))),
                    (Err(error), None) => {
                        tracing::debug!(identity = %self.identity, %error, "a message is not settled");
                        None
                    }
                };
                if state.is_some() {
                    connection.settle_sent(link, delivery, state);
                }
            }
            // The old credentials still count until they end.
            Done::Renewed(result) => {
                if let Err(error) = result {
                    tracing::debug!(identity = %self.identity, %error, "credentials not renewed");
                }
            }
        }
    }

    pub(super) fn send_answers(&mut self, connection: &mut Connection) -> bool {
        let mut stuck = false;
        let mut shown = 0;
        self.answers.retain(|answer| {
            let sent = send(answer.link, &answer.message, connection);
            stuck |= sent == Sent::Stuck;
            if sent == Sent::Done {
                shown = shown.max(answer.desired.unwrap_or(0));
            }
            sent != Sent::Done
        });
        self.desired_sent = self.desired_sent.max(shown);
        if self.answers.is_empty() {
            self.answers = Default::default();
        }
        stuck
    }

    /// Changes of the desired properties go to every pair that subscribed.
    pub(super) fn send_notices(&mut self, connection: &mut Connection) -> bool {
        let subscribed = |link: &&super::link::DeviceLink| {
            matches!(link.purpose, Purpose::TwinAnswers { subscribed: true })
        };
        // A notice waits until each of them has credit; none may be left out.
        while let Some(notice) = self.bell.next_desired() {
            let links = || self.links.iter().filter(subscribed).map(|link| link.id);
            let message = twin::notice(&notice);
            let blocked = match links().find(|link| !connection.can_send(*link)) {
                Some(_) => Some(Sent::NoCredit),
                None if connection.output_len() >= OUTPUT_BYTES_MAX => Some(Sent::Stuck),
                None => None,
            };
            if let Some(why) = blocked {
                self.bell.put_back(Push::Desired(notice));
                return why == Sent::Stuck;
            }
            for link in links() {
                send(link, &message, connection);
            }
            self.desired_sent = self.desired_sent.max(notice.version);
        }
        false
    }

    /// Calls go to the newest pair.
    pub(super) fn send_calls(&self, connection: &mut Connection) -> bool {
        let calls = |link: &&super::link::DeviceLink| {
            matches!(link.purpose, Purpose::MethodRequests) && self.is_answered(link)
        };
        let Some(link) = self.links.iter().rev().find(calls).map(|link| link.id) else {
            // Whoever called learns it from the owner, who was told that nobody listens any more.
            while self.bell.next_method().is_some() {}
            return false;
        };
        while let Some(request) = self.bell.next_method() {
            match send(link, &methods::render(&request, &self.nonce), connection) {
                Sent::Done => {}
                why @ (Sent::NoCredit | Sent::Stuck) => {
                    self.bell.put_back(Push::Method(request));
                    return why == Sent::Stuck;
                }
            }
        }
        false
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Done,
    /// Its link has no credit, or the session's window is shut: the client's next flow tells.
    NoCredit,
    /// The client must take output first.
    Stuck,
}

/// Sends a message settled, if that can be done now.
fn send(link: LinkId, message: &Bytes, connection: &mut Connection) -> Sent {
    if !connection.can_send(link) {
        return Sent::NoCredit;
    }
    if connection.output_len() >= OUTPUT_BYTES_MAX {
        return Sent::Stuck;
    }
    match connection.send(link, TAG, true, message.clone()) {
        Ok(_) => Sent::Done,
        Err(SendError::Busy) => Sent::Stuck,
        Err(SendError::NoCredit | SendError::Gone) => Sent::NoCredit,
    }
}

fn reject(owed: Owed, error: Error, connection: &mut Connection) {
    tracing::debug!(%error, "a device's message is rejected");
    owed.settle(&DeliveryState::rejected(error), connection);
}
