//! One AMQP client on a blocking TLS socket, for frames that no AMQP library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use bytes::{Bytes, BytesMut};
use ironhub::client::EventHubConnectionString;
use ironhub::client::sas::{KeyForm, token};
use ironhub_wire::amqp::frame::{AMQP_HEADER, FrameKind, next_frame, put_frame};
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::performative::{Attach, Begin, Flow, Performative, Transfer};
use ironhub_wire::amqp::{Map, Message, Role, Source, Target, Text, Value};
use rustls::{ClientConnection, StreamOwned};

use crate::https::{FAR_FUTURE, secured};
use crate::support::Hub;

/// A connection behind `open`, with one session on channel 0.
pub struct Amqp {
    stream: StreamOwned<ClientConnection, TcpStream>,
    input: BytesMut,
    deliveries: u32,
}

impl Amqp {
    /// Opens without SASL and without a token.
    pub fn open(hub: &Hub) -> Self {
        let stream = secured(hub, "amqps");
        let mut client = Self { stream, input: BytesMut::new(), deliveries: 0 };
        client.send(&AMQP_HEADER);
        client.write(0, &Performative::Open(Box::default()), b"");
        let begin = Begin { incoming_window: u32::MAX, outgoing_window: 100, ..Begin::default() };
        client.write(0, &Performative::Begin(Box::new(begin)), b"");
        while client.input.len() < AMQP_HEADER.len() {
            client.fill();
        }
        assert_eq!(client.input.split_to(8)[..], AMQP_HEADER);
        client.expect(|p| matches!(p, Performative::Begin(_)));
        client
    }

    /// Opens and puts a token for everything; links 0 and 1 are then taken.
    pub fn open_owner(hub: &Hub) -> Self {
        let mut client = Self::open(hub);
        client.open_cbs();
        assert_eq!(client.put(&owner_token(hub, FAR_FUTURE)), 200);
        client
    }

    /// Links 0 and 1 to `$cbs`.
    pub fn open_cbs(&mut self) {
        self.attach(0, Role::Sender, "$cbs", None);
        self.attach(1, Role::Receiver, "$cbs", None);
        self.grant(1, 0, 100);
    }

    /// Puts a token; the status of the answer.
    pub fn put(&mut self, token: &str) -> i64 {
        let message = MessageBuilder::default()
            .application_properties(|map| {
                map.text("operation").text("put-token").text("name").text("sb://localhost/");
                map.text("type").text("servicebus.windows.net:sastoken");
            })
            .value(&Value::String(Text::from(token)))
            .finish();
        let transfer = Transfer {
            handle: 0,
            delivery_id: Some(self.deliveries),
            delivery_tag: Some(Bytes::from_static(b"t")),
            settled: Some(true),
            ..Transfer::default()
        };
        self.deliveries += 1;
        self.write(0, &Performative::Transfer(transfer), &message);
        let keys = self.message(1).application_properties().expect("keys");
        keys.get("status-code").and_then(Value::as_integer).expect("a status")
    }

    /// Asks for a link; a receiver may say where to start.
    pub fn attach(&mut self, handle: u32, role: Role, address: &str, selector: Option<&str>) {
        let address = Some(Text::from(address));
        let (from, to) = match role {
            Role::Sender => (None, address),
            Role::Receiver => (address, None),
        };
        let filter = selector.map(|text| {
            let key = "apache.org:selector-filter:string";
            Map::default().with(key, Value::String(Text::from(text)))
        });
        let attach = Attach {
            name: Text::from(format!("link-{handle}")),
            handle,
            role,
            source: Some(Source { address: from, filter, ..Source::default() }),
            target: Some(Target { address: to, ..Target::default() }),
            ..Attach::default()
        };
        self.write(0, &Performative::Attach(Box::new(attach)), b"");
    }

    /// A receiver of a partition from its beginning.
    pub fn receive(&mut self, handle: u32, hub: &Hub, partition: &str) {
        let address = format!("{}/ConsumerGroups/$Default/Partitions/{partition}", entity(hub));
        let earliest = "amqp.annotation.x-opt-offset > '-1'";
        self.attach(handle, Role::Receiver, &address, Some(earliest));
    }

    /// Grants credit.
    pub fn grant(&mut self, handle: u32, delivery_count: u32, credit: u32) {
        let flow = Flow {
            next_incoming_id: Some(0),
            incoming_window: u32::MAX,
            outgoing_window: 100,
            handle: Some(handle),
            delivery_count: Some(delivery_count),
            link_credit: Some(credit),
            ..Flow::default()
        };
        self.write(0, &Performative::Flow(flow), b"");
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the hub takes it");
        self.stream.flush().expect("the hub takes it");
    }

    /// Sends a frame.
    pub fn write(&mut self, channel: u16, performative: &Performative, payload: &[u8]) {
        let mut out = BytesMut::new();
        put_frame(&mut out, FrameKind::Amqp, channel, |out| {
            performative.encode(out);
            out.extend_from_slice(payload);
        });
        self.send(&out);
    }

    /// Passes over frames until one that is wanted.
    pub fn expect(&mut self, wanted: impl Fn(&Performative) -> bool) -> (Performative, Bytes) {
        loop {
            let frame = match next_frame(&mut self.input, u32::MAX).expect("a frame") {
                Some(frame) if frame.body.is_empty() => continue,
                Some(frame) => frame,
                None => {
                    self.fill();
                    continue;
                }
            };
            let read = Performative::decode(&frame.body).expect("decodes");
            if wanted(&read.0) {
                return read;
            }
        }
    }

    /// The next message on a link.
    pub fn message(&mut self, handle: u32) -> Message {
        let (_, payload) =
            self.expect(|p| matches!(p, Performative::Transfer(t) if t.handle == handle));
        Message::split(&payload).expect("a message")
    }

    /// The next detach, end or close, and its condition.
    pub fn fault(&mut self) -> String {
        let (read, _) = self.expect(|p| {
            matches!(p, Performative::Detach(_) | Performative::End(_) | Performative::Close(_))
        });
        let (kind, error) = match read {
            Performative::Detach(detach) => ("detach", detach.error),
            Performative::End(end) => ("end", end.error),
            Performative::Close(close) => ("close", close.error),
            _ => panic!("one of the three"),
        };
        format!("{kind} {}", error.map(|error| error.condition.to_string()).unwrap_or_default())
    }

    /// The hub must close the stream.
    pub fn ended(&mut self) {
        match self.stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ) => {}
            Err(error) => panic!("the hub does not close: {error}"),
        }
    }

    fn fill(&mut self) {
        let mut bytes = [0; 16384];
        let count = self.stream.read(&mut bytes).expect("the hub answers in time");
        assert!(count > 0, "the hub closed the stream");
        self.input.extend_from_slice(&bytes[..count]);
    }
}

/// Name of the hub's event hub.
pub fn entity(hub: &Hub) -> String {
    account(hub).entity_path
}

/// A token of the hub's owner for its event hub.
pub fn owner_token(hub: &Hub, expiry: u64) -> String {
    let account = account(hub);
    let resource = format!("sb://localhost/{}", account.entity_path);
    token(&resource, &account.policy, &account.key, KeyForm::Text, expiry).expect("a token")
}

fn account(hub: &Hub) -> EventHubConnectionString {
    let text = hub.env("IRONHUB_EVENTHUB_CONNECTION_STRING");
    EventHubConnectionString::parse(&text).expect("a connection string")
}
