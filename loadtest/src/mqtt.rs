//! The little of MQTT 3.1.1 that a generator and its sink need.
//!
//! Encoders append to or return byte vectors; decoders see bytes and never read. The generator only meets
//! CONNACK, PUBACK and PINGRESP, all of at most four bytes, so its decoder holds four bytes and no buffer.

/// Largest packet body the sink takes and the generator makes: 256 KiB of payload, a topic of full length.
pub const PACKET_BYTES_MAX: usize = 262_144 + 65_535 + 16;

/// PINGREQ, complete.
pub const PINGREQ: [u8; 2] = [0xC0, 0];
/// PINGRESP, complete.
pub const PINGRESP: [u8; 2] = [0xD0, 0];
/// DISCONNECT, complete.
pub const DISCONNECT: [u8; 2] = [0xE0, 0];
/// CONNACK that accepts, without a stored session.
pub const CONNACK_ACCEPTED: [u8; 4] = [0x20, 2, 0, 0];

/// Why bytes are not acceptable MQTT, or text cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MqttError {
    /// The broker sent a packet the generator did not ask for.
    #[error("unexpected packet, first byte 0x{0:02x}")]
    Unexpected(u8),
    /// A packet has a length its kind cannot have.
    #[error("packet with first byte 0x{0:02x} has an impossible length")]
    Length(u8),
    /// A packet is longer than [`PACKET_BYTES_MAX`].
    #[error("packet longer than {PACKET_BYTES_MAX} bytes")]
    TooLong,
    /// A text field is longer than 65,535 bytes (MQTT 3.1.1, 1.5.3).
    #[error("text field longer than 65,535 bytes")]
    TextTooLong,
}

/// Quality of service of a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// Never acknowledged.
    AtMostOnce,
    /// Acknowledged by PUBACK.
    AtLeastOnce,
}

fn push_text(out: &mut Vec<u8>, text: &str) -> Result<(), MqttError> {
    let length = u16::try_from(text.len()).map_err(|_| MqttError::TextTooLong)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Puts the first byte and the remaining length (MQTT 3.1.1, 2.2.3) before `body`.
fn packet(first: u8, body: &[u8]) -> Result<Vec<u8>, MqttError> {
    if body.len() > PACKET_BYTES_MAX {
        return Err(MqttError::TooLong);
    }
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(first);
    let mut length = body.len();
    loop {
        let digit = (length & 0x7F) as u8;
        length >>= 7;
        out.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    Ok(out)
}

/// CONNECT with clean session, no will (MQTT 3.1.1, 3.1). `keep_alive` counts seconds.
pub fn connect(
    client_id: &str,
    login: Option<(&str, &str)>,
    keep_alive: u16,
) -> Result<Vec<u8>, MqttError> {
    let mut body = Vec::with_capacity(512);
    push_text(&mut body, "MQTT")?;
    body.push(4);
    body.push(if login.is_some() { 0xC2 } else { 0x02 });
    body.extend_from_slice(&keep_alive.to_be_bytes());
    push_text(&mut body, client_id)?;
    if let Some((user_name, password)) = login {
        push_text(&mut body, user_name)?;
        push_text(&mut body, password)?;
    }
    packet(0x10, &body)
}

/// One encoded PUBLISH, and where its packet identifier stands (nowhere at QoS 0).
pub struct Publish {
    /// The packet.
    pub bytes: Vec<u8>,
    /// Offset of the packet identifier's first byte.
    pub packet_id_at: Option<usize>,
}

/// Encodes PUBLISH with packet identifier 1, to be overwritten per message (MQTT 3.1.1, 3.3).
pub fn publish(topic: &str, payload: &[u8], qos: Qos) -> Result<Publish, MqttError> {
    let mut body = Vec::with_capacity(payload.len() + topic.len() + 4);
    push_text(&mut body, topic)?;
    let first = match qos {
        Qos::AtMostOnce => 0x30,
        Qos::AtLeastOnce => {
            body.extend_from_slice(&1u16.to_be_bytes());
            0x32
        }
    };
    body.extend_from_slice(payload);
    let bytes = packet(first, &body)?;
    let packet_id_at = (qos == Qos::AtLeastOnce).then(|| bytes.len() - payload.len() - 2);
    Ok(Publish { bytes, packet_id_at })
}

/// What a broker answers to a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// CONNACK with its return code.
    ConnAck(u8),
    /// PUBACK with its packet identifier.
    PubAck(u16),
    /// PINGRESP.
    PingResp,
}

/// Takes the broker's bytes apart, however they were cut.
#[derive(Debug, Default, Clone, Copy)]
pub struct ReplyDecoder {
    held: [u8; 4],
    length: usize,
}

impl ReplyDecoder {
    /// Calls `each` for every packet that `data` completes. The first error ends it.
    pub fn feed<E: From<MqttError>>(
        &mut self,
        mut data: &[u8],
        mut each: impl FnMut(Reply) -> Result<(), E>,
    ) -> Result<(), E> {
        while !data.is_empty() {
            // The common case: whole PUBACKs, one after another, read where they lie.
            if self.length == 0 {
                while let [0x40, 2, high, low, rest @ ..] = data {
                    each(Reply::PubAck(u16::from_be_bytes([*high, *low])))?;
                    data = rest;
                }
            }
            let Some((byte, rest)) = data.split_first() else { break };
            data = rest;
            self.held[self.length] = *byte;
            self.length += 1;
            if let Some(reply) = whole_reply(&self.held[..self.length])? {
                self.length = 0;
                each(reply)?;
            }
        }
        Ok(())
    }
}

/// Never returns `None` for four bytes or more.
fn whole_reply(bytes: &[u8]) -> Result<Option<Reply>, MqttError> {
    match *bytes {
        [0x20 | 0x40, 2] | [0x20 | 0x40 | 0xD0] | [0x20 | 0x40, 2, _] => Ok(None),
        [0x20, 2, _, code] => Ok(Some(Reply::ConnAck(code))),
        [0x40, 2, high, low] => Ok(Some(Reply::PubAck(u16::from_be_bytes([high, low])))),
        [0xD0, 0] => Ok(Some(Reply::PingResp)),
        [first @ (0x20 | 0x40 | 0xD0), ..] => Err(MqttError::Length(first)),
        [first, ..] => Err(MqttError::Unexpected(first)),
        [] => Ok(None),
    }
}

/// What a generator asks of the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// CONNECT; its content is not looked at.
    Connect,
    /// PUBLISH; the packet identifier at QoS 1.
    Publish(Option<u16>),
    /// PINGREQ.
    Ping,
    /// DISCONNECT.
    Disconnect,
}

/// Decodes the packet at the front of `bytes`: the packet and its length, or `None` when bytes are missing.
pub fn next_request(bytes: &[u8]) -> Result<Option<(Request, usize)>, MqttError> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let (mut length, mut digits) = (0usize, 0usize);
    loop {
        let Some(&digit) = rest.get(digits) else { return Ok(None) };
        length |= usize::from(digit & 0x7F) << (7 * digits);
        digits += 1;
        if digit & 0x80 == 0 {
            break;
        }
        if digits == 4 {
            return Err(MqttError::Length(first));
        }
    }
    if length > PACKET_BYTES_MAX {
        return Err(MqttError::TooLong);
    }
    let whole = 1 + digits + length;
    let Some(body) = bytes.get(1 + digits..whole) else { return Ok(None) };
    let request = match first {
        0x10 => Request::Connect,
        0xC0 => Request::Ping,
        0xE0 => Request::Disconnect,
        0x30 | 0x31 | 0x38 | 0x39 => Request::Publish(None),
        0x32 | 0x33 | 0x3A | 0x3B => {
            let [high, low, ..] = *body else { return Err(MqttError::Length(first)) };
            let at = 2 + usize::from(u16::from_be_bytes([high, low]));
            let Some(&[high, low]) = body.get(at..at + 2) else {
                return Err(MqttError::Length(first));
            };
            Request::Publish(Some(u16::from_be_bytes([high, low])))
        }
        other => return Err(MqttError::Unexpected(other)),
    };
    Ok(Some((request, whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<Reply>, MqttError> {
        let mut decoder = ReplyDecoder::default();
        let mut replies = Vec::new();
        for piece in pieces {
            decoder.feed(piece, |reply| {
                replies.push(reply);
                Ok::<(), MqttError>(())
            })?;
        }
        Ok(replies)
    }

    #[test]
    fn every_split_of_the_brokers_bytes_gives_the_same_replies() {
        let bytes = [0x20, 2, 0, 5, 0x40, 2, 0, 1, 0x40, 2, 1, 2, 0xD0, 0, 0x40, 2, 255, 255];
        let expected = [
            Reply::ConnAck(5),
            Reply::PubAck(1),
            Reply::PubAck(258),
            Reply::PingResp,
            Reply::PubAck(65_535),
        ];
        for cut in 0..=bytes.len() {
            assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]).unwrap(), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&single).unwrap(), expected);
    }

    #[test]
    fn replies_nobody_asked_for_and_impossible_lengths_are_refused() {
        for (bytes, expected) in [
            (&[0x30, 0][..], MqttError::Unexpected(0x30)),
            (&[0x40, 3, 0, 0], MqttError::Length(0x40)),
            (&[0x20, 0], MqttError::Length(0x20)),
            (&[0xD0, 1], MqttError::Length(0xD0)),
        ] {
            assert_eq!(decode(&[bytes]), Err(expected), "{bytes:?}");
        }
    }

    #[test]
    fn connect_has_the_bytes_of_the_reference() {
        let bytes = connect("dev1", Some(("h/dev1", "pw")), 240).unwrap();
        let expected = b"\x10\x1c\x00\x04MQTT\x04\xc2\x00\xf0\x00\x04dev1\x00\x06h/dev1\x00\x02pw";
        assert_eq!(bytes, expected);
        assert_eq!(
            connect("a", None, 0).unwrap(),
            b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a"
        );
        let long = "x".repeat(65_536);
        assert_eq!(connect(&long, None, 0), Err(MqttError::TextTooLong));
    }

    #[test]
    fn a_publish_is_read_back_with_the_packet_identifier_written_into_it() {
        for size in [0, 1, 117, 118, 256, 16_384, 262_144] {
            let payload = vec![7; size];
            let mut made = publish("devices/d/m", &payload, Qos::AtLeastOnce).unwrap();
            let at = made.packet_id_at.unwrap();
            made.bytes[at..at + 2].copy_from_slice(&0xABCDu16.to_be_bytes());
            let whole = made.bytes.len();
            let expected = Some((Request::Publish(Some(0xABCD)), whole));
            assert_eq!(next_request(&made.bytes).unwrap(), expected, "{size}");
            assert_eq!(next_request(&made.bytes[..whole - 1]).unwrap(), None, "{size}");

            let unacknowledged = publish("t", &payload, Qos::AtMostOnce).unwrap();
            assert_eq!(unacknowledged.packet_id_at, None);
            let expected = Some((Request::Publish(None), unacknowledged.bytes.len()));
            assert_eq!(next_request(&unacknowledged.bytes).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn the_sink_refuses_what_is_not_a_request() {
        for (bytes, expected) in [
            (&[0x40, 2, 0, 1][..], MqttError::Unexpected(0x40)),
            (&[0x32, 1, 0], MqttError::Length(0x32)),
            (&[0x32, 3, 0, 2, 0], MqttError::Length(0x32)),
            (&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1], MqttError::Length(0x30)),
            (&[0x30, 0xFF, 0xFF, 0x7F], MqttError::TooLong),
        ] {
            assert_eq!(next_request(bytes), Err(expected), "{bytes:?}");
        }
        assert_eq!(next_request(&[]), Ok(None));
        assert_eq!(next_request(&PINGREQ), Ok(Some((Request::Ping, 2))));
        assert_eq!(next_request(&DISCONNECT), Ok(Some((Request::Disconnect, 2))));
    }
}
