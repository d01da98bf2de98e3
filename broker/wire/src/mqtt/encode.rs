//! The server's packets, written to the end of a buffer. The short ones are one `put_slice` of an array.

use bytes::BufMut;

use super::packet::{Delivery, PacketId, QoS};

/// Return code of a CONNACK (MQTT 3.1.1 3.2.2.3). Codes 2 and 4 exist in MQTT, but SDKs give up for good on them
/// (device-protocols.md 2.2), so the hub has no name for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnackCode {
    /// 0
    Accepted,
    /// 1: the protocol level is not offered.
    UnacceptableProtocol,
    /// 3: try again later.
    ServerUnavailable,
    /// 5: credentials or names are wrong.
    NotAuthorized,
}

/// CONNACK. Session present is only ever said with [`ConnackCode::Accepted`] (MQTT 3.1.1 3.2.2.2).
pub fn connack(out: &mut impl BufMut, code: ConnackCode, session_present: bool) {
    let code = match code {
        ConnackCode::Accepted => 0,
        ConnackCode::UnacceptableProtocol => 1,
        ConnackCode::ServerUnavailable => 3,
        ConnackCode::NotAuthorized => 5,
    };
    out.put_slice(&[0x20, 2, u8::from(session_present && code == 0), code]);
}

/// CONNACK in the form of MQTT 5 with reason 0x84, unsupported protocol version (MQTT 5.0 3.2.2.2): flags, reason, no properties.
pub fn connack_v5_unsupported(out: &mut impl BufMut) {
    out.put_slice(&[0x20, 3, 0, 0x84, 0]);
}

/// PUBACK.
pub fn puback(out: &mut impl BufMut, id: PacketId) {
    let [high, low] = id.get().to_be_bytes();
    out.put_slice(&[0x40, 2, high, low]);
}

/// UNSUBACK.
pub fn unsuback(out: &mut impl BufMut, id: PacketId) {
    let [high, low] = id.get().to_be_bytes();
    out.put_slice(&[0xb0, 2, high, low]);
}

/// PINGRESP.
pub fn pingresp(out: &mut impl BufMut) {
    out.put_slice(&[0xd0, 0]);
}

/// SUBACK: one entry per filter in the order asked; `None` is a refusal (0x80). `codes` is at most as long as the
/// filters that fit one SUBSCRIBE, so the length always fits.
pub fn suback(out: &mut impl BufMut, id: PacketId, codes: &[Option<QoS>]) {
    out.put_u8(0x90);
    remaining_length(out, 2 + codes.len());
    out.put_u16(id.get());
    for code in codes {
        out.put_u8(code.map_or(0x80, QoS::bits));
    }
}

/// A PUBLISH does not fit MQTT's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishTooLarge {
    /// Topics have at most 65535 bytes.
    #[error("topic of {0} bytes, at most 65535 fit")]
    Topic(usize),
    /// A packet has at most 268435455 bytes after its header.
    #[error("packet of {0} bytes, at most {REMAINING_LENGTH_MAX} fit")]
    Packet(usize),
}

/// Largest remaining length (MQTT 3.1.1 2.2.3).
pub const REMAINING_LENGTH_MAX: usize = 268_435_455;

/// The part of a PUBLISH before its payload of `payload_len` bytes; the caller writes the payload after it, so that a
/// large one need not be copied. Nothing is written on error.
pub fn publish_header(
    out: &mut impl BufMut,
    topic: &str,
    delivery: Delivery,
    dup: bool,
    retain: bool,
    payload_len: usize,
) -> Result<(), PublishTooLarge> {
    let topic_len = u16::try_from(topic.len()).map_err(|_| PublishTooLarge::Topic(topic.len()))?;
    let (qos, id) = match delivery {
        Delivery::AtMostOnce => (QoS::AtMostOnce, None),
        Delivery::AtLeastOnce(id) => (QoS::AtLeastOnce, Some(id)),
        Delivery::ExactlyOnce(id) => (QoS::ExactlyOnce, Some(id)),
    };
    let before = 2 + topic.len() + if id.is_some() { 2 } else { 0 };
    let length = before.saturating_add(payload_len);
    if REMAINING_LENGTH_MAX < length {
        return Err(PublishTooLarge::Packet(length));
    }
    out.put_u8(0x30 | u8::from(dup) << 3 | qos.bits() << 1 | u8::from(retain));
    remaining_length(out, length);
    out.put_u16(topic_len);
    out.put_slice(topic.as_bytes());
    if let Some(id) = id {
        out.put_u16(id.get());
    }
    Ok(())
}

pub(super) fn remaining_length(out: &mut impl BufMut, mut length: usize) {
    while 0x80 <= length {
        // The low seven bits are kept, so nothing is lost by the cast.
        out.put_u8((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.put_u8(length as u8);
}
