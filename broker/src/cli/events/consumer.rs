//! A consumer: puts tokens, asks for the partitions, receives from them.
//!
//! One session for requests and further ones for receivers, [`LINKS_PER_SESSION`] each.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use ironhub_wire::amqp::codec::Compound;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::performative::{
    Attach, Begin, Disposition, Flow, Open, Performative, Transfer,
};
use ironhub_wire::amqp::{
    DeliveryState, Described, Map, Message, Role, Source, Target, Text, Value,
};
use tokio::time::{Instant, sleep_until};

use super::account::Account;
use super::show::Shown;
use crate::cli::CommandError;
use crate::cli::amqp_frames::{FRAME_BYTES_MAX, Frames, refused};
use crate::cli::connection::HubConnection;
use crate::client::sas::TOKEN_TIME;

/// The session of requests and their answers.
const REQUESTS: u16 = 0;
/// Receivers of one session; the hub allows somewhat more.
const LINKS_PER_SESSION: u32 = 200;
/// Messages that the hub may send ahead on one link.
const CREDIT: u32 = 500;
/// How often the hub hears from us.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(60);

/// Handles on the session of requests: a pair for tokens, a pair for questions.
const CBS: [u32; 2] = [0, 1];
const MANAGEMENT: [u32; 2] = [2, 3];

/// A consumer of one hub's events.
pub(super) struct Consumer {
    frames: Frames,
    account: Account,
    receivers: HashMap<(u16, u32), Receiver>,
    /// Events that came before every receiver was answered.
    early: VecDeque<Shown>,
    delivery: u32,
    renew: Instant,
    heartbeat: Instant,
}

struct Receiver {
    partition: u32,
    attached: bool,
    delivery_count: u32,
    credit: u32,
    partial: Vec<u8>,
}

impl Consumer {
    /// Connects and puts the first token.
    pub(super) async fn connect(hub: &HubConnection) -> Result<Self, CommandError> {
        let mut frames = Frames::connect(&hub.amqps, &hub.trust).await?;
        let account = Account::of(hub);
        let open = Open {
            container_id: Text::from(format!("ironhub-events-{}", std::process::id())),
            hostname: Some(Text::from(account.host.as_str())),
            max_frame_size: Some(FRAME_BYTES_MAX),
            ..Open::default()
        };
        frames.send(0, &Performative::Open(Box::new(open)), b"").await?;
        let now = Instant::now();
        let mut consumer = Self {
            frames,
            account,
            receivers: HashMap::new(),
            early: VecDeque::new(),
            delivery: 0,
            renew: now,
            heartbeat: now + HEARTBEAT_EVERY,
        };
        consumer.begin(REQUESTS).await?;
        consumer.open_pair("$cbs", CBS).await?;
        consumer.put_token().await?;
        let answer = consumer.answer(CBS[1]).await?;
        check_status(&answer, "refused the token")?;
        Ok(consumer)
    }

    /// Asks how many partitions there are.
    pub(super) async fn partition_count(&mut self) -> Result<u32, CommandError> {
        self.open_pair("$management", MANAGEMENT).await?;
        let entity = self.account.entity.clone();
        let question = request(
            |keys| {
                keys.text("operation").text("READ").text("type").text("com.microsoft:eventhub");
                keys.text("name").text(&entity);
            },
            &Value::Null,
        );
        self.transfer(MANAGEMENT[0], &question).await?;
        let answer = self.answer(MANAGEMENT[1]).await?;
        check_status(&answer, "does not tell its partitions")?;
        let count = match answer.body().value() {
            Ok(Value::Map(map)) => map.get("partition_count").and_then(Value::as_integer),
            _ => None,
        };
        count
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| self.frames.strange("it does not say how many partitions it has"))
    }

    /// Begins to receive from a partition.
    pub(super) async fn receive(
        &mut self,
        partition: u32,
        group: &str,
        selector: &str,
    ) -> Result<(), CommandError> {
        let at = self.receivers.len() as u32;
        let channel = 1 + (at / LINKS_PER_SESSION) as u16;
        let handle = at % LINKS_PER_SESSION;
        if handle == 0 {
            self.begin(channel).await?;
        }
        const SELECTOR: &str = "apache.org:selector-filter:string";
        let filter = Described {
            descriptor: Value::symbol(SELECTOR),
            value: Value::String(Text::from(selector)),
        };
        let entity = &self.account.entity;
        let address = format!("{entity}/ConsumerGroups/{group}/Partitions/{partition}");
        let source = Source {
            address: Some(Text::from(address)),
            filter: Some(Map::default().with(SELECTOR, Value::Described(Box::new(filter)))),
            ..Source::default()
        };
        self.attach(channel, handle, Role::Receiver, source, Target::default()).await?;
        self.grant(channel, handle, 0).await?;
        let receiver = Receiver {
            partition,
            attached: false,
            delivery_count: 0,
            credit: CREDIT,
            partial: Vec::new(),
        };
        self.receivers.insert((channel, handle), receiver);
        Ok(())
    }

    /// Waits until the hub has answered every receiver: what is sent from then on will be seen.
    pub(super) async fn attached(&mut self) -> Result<(), CommandError> {
        while !self.receivers.values().all(|receiver| receiver.attached) {
            let (channel, performative, payload) = self.frames.soon().await?;
            if let Some(event) = self.take(channel, performative, &payload).await? {
                self.early.push_back(event);
            }
        }
        Ok(())
    }

    /// The next event; meanwhile keeps the connection and its token alive.
    pub(super) async fn next(&mut self) -> Result<Shown, CommandError> {
        if let Some(event) = self.early.pop_front() {
            return Ok(event);
        }
        loop {
            let due = self.renew.min(self.heartbeat);
            let read = tokio::select! {
                read = self.frames.next() => Some(read?),
                () = sleep_until(due) => None,
            };
            match read {
                Some((channel, performative, payload)) => {
                    if let Some(event) = self.take(channel, performative, &payload).await? {
                        return Ok(event);
                    }
                }
                None if self.renew <= Instant::now() => self.put_token().await?,
                None => {
                    self.frames.heartbeat().await?;
                    self.heartbeat = Instant::now() + HEARTBEAT_EVERY;
                }
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        let _ = self.frames.send(0, &Performative::Close(Default::default()), b"").await;
        self.frames.shutdown().await;
    }

    async fn take(
        &mut self,
        channel: u16,
        performative: Performative,
        payload: &[u8],
    ) -> Result<Option<Shown>, CommandError> {
        match performative {
            Performative::Transfer(transfer) if channel == REQUESTS => {
                if transfer.handle == CBS[1] {
                    let answer = self.read_message(payload)?;
                    check_status(&answer, "refused to renew the token")?;
                    self.accept(&transfer).await?;
                }
                Ok(None)
            }
            Performative::Transfer(transfer) => {
                let place = (channel, transfer.handle);
                let Some(receiver) = self.receivers.get_mut(&place) else { return Ok(None) };
                receiver.partial.extend_from_slice(payload);
                if transfer.more {
                    return Ok(None);
                }
                let message = std::mem::take(&mut receiver.partial);
                let partition = receiver.partition;
                receiver.delivery_count = receiver.delivery_count.wrapping_add(1);
                receiver.credit -= 1;
                if receiver.credit <= CREDIT / 2 {
                    receiver.credit = CREDIT;
                    let count = receiver.delivery_count;
                    self.grant(channel, transfer.handle, count).await?;
                }
                let message = self.read_message(&message)?;
                Shown::read(partition, &message).map(Some).map_err(|error| self.frames.bad(&error))
            }
            Performative::Attach(attach) => {
                if let Some(receiver) = self.receivers.get_mut(&(channel, attach.handle)) {
                    receiver.attached = true;
                }
                Ok(None)
            }
            Performative::Detach(detach) => {
                Err(refused("ended the reading", detach.error.as_deref()))
            }
            Performative::End(end) => Err(refused("ended the session", end.error.as_deref())),
            _ => Ok(None),
        }
    }

    async fn begin(&mut self, channel: u16) -> Result<(), CommandError> {
        let begin = Begin {
            incoming_window: u32::MAX / 2,
            outgoing_window: u32::MAX / 2,
            handle_max: Some(255),
            ..Begin::default()
        };
        self.frames.send(channel, &Performative::Begin(Box::new(begin)), b"").await
    }

    /// A link for requests and one for their answers.
    async fn open_pair(
        &mut self,
        node: &'static str,
        handles: [u32; 2],
    ) -> Result<(), CommandError> {
        let address = Some(Text::from_static(node));
        let target = Target { address: address.clone(), ..Target::default() };
        self.attach(REQUESTS, handles[0], Role::Sender, Source::default(), target).await?;
        let source = Source { address, ..Source::default() };
        self.attach(REQUESTS, handles[1], Role::Receiver, source, Target::default()).await?;
        self.grant(REQUESTS, handles[1], 0).await
    }

    async fn attach(
        &mut self,
        channel: u16,
        handle: u32,
        role: Role,
        source: Source,
        target: Target,
    ) -> Result<(), CommandError> {
        let attach = Attach {
            name: Text::from(format!("link-{channel}-{handle}")),
            handle,
            role,
            source: Some(source),
            target: Some(target),
            initial_delivery_count: (role == Role::Sender).then_some(0),
            ..Attach::default()
        };
        self.frames.send(channel, &Performative::Attach(Box::new(attach)), b"").await
    }

    async fn grant(&mut self, channel: u16, handle: u32, count: u32) -> Result<(), CommandError> {
        let flow = Flow {
            next_incoming_id: Some(0),
            incoming_window: u32::MAX,
            outgoing_window: u32::MAX / 2,
            handle: Some(handle),
            delivery_count: Some(count),
            link_credit: Some(CREDIT),
            ..Flow::default()
        };
        self.frames.send(channel, &Performative::Flow(flow), b"").await
    }

    async fn put_token(&mut self) -> Result<(), CommandError> {
        let (audience, token) = self.account.token()?;
        let request = request(
            |keys| {
                keys.text("operation").text("put-token");
                keys.text("type").text("servicebus.windows.net:sastoken");
                keys.text("name").text(&audience);
            },
            &Value::String(Text::from(token)),
        );
        self.renew = Instant::now() + TOKEN_TIME * 3 / 4;
        self.transfer(CBS[0], &request).await
    }

    async fn transfer(&mut self, handle: u32, message: &[u8]) -> Result<(), CommandError> {
        let transfer = Transfer {
            handle,
            delivery_id: Some(self.delivery),
            delivery_tag: Some(Bytes::copy_from_slice(&self.delivery.to_be_bytes())),
            message_format: Some(0),
            settled: Some(true),
            ..Transfer::default()
        };
        self.delivery += 1;
        self.frames.send(REQUESTS, &Performative::Transfer(transfer), message).await
    }

    /// Waits for the message on an answers' link.
    async fn answer(&mut self, handle: u32) -> Result<Message, CommandError> {
        loop {
            match self.frames.soon().await? {
                (REQUESTS, Performative::Transfer(transfer), payload)
                    if transfer.handle == handle =>
                {
                    self.accept(&transfer).await?;
                    return self.read_message(&payload);
                }
                (_, Performative::Detach(detach), _) => {
                    return Err(refused("refused", detach.error.as_deref()));
                }
                (_, Performative::End(end), _) => {
                    return Err(refused("ended the session", end.error.as_deref()));
                }
                _ => {}
            }
        }
    }

    async fn accept(&mut self, transfer: &Transfer) -> Result<(), CommandError> {
        if transfer.settled == Some(true) {
            return Ok(());
        }
        let disposition = Disposition {
            role: Role::Receiver,
            first: transfer.delivery_id.unwrap_or(0),
            settled: true,
            state: Some(DeliveryState::Accepted),
            ..Disposition::default()
        };
        self.frames.send(REQUESTS, &Performative::Disposition(disposition), b"").await
    }

    fn read_message(&self, bytes: &[u8]) -> Result<Message, CommandError> {
        Message::split(&Bytes::copy_from_slice(bytes)).map_err(|error| self.frames.bad(&error))
    }
}

fn request(keys: impl FnOnce(&mut Compound<'_>), body: &Value) -> Bytes {
    MessageBuilder::default().application_properties(keys).value(body).finish()
}

/// Answers carry a status as HTTP has it.
fn check_status(answer: &Message, what: &str) -> Result<(), CommandError> {
    let keys = answer.application_properties().unwrap_or_default();
    match keys.get("status-code").and_then(Value::as_integer) {
        Some(200..=299) => Ok(()),
        status => {
            let why = keys.text("status-description").unwrap_or("no reason given");
            let status = status.map_or_else(String::new, |status| format!(" ({status})"));
            Err(CommandError::Refused(format!("the hub {what}: {why}{status}")))
        }
    }
}
