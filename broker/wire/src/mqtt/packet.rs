//! The packets that a client may send, as values that borrow from the frame they came in.

use std::num::NonZeroU16;

use bytes::Bytes;

use super::decode::Filters;

/// Packet identifier; never 0 (MQTT 3.1.1 2.3.1).
pub type PacketId = NonZeroU16;

/// Quality of service of a message or of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QoS {
    /// 0: no acknowledgement.
    AtMostOnce,
    /// 1: acknowledged by PUBACK.
    AtLeastOnce,
    /// 2: valid MQTT, but the hub does not offer it (device-protocols.md 2.7).
    ExactlyOnce,
}

impl QoS {
    /// From two bits; 3 is malformed (MQTT 3.1.1 3.3.1.2).
    pub fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// The two bits.
    pub fn bits(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }
}

/// A packet from a client. PUBREC, PUBREL, PUBCOMP and the server's own packets are decode errors: with QoS 2 not
/// offered none of them has a place in a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// CONNECT of MQTT 3.1.1.
    Connect(Connect<'a>),
    /// CONNECT of another version; what follows the level is not looked at.
    OtherVersion(OtherVersion),
    /// PUBLISH.
    Publish(Publish<'a>),
    /// PUBACK: the client took a QoS 1 message of ours.
    Puback(PacketId),
    /// SUBSCRIBE; at least one filter.
    Subscribe {
        /// Identifier to answer with.
        id: PacketId,
        /// Filters with the QoS asked for.
        filters: Filters<'a>,
    },
    /// UNSUBSCRIBE; at least one filter.
    Unsubscribe {
        /// Identifier to answer with.
        id: PacketId,
        /// Filters; each has QoS 0 here, which means nothing.
        filters: Filters<'a>,
    },
    /// PINGREQ.
    Pingreq,
    /// DISCONNECT.
    Disconnect,
}

/// A protocol version that the hub refuses with an answer the client can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherVersion {
    /// MQTT 3.1 (`MQIsdp` 3) or an unknown level: answer with CONNACK code 1 (MQTT 3.1.1 3.1.2.2).
    Level(u8),
    /// MQTT 5: answer in its own form, reason 0x84 (device-protocols.md 2.14).
    Five,
}

/// CONNECT of MQTT 3.1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The client asks that nothing is kept of older sessions.
    pub clean_session: bool,
    /// Seconds; 0 means none asked for.
    pub keep_alive: u16,
    /// May be empty as far as MQTT is concerned.
    pub client_id: &'a str,
    /// Message to publish when the connection ends without DISCONNECT.
    pub will: Option<Will<'a>>,
    /// User name.
    pub username: Option<&'a str>,
    /// Password: any bytes.
    pub password: Option<&'a [u8]>,
}

/// The will of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Body, at most 65535 bytes.
    pub payload: Bytes,
    /// QoS it shall be published with.
    pub qos: QoS,
    /// Retain flag it shall be published with.
    pub retain: bool,
}

/// PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Sent before. Never set at QoS 0 (MQTT 3.1.1 3.3.1.1).
    pub dup: bool,
    /// Retain flag.
    pub retain: bool,
    /// How it is delivered, with its identifier.
    pub delivery: Delivery,
    /// Not empty. May hold `+` and `#`, which MQTT forbids in names but device ids and unencoded property values of
    /// some SDKs contain (device-protocols.md 1.1, 2.6).
    pub topic: &'a str,
    /// Body: shares memory with the frame.
    pub payload: Bytes,
}

/// QoS and identifier of a PUBLISH; there is no identifier at QoS 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce(PacketId),
    /// QoS 2.
    ExactlyOnce(PacketId),
}

impl Delivery {
    /// The QoS.
    pub fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce(_) => QoS::AtLeastOnce,
            Self::ExactlyOnce(_) => QoS::ExactlyOnce,
        }
    }
}
