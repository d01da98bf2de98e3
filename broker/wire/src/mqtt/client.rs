//! The client's side of MQTT 3.1.1: writes what a device sends, reads what the hub sends. QoS 0 and 1 only.
//!
//! PUBLISH and PUBACK look the same from both sides: they are written by [`super::encode`].

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::decode::{DecodeError, Input, publish};
use super::encode::remaining_length;
use super::framer::{Frame, Kind, PACKET_BYTES_MAX};
use super::packet::{Delivery, PacketId, QoS};

/// What a device says of itself in CONNECT. It brings no will.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Who it is.
    pub client_id: &'a str,
    /// The hub, the device and what the client is (device-protocols.md 2.1).
    pub username: &'a str,
    /// Its token.
    pub password: &'a [u8],
    /// Seconds after which the hub may give a silent client up.
    pub keep_alive: u16,
    /// Nothing is kept of older sessions.
    pub clean_session: bool,
}

/// A text longer than 65535 bytes, which no field of MQTT holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a field of {0} bytes, at most 65535 fit")]
pub struct FieldTooLong(usize);

/// Appends CONNECT; nothing is written on error.
pub fn connect(out: &mut BytesMut, login: &Login<'_>) -> Result<(), FieldTooLong> {
    const USERNAME_AND_PASSWORD: u8 = 0xc0;
    let mut body = BytesMut::new();
    field(&mut body, b"MQTT")?;
    body.put_slice(&[4, USERNAME_AND_PASSWORD | u8::from(login.clean_session) << 1]);
    body.put_u16(login.keep_alive);
    field(&mut body, login.client_id.as_bytes())?;
    field(&mut body, login.username.as_bytes())?;
    field(&mut body, login.password)?;
    packet(out, 0x10, &body);
    Ok(())
}

/// Appends SUBSCRIBE; nothing is written on error.
pub fn subscribe(
    out: &mut BytesMut,
    id: PacketId,
    filters: &[(&str, QoS)],
) -> Result<(), FieldTooLong> {
    let mut body = BytesMut::new();
    body.put_u16(id.get());
    for (filter, qos) in filters {
        field(&mut body, filter.as_bytes())?;
        body.put_u8(qos.bits());
    }
    packet(out, 0x82, &body);
    Ok(())
}

/// Appends PINGREQ.
pub fn pingreq(out: &mut BytesMut) {
    out.put_slice(&[0xc0, 0]);
}

/// Appends DISCONNECT.
pub fn disconnect(out: &mut BytesMut) {
    out.put_slice(&[0xe0, 0]);
}

fn field(out: &mut BytesMut, bytes: &[u8]) -> Result<(), FieldTooLong> {
    let length = u16::try_from(bytes.len()).map_err(|_| FieldTooLong(bytes.len()))?;
    out.put_u16(length);
    out.put_slice(bytes);
    Ok(())
}

fn packet(out: &mut BytesMut, first: u8, body: &[u8]) {
    out.put_u8(first);
    remaining_length(out, body.len());
    out.put_slice(body);
}

/// A packet from the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubPacket {
    /// CONNACK.
    Connack {
        /// The hub has kept a session.
        session_present: bool,
        /// 0 for yes.
        code: u8,
    },
    /// PUBLISH.
    Publish {
        /// Topic, with its bag.
        topic: String,
        /// QoS and identifier.
        delivery: Delivery,
        /// Body.
        payload: Bytes,
    },
    /// PUBACK.
    Puback(PacketId),
    /// SUBACK.
    Suback {
        /// Identifier of the SUBSCRIBE.
        id: PacketId,
        /// For each filter the granted QoS, or 0x80 for no.
        codes: Bytes,
    },
    /// PINGRESP.
    Pingresp,
}

/// Bytes that no hub sends; the connection must close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubPacketError {
    /// Of a type that a hub does not send here.
    #[error("a packet beginning with {0:#04x}")]
    Type(u8),
    /// The remaining length runs over four bytes (MQTT 3.1.1 2.2.3).
    #[error("remaining length has more than four bytes")]
    Length,
    /// Larger than [`PACKET_BYTES_MAX`].
    #[error("a packet of {0} bytes, at most {PACKET_BYTES_MAX} are taken")]
    TooLarge(usize),
    /// Its fields are wrong.
    #[error("{0}")]
    Fields(#[from] DecodeError),
}

/// Takes the first packet off `buffer`, which is left alone while the packet is incomplete (`None`).
pub fn next_packet(buffer: &mut BytesMut) -> Result<Option<HubPacket>, HubPacketError> {
    let Some((header, length)) = header(buffer)? else { return Ok(None) };
    let first = buffer[0];
    if buffer.len() < header + length {
        return Ok(None);
    }
    buffer.advance(header);
    let body = buffer.split_to(length).freeze();
    read(first, body).map(Some)
}

/// Sizes of the fixed header and of what follows it.
fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>, HubPacketError> {
    let mut length = 0;
    for at in 0..4 {
        let Some(&byte) = bytes.get(1 + at) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let header = 2 + at;
            return match header + length <= PACKET_BYTES_MAX {
                true => Ok(Some((header, length))),
                false => Err(HubPacketError::TooLarge(header + length)),
            };
        }
    }
    Err(HubPacketError::Length)
}

fn read(first: u8, body: Bytes) -> Result<HubPacket, HubPacketError> {
    let mut input = Input(&body);
    let packet = match first {
        0x20 => {
            let flags = input.u8("connack flags")?;
            HubPacket::Connack { session_present: flags & 1 != 0, code: input.u8("return code")? }
        }
        0x30..=0x3f => {
            let frame = Frame { kind: Kind::Publish, flags: first & 0x0f, body };
            let read = publish(&frame)?;
            let (topic, delivery) = (read.topic.to_owned(), read.delivery);
            return Ok(HubPacket::Publish { topic, delivery, payload: read.payload });
        }
        0x40 => HubPacket::Puback(input.packet_id()?),
        0x90 => {
            let id = input.packet_id()?;
            let codes = body.slice_ref(input.0);
            return Ok(HubPacket::Suback { id, codes });
        }
        0xd0 => HubPacket::Pingresp,
        other => return Err(HubPacketError::Type(other)),
    };
    input.end()?;
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::super::decode::decode;
    use super::super::encode;
    use super::super::framer::{Step, next_frame};
    use super::super::packet::Packet;
    use super::*;

    fn frame(bytes: BytesMut) -> Frame {
        match next_frame(&mut bytes.freeze(), PACKET_BYTES_MAX) {
            Ok(Step::Item(frame)) => frame,
            other => panic!("{other:?}"),
        }
    }

    fn id(number: u16) -> PacketId {
        PacketId::new(number).unwrap()
    }

    #[test]
    fn the_hub_reads_what_a_device_writes() {
        let login = Login {
            client_id: "dev1",
            username: "h/dev1/?api-version=2021-04-12",
            password: b"token",
            keep_alive: 240,
            clean_session: false,
        };
        let mut out = BytesMut::new();
        connect(&mut out, &login).unwrap();
        let frame_of_connect = frame(out);
        let Ok(Packet::Connect(read)) = decode(&frame_of_connect) else { panic!("no CONNECT") };
        assert_eq!((read.client_id, read.username), ("dev1", Some(login.username)));
        assert_eq!((read.password, read.keep_alive), (Some(&b"token"[..]), 240));
        assert!(!read.clean_session && read.will.is_none());

        let mut out = BytesMut::new();
        subscribe(&mut out, id(7), &[("a/#", QoS::AtLeastOnce), ("b/#", QoS::AtMostOnce)]).unwrap();
        let frame_of_subscribe = frame(out);
        match decode(&frame_of_subscribe) {
            Ok(Packet::Subscribe { id: found, filters }) => {
                assert_eq!(found, id(7));
                let filters: Vec<_> = filters.collect();
                assert_eq!(filters, [("a/#", QoS::AtLeastOnce), ("b/#", QoS::AtMostOnce)]);
            }
            other => panic!("{other:?}"),
        }
        for (write, expected) in
            [(pingreq as fn(&mut BytesMut), Packet::Pingreq), (disconnect, Packet::Disconnect)]
        {
            let mut out = BytesMut::new();
            write(&mut out);
            assert_eq!(decode(&frame(out)), Ok(expected));
        }
    }

    #[test]
    fn a_token_that_no_field_holds_is_refused_before_anything_is_written() {
        let password = vec![b'x'; 65_536];
        let login = Login {
            client_id: "d",
            username: "u",
            password: &password,
            keep_alive: 1,
            clean_session: true,
        };
        let mut out = BytesMut::new();
        assert_eq!(connect(&mut out, &login), Err(FieldTooLong(65_536)));
        assert!(out.is_empty());
    }

    #[test]
    fn a_device_reads_what_the_hub_writes_however_it_is_cut() {
        let mut bytes = BytesMut::new();
        encode::connack(&mut bytes, encode::ConnackCode::Accepted, true);
        encode::connack(&mut bytes, encode::ConnackCode::NotAuthorized, false);
        encode::suback(&mut bytes, id(7), &[Some(QoS::AtLeastOnce), None]);
        encode::puback(&mut bytes, id(513));
        encode::pingresp(&mut bytes);
        let delivery = Delivery::AtLeastOnce(id(9));
        encode::publish_header(&mut bytes, "a/b", delivery, true, false, 200).unwrap();
        bytes.put_bytes(7, 200);
        let expected = [
            HubPacket::Connack { session_present: true, code: 0 },
            HubPacket::Connack { session_present: false, code: 5 },
            HubPacket::Suback { id: id(7), codes: Bytes::from_static(&[1, 0x80]) },
            HubPacket::Puback(id(513)),
            HubPacket::Pingresp,
            HubPacket::Publish { topic: "a/b".into(), delivery, payload: vec![7; 200].into() },
        ];
        for piece in [1, 2, 3, bytes.len()] {
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            for piece in bytes.chunks(piece) {
                buffer.extend_from_slice(piece);
                while let Some(packet) = next_packet(&mut buffer).unwrap() {
                    found.push(packet);
                }
            }
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_no_hub_sends_is_an_error() {
        for (bytes, part) in [
            (&b"\x10\x00"[..], "beginning with 0x10"),
            (b"\x20\x01\x00", "ends inside"),
            (b"\xd0\x01\x00", "after the end"),
            (b"\x40\x02\x00\x00", "identifier 0"),
            (b"\x30\xff\xff\xff\xff", "four bytes"),
            (b"\x30\xff\xff\xff\x7f", "at most"),
        ] {
            let error = next_packet(&mut BytesMut::from(bytes)).unwrap_err().to_string();
            assert!(error.contains(part), "{}: {error}", bytes.escape_ascii());
        }
    }
}
