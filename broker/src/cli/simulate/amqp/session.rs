//! The client's side of one session: links, credit, windows, messages in parts.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use ironhub_wire::amqp::performative::{
    Attach, Begin, Disposition, Flow, Open, Performative, SenderSettleMode, Transfer,
};
use ironhub_wire::amqp::{DeliveryState, Map, Role, Source, Target, Text, Value};

use crate::cli::amqp_frames::{FRAME_BYTES_MAX, Frames, Read, refused};
use crate::cli::simulate::transport::Failure;

/// The only channel.
const CHANNEL: u16 = 0;
/// Messages that the hub may send ahead on one link.
const CREDIT: u32 = 50;
/// Frames that the hub may send ahead; nothing of a device's traffic comes near it.
const WINDOW: u32 = u32::MAX / 2;
/// Messages that wait until the hub takes more.
const OUTBOX_MAX: usize = 1000;
/// What of a frame is not payload, generously.
const TRANSFER_BYTES: usize = 512;
/// Frames of a hub that names no limit; the smallest that every peer takes is 512 (OASIS AMQP 1.0 2.4.1).
const FRAME_BYTES_USUAL: u32 = 65_536;
/// Largest message taken from the hub.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The links, by their numbers on the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    CbsOut,
    CbsIn,
    Telemetry,
    Messages,
    TwinOut,
    TwinIn,
    MethodsOut,
    MethodsIn,
}

const LINKS: [Link; 8] = [
    Link::CbsOut,
    Link::CbsIn,
    Link::Telemetry,
    Link::Messages,
    Link::TwinOut,
    Link::TwinIn,
    Link::MethodsOut,
    Link::MethodsIn,
];

impl Link {
    fn role(self) -> Role {
        match self {
            Self::CbsOut | Self::Telemetry | Self::TwinOut | Self::MethodsOut => Role::Sender,
            Self::CbsIn | Self::Messages | Self::TwinIn | Self::MethodsIn => Role::Receiver,
        }
    }

    /// What pairs two links for the hub.
    fn pair(self) -> Option<&'static str> {
        match self {
            Self::TwinOut | Self::TwinIn => Some("twin:1"),
            Self::MethodsOut | Self::MethodsIn => Some("methods:1"),
            Self::CbsOut | Self::CbsIn | Self::Telemetry | Self::Messages => None,
        }
    }
}

/// One link's state.
#[derive(Debug, Default)]
struct State {
    asked: bool,
    /// Its number at the hub's end; none while it is not attached.
    remote: Option<u32>,
    deliveries: u32,
    credit: u32,
    partial: BytesMut,
}

struct Waiting {
    link: Link,
    delivery: u32,
    settled: bool,
    message: Bytes,
}

/// The session, and the connection below it.
pub(super) struct Session {
    frames: Frames,
    states: [State; LINKS.len()],
    /// A token was accepted.
    pub(super) has_token: bool,
    arrived: Option<Read>,
    outbox: VecDeque<Waiting>,
    next_delivery: u32,
    last_delivery: u32,
    next_outgoing: u32,
    next_incoming: u32,
    /// Frames that the hub takes.
    window: u32,
    frame_bytes: usize,
}

impl Session {
    /// Opens the connection as `device` and begins its session.
    pub(super) async fn begin(
        mut frames: Frames,
        host: &str,
        device: &str,
    ) -> Result<Self, Failure> {
        let open = Open {
            container_id: Text::from(format!("{device}-{:08x}", rand::random::<u32>())),
            hostname: Some(Text::from(host)),
            max_frame_size: Some(FRAME_BYTES_MAX),
            ..Open::default()
        };
        frames.send(CHANNEL, &Performative::Open(Box::new(open)), b"").await?;
        let begin = Begin {
            incoming_window: WINDOW,
            outgoing_window: WINDOW,
            handle_max: Some(LINKS.len() as u32 - 1),
            ..Begin::default()
        };
        frames.send(CHANNEL, &Performative::Begin(Box::new(begin)), b"").await?;
        let mut session = Self {
            frames,
            states: std::array::from_fn(|_| State::default()),
            has_token: false,
            arrived: None,
            outbox: VecDeque::new(),
            next_delivery: 0,
            last_delivery: 0,
            next_outgoing: 0,
            next_incoming: 0,
            window: 0,
            frame_bytes: FRAME_BYTES_USUAL as usize,
        };
        loop {
            match session.frames.soon().await?.1 {
                Performative::Open(open) => {
                    let most = open.max_frame_size.unwrap_or(FRAME_BYTES_USUAL);
                    session.frame_bytes = most.min(FRAME_BYTES_MAX) as usize;
                }
                Performative::Begin(begin) => {
                    session.window = begin.incoming_window;
                    session.next_incoming = begin.next_outgoing_id;
                    return Ok(session);
                }
                _ => return Err(Failure::Lost("the hub does not begin a session".into())),
            }
        }
    }

    /// Asks for a link.
    pub(super) async fn attach(&mut self, link: Link, address: &str) -> Result<(), Failure> {
        let address = Some(Text::from(address));
        let (from, to) = match link.role() {
            Role::Sender => (None, address),
            Role::Receiver => (address, None),
        };
        let mut properties =
            Map::default().with("com.microsoft:api-version", Value::string("2021-04-12")).with(
                "com.microsoft:client-version",
                Value::string(concat!("ironhub simulate/", env!("CARGO_PKG_VERSION"))),
            );
        if let Some(pair) = link.pair() {
            properties =
                properties.with("com.microsoft:channel-correlation-id", Value::string(pair));
        }
        let attach = Attach {
            name: Text::from(format!("{link:?}")),
            handle: link as u32,
            role: link.role(),
            // Requests about the twin need no acknowledgement beside their answer.
            snd_settle_mode: (link == Link::TwinOut).then_some(SenderSettleMode::Settled),
            source: Some(Source { address: from, ..Source::default() }),
            target: Some(Target { address: to, ..Target::default() }),
            initial_delivery_count: (link.role() == Role::Sender).then_some(0),
            properties: Some(properties),
            ..Attach::default()
        };
        self.states[link as usize].asked = true;
        self.frames.send(CHANNEL, &Performative::Attach(Box::new(attach)), b"").await?;
        Ok(())
    }

    /// Whether every link that was asked for is there.
    pub(super) fn is_attached(&self) -> bool {
        self.states.iter().all(|state| !state.asked || state.remote.is_some())
    }

    /// Waits until a frame has arrived, for [`Session::next`]. Nothing is lost if this is dropped while it waits.
    pub(super) async fn arrival(&mut self) -> Result<(), Failure> {
        if self.arrived.is_none() {
            self.arrived = Some(self.frames.next().await?);
        }
        Ok(())
    }

    /// Whether [`Session::next`] has a frame at once.
    pub(super) fn has_arrived(&self) -> bool {
        self.arrived.is_some()
    }

    /// The next frame.
    pub(super) async fn next(&mut self) -> Result<(Performative, Bytes), Failure> {
        self.arrival().await?;
        match self.arrived.take() {
            Some((_, performative, payload)) => Ok((performative, payload)),
            None => Err(Failure::Lost("the connection was lost".into())),
        }
    }

    /// Deals with what concerns the session alone.
    pub(super) async fn take(&mut self, performative: &Performative) -> Result<(), Failure> {
        match performative {
            Performative::Attach(attach) => self.attached(attach).await,
            Performative::Flow(flow) => {
                self.granted(flow);
                if flow.echo {
                    self.tell(None).await?;
                }
                self.flush().await
            }
            Performative::Detach(detach) => {
                Err(refused("detached a link", detach.error.as_deref()).into())
            }
            Performative::End(end) => {
                Err(refused("ended the session", end.error.as_deref()).into())
            }
            _ => Ok(()),
        }
    }

    async fn attached(&mut self, attach: &Attach) -> Result<(), Failure> {
        let Some(link) = LINKS.into_iter().find(|link| attach.name == *format!("{link:?}")) else {
            return Err(Failure::Lost("the hub attaches a link of its own".into()));
        };
        let state = &mut self.states[link as usize];
        state.remote = Some(attach.handle);
        if link.role() == Role::Receiver {
            state.deliveries = attach.initial_delivery_count.unwrap_or_default();
            state.credit = CREDIT;
            self.tell(Some(link)).await?;
        }
        Ok(())
    }

    fn granted(&mut self, flow: &Flow) {
        let expects = flow.next_incoming_id.unwrap_or_default();
        self.window = expects.wrapping_add(flow.incoming_window).wrapping_sub(self.next_outgoing);
        let Some(state) = self
            .states
            .iter_mut()
            .find(|state| state.remote.is_some() && state.remote == flow.handle)
        else {
            return;
        };
        let counted = flow.delivery_count.unwrap_or_default();
        let credit = counted.wrapping_add(flow.link_credit.unwrap_or_default());
        // Credit may have been taken back meanwhile.
        state.credit = (credit.wrapping_sub(state.deliveries) as i32).max(0) as u32;
    }

    /// A flow: of a receiving link, which grants its credit, or of the session alone.
    async fn tell(&mut self, link: Option<Link>) -> Result<(), Failure> {
        let state = link.map(|link| &self.states[link as usize]);
        let flow = Flow {
            next_incoming_id: Some(self.next_incoming),
            incoming_window: WINDOW,
            next_outgoing_id: self.next_outgoing,
            outgoing_window: WINDOW,
            handle: link.map(|link| link as u32),
            delivery_count: state.map(|state| state.deliveries),
            link_credit: state.map(|state| state.credit),
            ..Flow::default()
        };
        Ok(self.frames.send(CHANNEL, &Performative::Flow(flow), b"").await?)
    }

    /// Puts the parts of messages together; the message, when it is complete.
    pub(super) async fn assemble(
        &mut self,
        transfer: &Transfer,
        payload: &[u8],
    ) -> Result<Option<(Link, Bytes)>, Failure> {
        self.next_incoming = self.next_incoming.wrapping_add(1);
        self.last_delivery = transfer.delivery_id.unwrap_or(self.last_delivery);
        let link = LINKS
            .into_iter()
            .find(|link| self.states[*link as usize].remote == Some(transfer.handle));
        let Some(link) = link else {
            return Err(Failure::Lost("the hub sends on a link that is not there".into()));
        };
        let state = &mut self.states[link as usize];
        if state.partial.len() + payload.len() > MESSAGE_BYTES_MAX {
            return Err(Failure::Lost("the hub sends more than a message may hold".into()));
        }
        state.partial.extend_from_slice(payload);
        if transfer.more {
            return Ok(None);
        }
        let message = state.partial.split().freeze();
        state.deliveries = state.deliveries.wrapping_add(1);
        state.credit = state.credit.saturating_sub(1);
        if state.credit <= CREDIT / 2 {
            state.credit = CREDIT;
            self.tell(Some(link)).await?;
        }
        Ok((!transfer.aborted).then_some((link, message)))
    }

    /// Number of the delivery whose parts came last.
    pub(super) fn last_delivery(&self) -> u32 {
        self.last_delivery
    }

    /// Sends a message as soon as the hub takes it; the delivery's number.
    pub(super) async fn send(
        &mut self,
        link: Link,
        message: Bytes,
        settled: bool,
    ) -> Result<u32, Failure> {
        if self.outbox.len() == OUTBOX_MAX {
            return Err(Failure::Lost("the hub takes no messages any more".into()));
        }
        let delivery = self.next_delivery;
        self.next_delivery = delivery.wrapping_add(1);
        self.outbox.push_back(Waiting { link, delivery, settled, message });
        self.flush().await?;
        Ok(delivery)
    }

    /// Sends what the hub takes now. Numbers of deliveries must rise on the wire, so the first that has to wait holds up
    /// the rest.
    async fn flush(&mut self) -> Result<(), Failure> {
        while let Some(first) = self.outbox.front() {
            let most = self.frame_bytes.saturating_sub(TRANSFER_BYTES).max(TRANSFER_BYTES);
            let parts = first.message.len().div_ceil(most).max(1) as u32;
            if self.states[first.link as usize].credit == 0 || self.window < parts {
                return Ok(());
            }
            let Some(waiting) = self.outbox.pop_front() else { return Ok(()) };
            let state = &mut self.states[waiting.link as usize];
            state.credit -= 1;
            state.deliveries = state.deliveries.wrapping_add(1);
            self.window -= parts;
            self.next_outgoing = self.next_outgoing.wrapping_add(parts);
            self.transfer(&waiting, most).await?;
        }
        Ok(())
    }

    async fn transfer(&mut self, waiting: &Waiting, most: usize) -> Result<(), Failure> {
        let count = waiting.message.len().div_ceil(most).max(1);
        for part in 0..count {
            let end = waiting.message.len().min((part + 1) * most);
            let transfer = Transfer {
                handle: waiting.link as u32,
                delivery_id: Some(waiting.delivery),
                delivery_tag: Some(Bytes::copy_from_slice(&waiting.delivery.to_be_bytes())),
                message_format: Some(0),
                settled: Some(waiting.settled),
                more: part + 1 < count,
                ..Transfer::default()
            };
            let payload = &waiting.message[part * most..end];
            self.frames.send(CHANNEL, &Performative::Transfer(transfer), payload).await?;
        }
        Ok(())
    }

    /// Accepts a delivery of the hub, for good.
    pub(super) async fn accept(&mut self, delivery: u32) -> Result<(), Failure> {
        let disposition = Disposition {
            role: Role::Receiver,
            first: delivery,
            settled: true,
            state: Some(DeliveryState::Accepted),
            ..Disposition::default()
        };
        Ok(self.frames.send(CHANNEL, &Performative::Disposition(disposition), b"").await?)
    }

    /// A sign of life.
    pub(super) async fn heartbeat(&mut self) -> Result<(), Failure> {
        Ok(self.frames.heartbeat().await?)
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        let _ = self.frames.send(CHANNEL, &Performative::Close(Default::default()), b"").await;
        self.frames.shutdown().await;
    }
}
