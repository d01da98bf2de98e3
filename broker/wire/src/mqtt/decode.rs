//! Frames to packets. Strict where MQTT 3.1.1 says "protocol violation", except for wildcards in topic names (see
//! [`Publish::topic`]). Nothing is copied: texts borrow from the frame, payloads share its memory.

use super::framer::{Frame, Kind};
use super::packet::{Connect, Delivery, OtherVersion, Packet, PacketId, Publish, QoS, Will};

/// Why a frame is not a packet; the connection must close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The body ends before a field does.
    #[error("packet ends inside {0}")]
    Truncated(&'static str),
    /// Bytes are left after the last field.
    #[error("{0} bytes after the end of the packet's last field")]
    Trailing(usize),
    /// A text is not UTF-8, or holds U+0000 (MQTT 3.1.1 1.5.3).
    #[error("{0} is not valid text")]
    Text(&'static str),
    /// Packet identifier 0 (MQTT 3.1.1 2.3.1).
    #[error("packet identifier 0")]
    PacketIdZero,
    /// QoS bits 3.
    #[error("quality of service 3")]
    QoS3,
    /// DUP in a PUBLISH of QoS 0 (MQTT 3.1.1 3.3.1.1).
    #[error("duplicate flag at quality of service 0")]
    DupAtQoS0,
    /// Neither `MQTT` nor `MQIsdp`.
    #[error("unknown protocol name")]
    ProtocolName,
    /// A combination of CONNECT flags that MQTT 3.1.1 3.1.2 forbids.
    #[error("connect flags {0:#010b}")]
    ConnectFlags(u8),
    /// An empty topic or filter (MQTT 3.1.1 4.7.3).
    #[error("empty topic")]
    EmptyTopic,
    /// Reserved bits of a subscription's options (MQTT 3.1.1 3.8.3).
    #[error("subscription options {0:#010b}")]
    SubscribeOptions(u8),
    /// SUBSCRIBE or UNSUBSCRIBE without a filter.
    #[error("no topic filter")]
    NoFilter,
}

/// Reads one frame.
pub fn decode(frame: &Frame) -> Result<Packet<'_>, DecodeError> {
    match frame.kind {
        Kind::Connect => connect(frame),
        Kind::Publish => publish(frame).map(Packet::Publish),
        Kind::Puback => {
            let mut input = Input(&frame.body);
            let id = input.packet_id()?;
            input.end()?;
            Ok(Packet::Puback(id))
        }
        Kind::Subscribe => {
            let (id, filters) = filters(frame, true)?;
            Ok(Packet::Subscribe { id, filters })
        }
        Kind::Unsubscribe => {
            let (id, filters) = filters(frame, false)?;
            Ok(Packet::Unsubscribe { id, filters })
        }
        Kind::Pingreq => Input(&frame.body).end().map(|()| Packet::Pingreq),
        Kind::Disconnect => Input(&frame.body).end().map(|()| Packet::Disconnect),
    }
}

pub(super) fn publish(frame: &Frame) -> Result<Publish<'_>, DecodeError> {
    let mut input = Input(&frame.body);
    let dup = frame.flags & 0x08 != 0;
    let retain = frame.flags & 0x01 != 0;
    let qos = QoS::from_bits((frame.flags >> 1) & 3).ok_or(DecodeError::QoS3)?;
    let topic = input.topic("topic")?;
    let delivery = match qos {
        QoS::AtMostOnce if dup => return Err(DecodeError::DupAtQoS0),
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(input.packet_id()?),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(input.packet_id()?),
    };
    let payload = frame.body.slice(frame.body.len() - input.0.len()..);
    Ok(Publish { dup, retain, delivery, topic, payload })
}

const USERNAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL_RETAIN: u8 = 0x20;
const WILL_QOS: u8 = 0x18;
const WILL: u8 = 0x04;
const CLEAN_SESSION: u8 = 0x02;
const RESERVED: u8 = 0x01;

fn connect(frame: &Frame) -> Result<Packet<'_>, DecodeError> {
    let mut input = Input(&frame.body);
    let name = input.text("protocol name")?;
    let level = input.u8("protocol level")?;
    match (name, level) {
        ("MQTT", 4) => {}
        ("MQTT", 5) => return Ok(Packet::OtherVersion(OtherVersion::Five)),
        ("MQTT" | "MQIsdp", other) => {
            return Ok(Packet::OtherVersion(OtherVersion::Level(other)));
        }
        _ => return Err(DecodeError::ProtocolName),
    }
    let flags = input.u8("connect flags")?;
    let will_alone = flags & WILL == 0 && flags & (WILL_QOS | WILL_RETAIN) != 0;
    let password_alone = flags & USERNAME == 0 && flags & PASSWORD != 0;
    if flags & RESERVED != 0 || will_alone || password_alone {
        return Err(DecodeError::ConnectFlags(flags));
    }
    let will_qos = QoS::from_bits((flags & WILL_QOS) >> 3).ok_or(DecodeError::QoS3)?;
    let keep_alive = input.u16("keep alive")?;
    let client_id = input.text("client id")?;
    let will = if flags & WILL != 0 {
        let topic = input.topic("will topic")?;
        let payload = frame.body.slice_ref(input.bytes("will message")?);
        Some(Will { topic, payload, qos: will_qos, retain: flags & WILL_RETAIN != 0 })
    } else {
        None
    };
    let username = (flags & USERNAME != 0).then(|| input.text("user name")).transpose()?;
    let password = (flags & PASSWORD != 0).then(|| input.bytes("password")).transpose()?;
    input.end()?;
    let clean_session = flags & CLEAN_SESSION != 0;
    Ok(Packet::Connect(Connect { clean_session, keep_alive, client_id, will, username, password }))
}

/// Checks all filters once; [`Filters`] then walks the same bytes.
fn filters(frame: &Frame, with_qos: bool) -> Result<(PacketId, Filters<'_>), DecodeError> {
    let mut input = Input(&frame.body);
    let id = input.packet_id()?;
    let filters = Filters { input: Input(input.0), with_qos };
    if input.0.is_empty() {
        return Err(DecodeError::NoFilter);
    }
    while !input.0.is_empty() {
        input.filter(with_qos)?;
    }
    Ok((id, filters))
}

/// The filters of a SUBSCRIBE or UNSUBSCRIBE, in order; all of them are known to be well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters<'a> {
    input: Input<'a>,
    with_qos: bool,
}

impl<'a> Iterator for Filters<'a> {
    type Item = (&'a str, QoS);

    fn next(&mut self) -> Option<Self::Item> {
        self.input.filter(self.with_qos).ok()
    }
}

/// What is left to read of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Truncated(what))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(self.take(1, what)?[0])
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        let bytes = self.take(2, what)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16("packet identifier")?).ok_or(DecodeError::PacketIdZero)
    }

    fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = self.u16(what)?;
        self.take(usize::from(count), what)
    }

    fn text(&mut self, what: &'static str) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes(what)?;
        if bytes.contains(&0) {
            return Err(DecodeError::Text(what));
        }
        std::str::from_utf8(bytes).map_err(|_| DecodeError::Text(what))
    }

    fn topic(&mut self, what: &'static str) -> Result<&'a str, DecodeError> {
        match self.text(what)? {
            "" => Err(DecodeError::EmptyTopic),
            topic => Ok(topic),
        }
    }

    fn filter(&mut self, with_qos: bool) -> Result<(&'a str, QoS), DecodeError> {
        let filter = self.topic("topic filter")?;
        if !with_qos {
            return Ok((filter, QoS::AtMostOnce));
        }
        let options = self.u8("subscription options")?;
        if options & !3 != 0 {
            return Err(DecodeError::SubscribeOptions(options));
        }
        Ok((filter, QoS::from_bits(options).ok_or(DecodeError::QoS3)?))
    }

    pub(super) fn end(&self) -> Result<(), DecodeError> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }
}
