//! A frontend whose event log is a list.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::auth::{PeerCertificate, PolicySet};
use ironhub_domain::event::{
    AuthMethod, AuthScope, AuthType, D2cMessage, Event, Origin, StartPosition,
};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::partition::EventLog;
use ironhub_domain::time::UnixMs;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::client::Client;
use super::device::Owners;
use crate::amqp::eventhub::EventSource;
use crate::amqp::{AmqpContext, AmqpOptions, serve};
use crate::net::Peer;

pub const HOST: &str = "hub1.example.test";
pub const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

/// Two partitions.
pub struct Events {
    logs: [watch::Sender<EventLog>; 2],
    events: [Mutex<Vec<Event>>; 2],
    /// Reads so far: what a receiver costs.
    pub reads: Mutex<usize>,
}

impl Events {
    fn new() -> Self {
        let log = || watch::Sender::new(EventLog::default());
        Self { logs: [log(), log()], events: Default::default(), reads: Mutex::new(0) }
    }

    /// Appends to a partition; an event's offset is ten times its number.
    pub fn push(&self, partition: usize, body: &[u8]) {
        let mut events = self.events[partition].lock();
        let sequence = events.len() as u64;
        let enqueued = UnixMs(1000 + sequence);
        events.push(Event {
            sequence,
            offset: sequence * 10,
            enqueued,
            origin: Origin {
                device: DeviceId::new("dev1").expect("an id"),
                module: None,
                generation: "1".into(),
                auth: AuthMethod { scope: AuthScope::Device, kind: AuthType::SymmetricKey },
                model_id: None,
                source: Default::default(),
            },
            message: D2cMessage { body: body.to_vec().into(), ..D2cMessage::default() },
        });
        drop(events);
        self.logs[partition].send_modify(|log| {
            log.next_sequence = sequence + 1;
            log.next_offset = sequence * 10 + 10;
            log.last_offset = sequence * 10;
            log.last_enqueued = enqueued;
        });
    }
}

impl EventSource for Events {
    fn partition_count(&self) -> u32 {
        2
    }

    fn entity_name(&self) -> &str {
        "hub1"
    }

    fn created_at(&self) -> UnixMs {
        UnixMs(5)
    }

    fn has_consumer_group(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case("$Default")
    }

    fn watch(&self, partition: u32) -> Option<watch::Receiver<EventLog>> {
        self.logs.get(partition as usize).map(watch::Sender::subscribe)
    }

    fn resolve(&self, partition: u32, position: StartPosition) -> Result<u64, HubError> {
        let events = self.events[partition as usize].lock();
        let end = events.len() as u64;
        let first = |wanted: &dyn Fn(&Event) -> bool| {
            events.iter().find(|event| wanted(event)).map_or(end, |event| event.sequence)
        };
        Ok(match position {
            StartPosition::Earliest => 0,
            StartPosition::Latest => end,
            StartPosition::Sequence { value, .. } if value > end => {
                return Err(HubError::InvalidArgument("beyond the end".into()));
            }
            StartPosition::Sequence { value, inclusive } => value + u64::from(!inclusive),
            StartPosition::Offset { value, .. } => first(&|event| event.offset > value),
            StartPosition::EnqueuedTime { time, .. } => first(&|event| event.enqueued > time),
        })
    }

    fn read(&self, partition: u32, from: u64, bytes_max: usize) -> Result<Vec<Event>, HubError> {
        *self.reads.lock() += 1;
        let events = self.events[partition as usize].lock();
        let mut bytes = 0;
        let fits = |event: &&Event| {
            let first = bytes == 0;
            bytes += event.message.body.len() + 100;
            first || bytes < bytes_max
        };
        Ok(events.iter().skip(from as usize).take_while(fits).cloned().collect())
    }
}

pub struct Hub {
    pub events: Arc<Events>,
    pub devices: Owners,
    pub drain: watch::Sender<bool>,
    context: Arc<AmqpContext>,
}

impl Hub {
    pub fn new(change: impl FnOnce(&mut AmqpOptions)) -> Self {
        let events = Arc::new(Events::new());
        let policies = Arc::new(PolicySet::defaults(|| KEY.to_owned()));
        let (drain, draining) = watch::channel(false);
        let policies = Box::new(move || policies.clone());
        let devices = Owners::default();
        let owners = Arc::new(devices.clone());
        let mut options = AmqpOptions::new(HOST.into(), policies, events.clone(), owners, draining);
        change(&mut options);
        Self { events, devices, drain, context: AmqpContext::new(options) }
    }

    /// A connection whose first byte has not been sent; `capacity` is what the stream holds.
    pub fn stream(&self, capacity: usize) -> tokio::io::DuplexStream {
        self.stream_of(capacity, None)
    }

    /// The same of a client that showed a certificate.
    pub fn stream_of(
        &self,
        capacity: usize,
        certificate: Option<PeerCertificate>,
    ) -> tokio::io::DuplexStream {
        let (ours, theirs) = tokio::io::duplex(capacity);
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let peer = Peer { certificate: certificate.map(Arc::new), ..addr.into() };
        tokio::task::spawn_local(serve(theirs, peer, self.context.clone()));
        ours
    }

    /// A connection behind `open`, with a session, without a token.
    pub async fn connect(&self) -> Client {
        let mut client = Client::new(self.stream(1024 * 1024));
        client.open().await;
        client
    }

    /// A connection with a token for everything.
    pub async fn connect_owner(&self) -> Client {
        let mut client = self.connect().await;
        client.open_cbs().await;
        assert_eq!(client.put_token(HOST, "iothubowner", 3600).await, 200);
        client
    }
}

/// Runs a test where connections live: on one thread.
pub fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test()).await };
    LocalSet::new().block_on(&runtime.expect("a runtime"), limited).expect("ends in time");
}
