//! A client that reads and writes single frames.

use bytes::{Bytes, BytesMut};
use ironhub_wire::amqp::codec::Compound;
use ironhub_wire::amqp::frame::{AMQP_HEADER, FrameKind, next_frame, put_frame};
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::performative::{Attach, Begin, Flow, Open, Performative, Transfer};
use ironhub_wire::amqp::{
    Described, Map, Message, MessageId, Properties, Role, Source, Target, Text, Value,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::hub::KEY;
use crate::amqp::session::wall_clock;
use crate::client::sas::{KeyForm, token};

const SELECTOR: &str = "apache.org:selector-filter:string";

/// Bytes of a message that one frame carries.
const PART_BYTES: usize = 60_000;

/// Where every test's session is.
pub const CHANNEL: u16 = 1;

pub struct Client {
    stream: DuplexStream,
    input: BytesMut,
    delivery: u32,
}

impl Client {
    pub fn new(stream: DuplexStream) -> Self {
        Self { stream, input: BytesMut::new(), delivery: 0 }
    }

    pub async fn open(&mut self) {
        self.raw(&AMQP_HEADER).await;
        self.open_frames().await;
    }

    /// What follows the header.
    pub async fn open_frames(&mut self) {
        self.begin(Open::default()).await;
    }

    /// As [`Client::open`], with frames no larger than this.
    pub async fn open_with_frames(&mut self, bytes: u32) {
        self.raw(&AMQP_HEADER).await;
        self.begin(Open { max_frame_size: Some(bytes), ..Open::default() }).await;
    }

    async fn begin(&mut self, open: Open) {
        self.write(0, Performative::Open(Box::new(open)), b"").await;
        let window = 10_000;
        let begin = Begin { incoming_window: window, outgoing_window: window, ..Begin::default() };
        self.write(CHANNEL, Performative::Begin(Box::new(begin)), b"").await;
        assert_eq!(self.header().await, AMQP_HEADER);
        self.expect(|p| matches!(p, Performative::Begin(_))).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the hub reads");
    }

    pub async fn write(&mut self, channel: u16, performative: Performative, payload: &[u8]) {
        let mut out = BytesMut::new();
        put_frame(&mut out, FrameKind::Amqp, channel, |out| {
            performative.encode(out);
            out.extend_from_slice(payload);
        });
        self.raw(&out).await;
    }

    pub async fn header(&mut self) -> [u8; 8] {
        while self.input.len() < 8 {
            self.fill().await;
        }
        self.input.split_to(8)[..].try_into().expect("eight bytes")
    }

    async fn fill(&mut self) {
        let count = self.stream.read_buf(&mut self.input).await.expect("reads");
        assert!(count > 0, "the hub closed the stream");
    }

    /// The body of the next frame, of either layer.
    pub async fn frame(&mut self) -> Bytes {
        loop {
            match next_frame(&mut self.input, u32::MAX).expect("a frame") {
                Some(frame) if frame.body.is_empty() => {}
                Some(frame) => return frame.body,
                None => self.fill().await,
            }
        }
    }

    pub async fn read(&mut self) -> (Performative, Bytes) {
        Performative::decode(&self.frame().await).expect("decodes")
    }

    /// Passes over frames until one that is wanted.
    pub async fn expect(
        &mut self,
        wanted: impl Fn(&Performative) -> bool,
    ) -> (Performative, Bytes) {
        loop {
            let read = self.read().await;
            if wanted(&read.0) {
                return read;
            }
        }
    }

    /// The stream's end, whatever comes before it.
    pub async fn ended(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.expect("reads");
    }

    /// Condition of the next detach, end or close; what else comes is passed over.
    pub async fn fault(&mut self) -> (&'static str, String) {
        loop {
            let (kind, error) = match self.read().await.0 {
                Performative::Detach(detach) => ("detach", detach.error),
                Performative::End(end) => ("end", end.error),
                Performative::Close(close) => ("close", close.error),
                _ => continue,
            };
            return (kind, error.map(|e| e.condition.to_string()).unwrap_or_default());
        }
    }

    pub async fn attach(&mut self, handle: u32, role: Role, address: &str) {
        let address = Some(Text::from(address));
        let (source, target) = match role {
            Role::Sender => (None, address),
            Role::Receiver => (address, None),
        };
        self.attach_with(Attach {
            handle,
            role,
            source: Some(Source { address: source, ..Source::default() }),
            target: Some(Target { address: target, ..Target::default() }),
            ..Attach::default()
        })
        .await;
    }

    pub async fn attach_with(&mut self, attach: Attach) {
        let name = Text::from(format!("link-{}", attach.handle));
        let attach = Attach { name, ..attach };
        self.write(CHANNEL, Performative::Attach(Box::new(attach)), b"").await;
    }

    /// A receiver on partition 0 or elsewhere, from a selector.
    pub fn receiver(handle: u32, address: &str, selector: Option<&'static str>) -> Attach {
        let described = |text| {
            let descriptor = Value::symbol(SELECTOR);
            Value::Described(Box::new(Described { descriptor, value: Value::string(text) }))
        };
        let source = Source {
            address: Some(Text::from(address)),
            filter: selector.map(|text| Map::default().with(SELECTOR, described(text))),
            ..Source::default()
        };
        let (source, target) = (Some(source), Some(Target::default()));
        Attach { handle, role: Role::Receiver, source, target, ..Attach::default() }
    }

    pub async fn grant(&mut self, handle: u32, delivery_count: u32, credit: u32) {
        let flow = Flow {
            next_incoming_id: Some(0),
            incoming_window: u32::MAX,
            outgoing_window: 100,
            handle: Some(handle),
            delivery_count: Some(delivery_count),
            link_credit: Some(credit),
            ..Flow::default()
        };
        self.write(CHANNEL, Performative::Flow(flow), b"").await;
    }

    /// Links 0 and 1 to `$cbs`.
    pub async fn open_cbs(&mut self) {
        self.attach(0, Role::Sender, "$cbs").await;
        self.attach(1, Role::Receiver, "$cbs").await;
        self.grant(1, 0, 100).await;
    }

    /// Sends a request, unsettled, and returns its delivery's number.
    pub async fn request(
        &mut self,
        handle: u32,
        id: MessageId,
        keys: Keys<'_>,
        body: &Value,
    ) -> u32 {
        let message = MessageBuilder::default()
            .properties(&Properties { message_id: Some(id), ..Properties::default() })
            .application_properties(|map: &mut Compound<'_>| {
                for (key, value) in keys {
                    map.text(key).text(value);
                }
            })
            .value(body)
            .finish();
        self.transfer(handle, &message).await
    }

    pub async fn transfer(&mut self, handle: u32, message: &[u8]) -> u32 {
        self.transfer_of(handle, 0, false, message).await
    }

    /// A message in frames that the hub takes; its delivery's number.
    pub async fn transfer_of(
        &mut self,
        handle: u32,
        format: u32,
        settled: bool,
        message: &[u8],
    ) -> u32 {
        let delivery = self.delivery;
        self.delivery += 1;
        let mut rest = message;
        loop {
            let (part, left) = rest.split_at(rest.len().min(PART_BYTES));
            rest = left;
            let transfer = Transfer {
                handle,
                delivery_id: Some(delivery),
                delivery_tag: Some(Bytes::copy_from_slice(&delivery.to_be_bytes())),
                message_format: Some(format),
                settled: Some(settled),
                more: !rest.is_empty(),
                ..Transfer::default()
            };
            self.write(CHANNEL, Performative::Transfer(transfer), part).await;
            if rest.is_empty() {
                return delivery;
            }
        }
    }

    /// The next message on a link.
    pub async fn message(&mut self, handle: u32) -> Message {
        let (_, payload) =
            self.expect(|p| matches!(p, Performative::Transfer(t) if t.handle == handle)).await;
        Message::split(&payload).expect("a message")
    }

    /// Puts a token of a policy that lasts so many seconds; the status of the answer.
    pub async fn put_token(&mut self, resource: &str, policy: &str, seconds: i64) -> i64 {
        let expiry = (wall_clock().0 / 1000).saturating_add_signed(seconds);
        let token = token(resource, policy, KEY, KeyForm::Decoded, expiry).expect("a token");
        self.put(resource, token).await
    }

    pub async fn put(&mut self, name: &str, token: String) -> i64 {
        let kind = "servicebus.windows.net:sastoken";
        let keys = &[("operation", "put-token"), ("type", kind), ("name", name)];
        let id = MessageId::Ulong(7);
        self.request(0, id, keys, &Value::String(Text::from(token))).await;
        let answer = self.message(1).await;
        assert_eq!(
            answer.properties().expect("properties").correlation_id,
            Some(MessageId::Ulong(7))
        );
        status(&answer)
    }
}

pub type Keys<'a> = &'a [(&'a str, &'a str)];

/// `status-code`, which must be an int (service-protocols.md 3.1 E11).
pub fn status(answer: &Message) -> i64 {
    let keys = answer.application_properties().expect("keys");
    match keys.get("status-code") {
        Some(Value::Int(status)) => (*status).into(),
        other => panic!("an int, not {other:?}"),
    }
}
