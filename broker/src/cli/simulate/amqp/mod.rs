//! A device over AMQP 1.0, on its own port or in WebSocket (device-protocols.md 3): one session, a pair of links each for
//! tokens, twin and methods, one link for telemetry and one for cloud-to-device messages.

mod message;
mod session;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use ironhub_wire::amqp::performative::{Disposition, Performative};
use ironhub_wire::amqp::{DeliveryState, Message, MessageId, Role};
use tokio::time::{Instant, sleep_until, timeout};

use self::session::{Link, Session};
use super::happening::{Action, Happening, Received, Ticket};
use super::transport::{CONNECT_TIME_MAX, Failure, Identity, Transport};
use crate::cli::amqp_frames::Frames;
use crate::client::Stream;
use crate::client::percent::encode;
use crate::client::sas::TOKEN_TIME;

/// How often the hub hears from us.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(60);

/// A connection with all its links attached.
pub struct Amqp {
    session: Session,
    identity: Identity,
    ready: VecDeque<Happening>,
    /// Numbers of the messages whose outcome is open, by delivery. A device has at most
    /// [`super::device::IN_FLIGHT_MAX`] of them.
    open: BTreeMap<u32, u64>,
    requests: u64,
    /// The hub has promised to tell of desired properties.
    subscribed: bool,
    renew: Instant,
    heartbeat: Instant,
}

impl Amqp {
    /// Opens a fresh stream to `address`, puts a token and attaches everything that there is for a device.
    pub async fn open(
        stream: Box<dyn Stream>,
        address: &str,
        identity: &Identity,
    ) -> Result<Self, Failure> {
        let frames = Frames::open(stream, address).await?;
        let now = Instant::now();
        let account = &identity.account;
        let mut this = Self {
            session: Session::begin(frames, &account.host, &account.device).await?,
            identity: identity.clone(),
            ready: VecDeque::new(),
            open: BTreeMap::new(),
            requests: 0,
            subscribed: false,
            renew: now,
            heartbeat: now + HEARTBEAT_EVERY,
        };
        let opened = timeout(CONNECT_TIME_MAX, this.attach_all());
        opened.await.unwrap_or_else(|_| Err(Failure::Lost("the hub is silent".into())))?;
        Ok(this)
    }

    async fn attach_all(&mut self) -> Result<(), Failure> {
        for link in [Link::CbsOut, Link::CbsIn] {
            self.session.attach(link, "$cbs").await?;
        }
        self.put_token().await?;
        while !self.session.has_token {
            self.step().await?;
        }
        let device = format!("/devices/{}", encode(&self.identity.account.device));
        for (link, path) in [
            (Link::Telemetry, "messages/events"),
            (Link::Messages, "messages/devicebound"),
            (Link::TwinOut, "twin"),
            (Link::TwinIn, "twin"),
            (Link::MethodsOut, "methods/devicebound"),
            (Link::MethodsIn, "methods/devicebound"),
        ] {
            self.session.attach(link, &format!("{device}/{path}")).await?;
        }
        while !self.session.is_attached() {
            self.step().await?;
        }
        self.ask_twin(message::Request::Subscribe).await?;
        while !self.subscribed {
            self.step().await?;
        }
        Ok(())
    }

    async fn put_token(&mut self) -> Result<(), Failure> {
        let account = &self.identity.account;
        let audience = format!("{}/devices/{}", account.host, account.device);
        let message = message::put_token(&audience, &account.token()?);
        self.renew = Instant::now() + TOKEN_TIME * 3 / 4;
        self.session.send(Link::CbsOut, message, true).await.map(drop)
    }

    async fn ask_twin(&mut self, request: message::Request<'_>) -> Result<(), Failure> {
        self.requests += 1;
        let message = message::twin_request(&request, self.requests);
        self.session.send(Link::TwinOut, message, true).await.map(drop)
    }

    /// Takes one frame.
    async fn step(&mut self) -> Result<(), Failure> {
        let (performative, payload) = self.session.next().await?;
        match performative {
            Performative::Transfer(transfer) => {
                let delivery = transfer.delivery_id;
                let settled = transfer.settled == Some(true);
                if let Some((link, bytes)) = self.session.assemble(&transfer, &payload).await? {
                    let message = Message::split(&bytes).map_err(|error| strange(&error))?;
                    // Continuations may leave the number out; then it is that of the first part.
                    let delivery = delivery.unwrap_or_else(|| self.session.last_delivery());
                    self.receive(link, delivery, settled, &message).await?;
                }
            }
            Performative::Disposition(disposition) => self.settle(&disposition),
            other => self.session.take(&other).await?,
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        link: Link,
        delivery: u32,
        settled: bool,
        message: &Message,
    ) -> Result<(), Failure> {
        if link != Link::Messages && !settled {
            self.session.accept(delivery).await?;
        }
        match link {
            Link::CbsIn => match message::status(message, "status-code") {
                Some(200..=299) => self.session.has_token = true,
                status => {
                    let keys = message.application_properties().unwrap_or_default();
                    let why = keys.text("status-description").unwrap_or("no reason given");
                    let status = status.unwrap_or_default();
                    return Err(Failure::Final(format!(
                        "the hub refuses its token: {why} ({status})"
                    )));
                }
            },
            Link::Messages => {
                let (id, properties, body) =
                    message::command(message).map_err(|error| strange(&error))?;
                let ticket = Ticket(Bytes::copy_from_slice(&delivery.to_be_bytes()));
                let received = Received { ticket, id, properties, body };
                self.ready.push_back(Happening::Received(received));
            }
            Link::TwinIn => match message::twin(message).map_err(|error| strange(&error))? {
                message::Twin::Subscribed => self.subscribed = true,
                message::Twin::Happening(happening) => self.ready.push_back(happening),
            },
            Link::MethodsIn => {
                let (correlation, name, payload) =
                    message::call(message).map_err(|error| strange(&error))?;
                let ticket = Ticket(Bytes::copy_from_slice(&correlation));
                self.ready.push_back(Happening::Called { ticket, name, payload });
            }
            // These carry nothing this way.
            Link::CbsOut | Link::Telemetry | Link::TwinOut | Link::MethodsOut => {}
        }
        Ok(())
    }

    /// What became of telemetry.
    fn settle(&mut self, disposition: &Disposition) {
        let Some(state) = &disposition.state else { return };
        if disposition.role != Role::Receiver || !state.is_outcome() {
            return;
        }
        let last = disposition.last.unwrap_or(disposition.first);
        let settled =
            self.open.extract_if(disposition.first..=last.max(disposition.first), |_, _| true);
        self.ready.extend(settled.map(|(_, number)| match state {
            DeliveryState::Accepted => Happening::Stored { number },
            DeliveryState::Rejected(error) => {
                let why = error.as_ref().map_or_else(
                    || "rejected without a reason".to_owned(),
                    |error| error.to_string(),
                );
                Happening::NotTaken { number, why }
            }
            DeliveryState::Released
            | DeliveryState::Modified { .. }
            | DeliveryState::Received { .. }
            | DeliveryState::Other(_) => {
                Happening::NotTaken { number, why: "the hub cannot take it now".into() }
            }
        }));
    }
}

impl Transport for Amqp {
    const HAS_TWIN: bool = true;

    async fn wait(&mut self) -> Result<(), Failure> {
        if self.ready.is_empty() {
            tokio::select! {
                arrived = self.session.arrival() => arrived?,
                () = sleep_until(self.renew.min(self.heartbeat)) => {}
            }
        }
        Ok(())
    }

    async fn take(&mut self) -> Result<Option<Happening>, Failure> {
        let now = Instant::now();
        if self.ready.is_empty() && self.session.has_arrived() {
            self.step().await?;
        }
        if self.renew <= now {
            self.put_token().await?;
        }
        if self.heartbeat <= now {
            self.session.heartbeat().await?;
            self.heartbeat = now + HEARTBEAT_EVERY;
        }
        Ok(self.ready.pop_front())
    }

    async fn perform(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Send { number, body, .. } => {
                let message = message::telemetry(&self.identity, number, &body);
                let delivery = self.session.send(Link::Telemetry, message, false).await?;
                self.open.insert(delivery, number);
                Ok(())
            }
            Action::Complete { ticket, id } => {
                let delivery = ticket.0[..].try_into().map(u32::from_be_bytes).unwrap_or_default();
                self.session.accept(delivery).await?;
                self.ready.push_back(Happening::Completed { id });
                Ok(())
            }
            Action::Answer { ticket, status, payload } => {
                let correlation = MessageId::Uuid(ticket.0[..].try_into().unwrap_or_default());
                let message = message::answer(correlation, status, &payload);
                self.session.send(Link::MethodsOut, message, true).await.map(drop)
            }
            Action::ReadTwin => self.ask_twin(message::Request::Get).await,
            Action::Report(patch) => self.ask_twin(message::Request::Patch(&patch)).await,
        }
    }

    async fn close(self) {
        self.session.close().await;
    }
}

fn strange(what: &impl ToString) -> Failure {
    Failure::Lost(format!("the hub sends what no hub sends: {}", what.to_string()))
}
