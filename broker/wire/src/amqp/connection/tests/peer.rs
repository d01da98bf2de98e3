//! A client that follows a script.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::amqp::codec::Text;
use crate::amqp::connection::{Connection, ConnectionConfig};
use crate::amqp::event::{AttachReply, Event, LinkId};
use crate::amqp::frame::{AMQP_HEADER, FrameKind, next_frame, put_frame};
use crate::amqp::partials::PartialPool;
use crate::amqp::performative::{
    Attach, Begin, Error, Flow, Open, Performative, Role, Source, Target, Transfer,
};

/// A frame as the client read it.
pub type Read = (u16, Performative, Bytes);

pub struct Peer {
    pub connection: Connection,
    pub input: BytesMut,
    pub now: u64,
}

impl Peer {
    pub fn new() -> Self {
        Self::of(ConnectionConfig::default())
    }

    fn of(config: ConnectionConfig) -> Self {
        let connection = Connection::new(Arc::new(config), 0);
        Self { connection, input: BytesMut::new(), now: 0 }
    }

    /// With a session on channel 3, and a pool for incomplete messages.
    pub fn with_pool(partials: Arc<PartialPool>) -> Self {
        let config = ConnectionConfig { partials, ..ConnectionConfig::default() };
        let mut peer = Self::of(config).opened(512);
        peer.begin_session(100);
        peer
    }

    /// Past `open`, without SASL.
    pub fn open(max_frame_size: u32) -> Self {
        Self::new().opened(max_frame_size)
    }

    fn opened(mut self, max_frame_size: u32) -> Self {
        let peer = &mut self;
        peer.input.extend_from_slice(&AMQP_HEADER);
        let open = Open {
            container_id: Text::from_static("peer"),
            max_frame_size: Some(max_frame_size),
            idle_time_out: Some(60_000),
            ..Open::default()
        };
        peer.write(0, Performative::Open(Box::new(open)));
        assert!(matches!(peer.events()[..], [Event::Opened(_)]));
        let bytes = peer.take_output();
        assert_eq!(bytes[..8], AMQP_HEADER);
        self
    }

    /// With a session on channel 3.
    pub fn with_session(max_frame_size: u32, incoming_window: u32) -> Self {
        let mut peer = Self::open(max_frame_size);
        peer.begin_session(incoming_window);
        peer
    }

    fn begin_session(&mut self, incoming_window: u32) {
        self.begin(3, incoming_window);
        assert_eq!(self.events(), []);
        let read = self.read();
        assert!(matches!(&read[..], [(3, Performative::Begin(begin), _)]
            if begin.remote_channel == Some(3) && begin.handle_max == Some(255)));
    }

    pub fn begin(&mut self, channel: u16, incoming_window: u32) {
        let begin = Begin { incoming_window, outgoing_window: 100, ..Begin::default() };
        self.write(channel, Performative::Begin(Box::new(begin)));
    }

    pub fn write(&mut self, channel: u16, performative: Performative) {
        self.write_with(channel, performative, b"");
    }

    pub fn write_with(&mut self, channel: u16, performative: Performative, payload: &[u8]) {
        put_frame(&mut self.input, FrameKind::Amqp, channel, |out| {
            performative.encode(out);
            out.extend_from_slice(payload);
        });
    }

    pub fn attach_frame(handle: u32, role: Role) -> Attach {
        let address = Some(Text::from_static("node"));
        Attach {
            name: Text::from(format!("link-{handle}")),
            handle,
            role,
            source: Some(Source { address: address.clone(), ..Source::default() }),
            target: Some(Target { address, ..Target::default() }),
            ..Attach::default()
        }
    }

    /// Attaches a link on channel 3 that the server takes.
    pub fn attach(&mut self, handle: u32, role: Role, credit: u32) -> LinkId {
        self.attach_sized(handle, role, credit, 1000)
    }

    /// The same with the size of its largest message.
    pub fn attach_sized(
        &mut self,
        handle: u32,
        role: Role,
        credit: u32,
        max_message_size: u64,
    ) -> LinkId {
        self.write(3, Performative::Attach(Box::new(Self::attach_frame(handle, role))));
        let Some(Event::Attach { link, attach }) = self.event() else { panic!("an attach") };
        let reply = AttachReply { max_message_size, credit, ..AttachReply::default() };
        self.connection.accept(link, &attach, reply);
        link
    }

    pub fn grant(&mut self, handle: u32, delivery_count: u32, credit: u32, window: u32) {
        let flow = Flow {
            next_incoming_id: Some(0),
            incoming_window: window,
            outgoing_window: 100,
            handle: Some(handle),
            delivery_count: Some(delivery_count),
            link_credit: Some(credit),
            ..Flow::default()
        };
        self.write(3, Performative::Flow(flow));
    }

    pub fn transfer(&mut self, handle: u32, delivery: u32, more: bool, payload: &[u8]) {
        let transfer = Transfer {
            handle,
            delivery_id: Some(delivery),
            delivery_tag: Some(Bytes::from(delivery.to_be_bytes().to_vec())),
            more,
            ..Transfer::default()
        };
        self.write_with(3, Performative::Transfer(transfer), payload);
    }

    pub fn event(&mut self) -> Option<Event> {
        self.connection.poll(&mut self.input, self.now)
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.event()).collect()
    }

    pub fn take_output(&mut self) -> BytesMut {
        let bytes = BytesMut::from(self.connection.output());
        self.connection.wrote(bytes.len(), self.now);
        bytes
    }

    /// The frames that the server wrote.
    pub fn read(&mut self) -> Vec<Read> {
        let mut bytes = self.take_output();
        let mut frames = Vec::new();
        while let Some(frame) = next_frame(&mut bytes, u32::MAX).expect("frames") {
            let (performative, payload) = Performative::decode(&frame.body).expect("decodes");
            frames.push((frame.channel, performative, payload));
        }
        assert!(bytes.is_empty(), "the server writes whole frames");
        frames
    }

    /// Condition of the only thing the server says: a close, end or detach.
    pub fn fault(&mut self) -> (&'static str, String) {
        let condition = |error: Option<Box<Error>>| error.map(|e| e.condition.to_string());
        let (kind, error) = match self.read().pop().map(|read| read.1) {
            Some(Performative::Close(close)) => ("close", condition(close.error)),
            Some(Performative::End(end)) => ("end", condition(end.error)),
            Some(Performative::Detach(detach)) => ("detach", condition(detach.error)),
            other => panic!("a fault, not {other:?}"),
        };
        (kind, error.unwrap_or_default())
    }
}
