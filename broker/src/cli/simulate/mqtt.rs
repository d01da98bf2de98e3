//! A device over MQTT 3.1.1, on its own port or in WebSocket (device-protocols.md 2).

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use ironhub_wire::mqtt::client::{self, HubPacket, Login, next_packet};
use ironhub_wire::mqtt::packet::{Delivery, PacketId, QoS};
use ironhub_wire::mqtt::{encode, percent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::happening::{Action, Happening, Received, Ticket};
use super::mqtt_topic::{self, Topic};
use super::transport::{CONNECT_TIME_MAX, Failure, Identity, Transport};
use crate::client::Stream;
use crate::client::sas::TOKEN_TIME;

/// The hub gives up a device that is silent for one and a half times this.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// SUBSCRIBE's identifier; telemetry uses those below.
const SUBSCRIBE_ID: PacketId = PacketId::MAX;
/// Of a refused filter in SUBACK.
const NOT_GRANTED: u8 = 0x80;

/// A connection behind CONNACK and SUBACK.
pub struct Mqtt {
    stream: Box<dyn Stream>,
    input: BytesMut,
    identity: Identity,
    arrived: Option<HubPacket>,
    /// What has happened and was not taken yet.
    ready: VecDeque<Happening>,
    /// Numbers of the messages that wait for PUBACK. A device has at most
    /// [`super::device::IN_FLIGHT_MAX`] of them.
    unacknowledged: HashMap<PacketId, u64>,
    requests: u64,
    ping: Instant,
    ping_unanswered: bool,
    renew: Instant,
}

impl Mqtt {
    /// Logs in on a fresh stream and subscribes to everything that there is for a device.
    pub async fn open(stream: Box<dyn Stream>, identity: &Identity) -> Result<Self, Failure> {
        let now = Instant::now();
        let mut this = Self {
            stream,
            input: BytesMut::new(),
            identity: identity.clone(),
            arrived: None,
            ready: VecDeque::new(),
            unacknowledged: HashMap::new(),
            requests: 0,
            ping: now + KEEP_ALIVE / 2,
            ping_unanswered: false,
            renew: now + TOKEN_TIME * 3 / 4,
        };
        let opened = timeout(CONNECT_TIME_MAX, async {
            this.log_in().await?;
            this.subscribe().await
        });
        opened.await.unwrap_or_else(|_| Err(Failure::Lost("the hub is silent".into())))?;
        Ok(this)
    }

    async fn log_in(&mut self) -> Result<(), Failure> {
        let account = &self.identity.account;
        let agent = concat!("ironhub%20simulate%2F", env!("CARGO_PKG_VERSION"));
        let (host, device) = (&account.host, &account.device);
        let username = format!("{host}/{device}/?api-version=2021-04-12&DeviceClientType={agent}");
        let token = account.token()?;
        let login = Login {
            client_id: device,
            username: &username,
            password: token.as_bytes(),
            keep_alive: KEEP_ALIVE.as_secs() as u16,
            // As the SDKs do: the hub keeps what it sent and nobody acknowledged.
            clean_session: false,
        };
        let mut out = BytesMut::new();
        client::connect(&mut out, &login).map_err(|error| Failure::Final(error.to_string()))?;
        self.write(&out).await?;
        match self.packet().await? {
            HubPacket::Connack { code: 0, .. } => Ok(()),
            HubPacket::Connack { code: 3, .. } => {
                Err(Failure::Lost("the hub cannot take it now (CONNACK 3)".into()))
            }
            HubPacket::Connack { code, .. } => Err(Failure::Final(format!(
                "the hub refuses it (CONNACK {code}): it is disabled, or deleted, or its key has changed"
            ))),
            other => Err(strange(&format!("{other:?} before CONNACK"))),
        }
    }

    async fn subscribe(&mut self) -> Result<(), Failure> {
        let messages = format!("devices/{}/messages/devicebound/#", self.identity.account.device);
        let filters = [
            (messages.as_str(), QoS::AtLeastOnce),
            ("$iothub/twin/res/#", QoS::AtMostOnce),
            ("$iothub/twin/PATCH/properties/desired/#", QoS::AtMostOnce),
            ("$iothub/methods/POST/#", QoS::AtMostOnce),
        ];
        let mut out = BytesMut::new();
        client::subscribe(&mut out, SUBSCRIBE_ID, &filters)
            .map_err(|error| Failure::Final(error.to_string()))?;
        self.write(&out).await?;
        loop {
            match self.packet().await? {
                HubPacket::Suback { codes, .. } if codes.contains(&NOT_GRANTED) => {
                    return Err(Failure::Final("the hub does not grant a subscription".into()));
                }
                HubPacket::Suback { .. } => return Ok(()),
                // What an older connection left behind comes at once.
                other => self.read(other)?,
            }
        }
    }

    /// Turns a packet into what happened.
    fn read(&mut self, packet: HubPacket) -> Result<(), Failure> {
        match packet {
            HubPacket::Publish { topic, delivery, payload } => {
                let device = &self.identity.account.device;
                let read = mqtt_topic::read(device, &topic)
                    .ok_or_else(|| strange(&format!("a message on the topic {topic:?}")))?;
                self.ready.extend(happening(read, delivery, payload)?);
            }
            HubPacket::Puback(id) => {
                let number = self.unacknowledged.remove(&id);
                self.ready.extend(number.map(|number| Happening::Stored { number }));
            }
            HubPacket::Pingresp => self.ping_unanswered = false,
            HubPacket::Connack { .. } | HubPacket::Suback { .. } => {
                return Err(strange("an answer that nothing was asked for"));
            }
        }
        Ok(())
    }

    async fn send(&mut self, number: u64, again: bool, body: Bytes) -> Result<(), Failure> {
        let topic = self.telemetry_topic(number);
        let id = packet_id(number);
        self.unacknowledged.insert(id, number);
        self.publish(&topic, Delivery::AtLeastOnce(id), again, &body).await
    }

    fn telemetry_topic(&self, number: u64) -> String {
        let device = &self.identity.account.device;
        let mut topic = format!("devices/{device}/messages/events/%24.mid={number}");
        if let Some(kind) = self.identity.content_type {
            topic.push_str("&%24.ce=utf-8&%24.ct=");
            percent::encode(kind, &mut topic);
        }
        for (name, value) in &self.identity.properties {
            topic.push('&');
            percent::encode(name, &mut topic);
            topic.push('=');
            percent::encode(value, &mut topic);
        }
        topic
    }

    async fn publish(
        &mut self,
        topic: &str,
        delivery: Delivery,
        again: bool,
        body: &[u8],
    ) -> Result<(), Failure> {
        let mut out = BytesMut::with_capacity(topic.len() + body.len() + 16);
        encode::publish_header(&mut out, topic, delivery, again, false, body.len())
            .map_err(|error| Failure::Final(error.to_string()))?;
        out.put_slice(body);
        self.write(&out).await
    }

    /// Sends a request about the twin; `kind` begins its id, so that the answer says what it answers.
    async fn request(&mut self, kind: char, path: &str, body: &[u8]) -> Result<(), Failure> {
        self.requests += 1;
        let topic = format!("$iothub/twin/{path}/?$rid={kind}{}", self.requests);
        self.publish(&topic, Delivery::AtMostOnce, false, body).await
    }

    /// The next packet. Nothing is lost if this is dropped while it waits.
    async fn packet(&mut self) -> Result<HubPacket, Failure> {
        loop {
            let packet =
                next_packet(&mut self.input).map_err(|error| strange(&error.to_string()))?;
            if let Some(packet) = packet {
                return Ok(packet);
            }
            self.input.reserve(4096);
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) => return Err(Failure::Lost("the hub closed the connection".into())),
                Ok(_) => {}
                Err(error) => return Err(lost(&error)),
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|error| lost(&error))
    }

    async fn keep_alive(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if self.renew <= now {
            return Err(Failure::TokenEnds);
        }
        if now < self.ping {
            return Ok(());
        }
        if self.ping_unanswered {
            return Err(Failure::Lost("the hub is silent".into()));
        }
        let mut out = BytesMut::new();
        client::pingreq(&mut out);
        self.ping_unanswered = true;
        self.ping = now + KEEP_ALIVE / 2;
        self.write(&out).await
    }
}

impl Transport for Mqtt {
    const HAS_TWIN: bool = true;

    async fn wait(&mut self) -> Result<(), Failure> {
        if self.ready.is_empty() && self.arrived.is_none() {
            let due = self.ping.min(self.renew);
            tokio::select! {
                packet = self.packet() => self.arrived = Some(packet?),
                () = sleep_until(due) => {}
            }
        }
        Ok(())
    }

    async fn take(&mut self) -> Result<Option<Happening>, Failure> {
        if let Some(packet) = self.arrived.take() {
            self.read(packet)?;
        }
        self.keep_alive().await?;
        Ok(self.ready.pop_front())
    }

    async fn perform(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Send { number, again, body } => self.send(number, again, body).await,
            Action::Complete { ticket, id } => {
                if let Some(packet) = acknowledged_by(&ticket) {
                    let mut out = BytesMut::new();
                    encode::puback(&mut out, packet);
                    self.write(&out).await?;
                }
                self.ready.push_back(Happening::Completed { id });
                Ok(())
            }
            Action::Answer { ticket, status, payload } => {
                let mut topic = format!("$iothub/methods/res/{status}/?$rid=");
                // Writing to a string cannot fail.
                let _ = write!(topic, "{}", String::from_utf8_lossy(&ticket.0));
                self.publish(&topic, Delivery::AtMostOnce, false, &payload).await
            }
            Action::ReadTwin => self.request(mqtt_topic::GET, "GET", b" ").await,
            Action::Report(patch) => {
                let body = patch.to_string();
                let path = "PATCH/properties/reported";
                self.request(mqtt_topic::PATCH, path, body.as_bytes()).await
            }
        }
    }

    async fn close(mut self) {
        let mut out = BytesMut::new();
        client::disconnect(&mut out);
        let _ = self.write(&out).await;
        let _ = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }
}

fn happening(
    topic: Topic<'_>,
    delivery: Delivery,
    payload: Bytes,
) -> Result<Option<Happening>, Failure> {
    let json = |payload: &Bytes| {
        serde_json::from_slice(payload).map_err(|error| strange(&format!("no JSON: {error}")))
    };
    Ok(Some(match topic {
        Topic::Message { id, properties } => {
            let ticket = match delivery {
                Delivery::AtMostOnce => Bytes::new(),
                Delivery::AtLeastOnce(id) | Delivery::ExactlyOnce(id) => {
                    Bytes::copy_from_slice(&id.get().to_be_bytes())
                }
            };
            let ticket = Ticket(ticket);
            Happening::Received(Received { ticket, id, properties, body: payload })
        }
        Topic::Twin => Happening::Twin(json(&payload)?),
        Topic::Reported { version } => Happening::Reported { version },
        Topic::TwinRefused { status } => {
            let why = String::from_utf8_lossy(&payload).into_owned();
            Happening::TwinRefused { status, why }
        }
        Topic::Desired { version } => Happening::Desired { version, patch: json(&payload)? },
        Topic::Call { name, rid } => {
            let ticket = Ticket(Bytes::copy_from_slice(rid.as_bytes()));
            Happening::Called { ticket, name, payload }
        }
    }))
}

/// Two messages of one number never wait at the same time, because far fewer wait than there are identifiers.
fn packet_id(number: u64) -> PacketId {
    let below_subscribe = u64::from(SUBSCRIBE_ID.get()) - 1;
    PacketId::MIN.saturating_add((number % below_subscribe) as u16)
}

fn acknowledged_by(ticket: &Ticket) -> Option<PacketId> {
    let bytes: [u8; 2] = ticket.0[..].try_into().ok()?;
    PacketId::new(u16::from_be_bytes(bytes))
}

fn strange(what: &str) -> Failure {
    Failure::Lost(format!("the hub sends what no hub sends: {what}"))
}

fn lost(error: &std::io::Error) -> Failure {
    Failure::Lost(format!("the connection was lost: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_messages_are_none_and_never_that_of_subscribe() {
        for number in [1, 65_533, 65_534, 65_535, 65_536, u64::MAX] {
            assert!(packet_id(number) < SUBSCRIBE_ID, "{number}");
        }
        assert_ne!(packet_id(1), packet_id(2));
        let ticket = Ticket(Bytes::copy_from_slice(&packet_id(700).get().to_be_bytes()));
        assert_eq!(acknowledged_by(&ticket), Some(packet_id(700)));
        assert_eq!(acknowledged_by(&Ticket(Bytes::new())), None);
    }
}
